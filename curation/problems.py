"""One finding about what somebody gave us, with the place where it was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Problem:
    """A plain sentence about one fault, and the file, row, column or field it sits in.

    Rows count as a spreadsheet program counts them: the first line of a file is row 1.
    """

    sentence: str
    file: str | None = None
    row: int | None = None
    column: str | None = None
    field: str | None = None

    @property
    def place(self) -> str:
        """Where to look, in words; empty when the problem concerns everything."""
        parts = [
            self.file or "",
            f"row {self.row}" if self.row is not None else "",
            f"column {self.column}" if self.column is not None else "",
            f"field {self.field}" if self.field is not None else "",
        ]
        return ", ".join(part for part in parts if part)

    def __str__(self) -> str:
        return f"{self.place}: {self.sentence}" if self.place else self.sentence

    def to_json(self) -> dict[str, Any]:
        """Return the problem as a dictionary of plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Problem:
        """Rebuild a problem from :meth:`to_json`."""
        return cls(**data)

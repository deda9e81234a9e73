"""Going through a recognised file, keeping rows and problems apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from curation.labels import frames
from curation.labels.cells import (
    BadCell,
    Cell,
    CellReader,
    is_true,
    to_frame,
    to_number,
    to_seconds,
)
from curation.labels.columns import Columns
from curation.labels.conversion import conversion
from curation.labels.mapping import Mapping
from curation.labels.rows import LabelRow, Labels
from curation.labels.sheet import Sheet
from curation.problems import Problem
from models.scale import Scale

MOST_PROBLEMS = 200
"""More than these of one sheet are counted, not listed: nobody reads them one by one."""
ROUNDING = 0.051
"""A mean written with one decimal may differ by as much from the mean of the grades."""


@dataclass(frozen=True)
class Line:
    """One row of the sheet with what all its unit cells share."""

    number: int
    cells: tuple[str, ...]
    file: str
    frame: int | None
    time_s: float | None
    reason: str | None
    rejected: bool


class Reading:
    """Collects the rows and problems of one file."""

    def __init__(
        self, name: str, mapping: Mapping, scale: Scale, decimal_comma: bool = False
    ) -> None:
        self.name = name
        self.mapping = mapping
        self.scale = scale
        self.cells = CellReader(scale, mapping, decimal_comma)
        self.rows: list[LabelRow] = []
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self._seen: set[tuple[object, ...]] = set()
        self._rejected = 0
        self._unlisted = 0
        if mapping.conversion:
            top = max(unit.top_grade for unit in scale.units)
            self.notes.append(conversion(mapping.conversion, top).sentence)

    def add(
        self,
        line: Line,
        text: str,
        column: str,
        unit: str,
        rater: str,
        confidence: float | None = None,
    ) -> None:
        """Read what a rater said of a unit, and keep it as a row or as a problem."""
        key = (line.file, line.frame, line.time_s, rater, unit)
        try:
            cell = self.cells.grade(text, unit, line.reason)
        except BadCell as bad:
            self.problem(str(bad), line.number, column)
            return
        if line.rejected and cell.grade is not None:
            # Sheets hold zeros in rejected rows; such a zero says "not looked at", not "absent".
            cell = Cell(reason=line.reason or self.scale.reason_because("unnamed").key)
        if key in self._seen:
            self.problem(
                "This rater graded this unit of this frame in an earlier row already; the first "
                "grade was kept.",
                line.number,
                column,
            )
            return
        self._seen.add(key)
        self.rows.append(
            LabelRow(
                file=line.file,
                frame=line.frame,
                time_s=line.time_s,
                rater=rater,
                unit=unit,
                grade=cell.grade,
                reason=cell.reason,
                assigned=cell.assigned,
                row=line.number,
                confidence=confidence,
            )
        )

    def problem(self, sentence: str, row: int | None = None, column: str | None = None) -> None:
        """Keep a problem, or count it once there are too many to list."""
        if len(self.problems) >= MOST_PROBLEMS:
            self._unlisted += 1
        else:
            self.problems.append(Problem(sentence, file=self.name, row=row, column=column))

    def labels(self, format_key: str, **parts: Any) -> Labels:
        """Close the reading; `parts` are further fields of `Labels`."""
        closing = []
        if self._rejected:
            closing.append(
                f"{self._rejected} rows are marked as rejected; their grades were read as not "
                "scorable."
            )
        if self._unlisted:
            closing.append(f"There are {self._unlisted} more problems of this kind.")
        problems = [*self.problems, *(Problem(note, file=self.name) for note in closing)]
        read = Labels(format_key, tuple(self.rows), tuple(problems), notes=tuple(self.notes))
        return dataclasses.replace(read, **parts)

    def place(self, file: str, number: int) -> str | None:
        """Return the name of a file as it is kept, None (and a problem) where it names none."""
        file = file.replace("\\", "/")
        base = file.rsplit("/", 1)[-1]
        if not base:
            self.problem("The row names no file; fill in which picture or video it is.", number)
            return None
        if base.startswith("._"):
            self.problem(f"{base} is a macOS side file and no picture; the row is skipped.", number)
            return None
        return file

    def counted(self, is_rejected: bool) -> bool:
        """Count a row that is marked as rejected; returns whether it is."""
        self._rejected += is_rejected
        return is_rejected


class SheetReading(Reading):
    """Collects the rows and problems of one table."""

    def __init__(self, sheet: Sheet, mapping: Mapping, scale: Scale, columns: Columns) -> None:
        super().__init__(sheet.name, mapping, scale, sheet.decimal_comma)
        self.sheet = sheet
        self.columns = columns
        self.problems += columns.problems
        if "frame" in columns.roles:
            self.notes.append(frames.rule(mapping.frames_from))

    def text(self, cells: tuple[str, ...], role: str) -> str:
        """The text of a row's cell in the column with this role; empty where there is none."""
        position = self.columns.roles.get(role)
        return cells[position] if position is not None and position < len(cells) else ""

    def lines(self) -> Iterator[Line]:
        """Yield the rows that name a file and whose frame or time can be read."""
        for number, cells in self.whole_rows():
            line = self._line(number, cells)
            if line is not None:
                self.counted(line.rejected)
                yield line

    def whole_rows(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """Yield (row number, cells); rows that are too short or too long are named."""
        width = len(self.sheet.header)
        for number, cells in self.sheet.rows:
            if len(cells) < width:
                self.problem(
                    f"The row ends after {len(cells)} of {width} cells; what is cut off was read "
                    "as not yet rated.",
                    number,
                )
            elif any(cells[width:]):
                self.problem(
                    f"The row has {len(cells)} cells under {width} headers; the rest was left out.",
                    number,
                )
            yield number, cells

    def add_cell(self, line: Line, position: int, unit: str, rater: str) -> None:
        """Read the cell of a unit and a rater."""
        text = line.cells[position] if position < len(line.cells) else ""
        confidence = None
        if unit in self.columns.confidences:
            at = self.columns.confidences[unit]
            sure = to_number(line.cells[at] if at < len(line.cells) else "", self._comma)
            if sure is not None and 0 <= sure <= 1:
                confidence = sure
        self.add(line, text, self.sheet.header[position], unit, rater, confidence)

    def compare_totals(self, line: Line) -> None:
        """Name a mean or sum of the row that is not that of its grades; it is never imported."""
        if line.rejected:
            return
        for position, (kind, rater) in self.columns.totals.items():
            text = line.cells[position] if position < len(line.cells) else ""
            stated = to_number(text, self._comma)
            numbers = [
                number
                for at, (_, who) in self.columns.units.items()
                if who == rater
                and at < len(line.cells)
                and self.cells.coded(line.cells[at])[0] is None
                and (number := to_number(line.cells[at], self._comma)) is not None
            ]
            if stated is None or not numbers:
                continue
            found = sum(numbers) / (len(numbers) if kind == "mean" else 1)
            if abs(found - stated) > ROUNDING:
                self.problem(
                    f"The column says that the {kind} is {stated:g}, but the {kind} of the row's "
                    f"grades is {found:.3g}; the grades were read.",
                    line.number,
                    self.sheet.header[position],
                )

    @property
    def _comma(self) -> bool:
        return self.sheet.decimal_comma

    def _line(self, number: int, cells: tuple[str, ...]) -> Line | None:
        named = self.text(cells, "file") if "file" in self.columns.roles else self.mapping.file
        file = self.place(named, number)
        if file is None:
            return None
        frame_text, time_text = self.text(cells, "frame"), self.text(cells, "time_s")
        column = "frame"
        try:
            frame = to_frame(frame_text, self.mapping.frames_from) if frame_text else None
            column = "time_s"
            time_s = to_seconds(time_text, self._comma) if time_text else None
        except BadCell as bad:
            header = self.sheet.header[self.columns.roles[column]]
            self.problem(f"{bad} The row is skipped.", number, header)
            return None
        return Line(
            number=number,
            cells=cells,
            file=file,
            frame=frame,
            time_s=time_s,
            reason=self._reason(cells, number),
            rejected=is_true(self.text(cells, "rejected")),
        )

    def _reason(self, cells: tuple[str, ...], number: int) -> str | None:
        text = self.text(cells, "reason").casefold()
        if not text:
            return None
        if text in self.scale.reason_keys:
            return text
        known = ", ".join(self.scale.reason_keys)
        header = self.sheet.header[self.columns.roles["reason"]]
        self.problem(f"“{text[:40]}” is no known reason; use one of {known}.", number, header)
        return None

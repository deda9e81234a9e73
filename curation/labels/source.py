"""A file or folder that may hold labels: what kind it is by content, and its parts on demand.

The kind is told from the content, since names lie. Nothing here runs what a file holds: pickles and
macros are refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from curation.labels.excel import excel_sheet
from curation.labels.rows import UnknownFormat
from curation.labels.sheet import Sheet, decode, text_sheet
from models.scale import Scale, load_scale

MOST_BYTES = 200 * 1024 * 1024
"""Of a table or JSON file, which are read into memory whole."""
MOST_HDF5_BYTES = 4 * 1024**3

Kind = Literal["folder", "excel", "hdf5", "json", "text"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK\x03\x04"
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OTHER_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"\x80\x02", "is a Python pickle, which is never opened; export the labels as CSV"),
    (b"\x80\x03", "is a Python pickle, which is never opened; export the labels as CSV"),
    (b"\x80\x04", "is a Python pickle, which is never opened; export the labels as CSV"),
    (b"\x80\x05", "is a Python pickle, which is never opened; export the labels as CSV"),
    (b"MATLAB 5.0", "is a MATLAB file; export the labels as CSV"),
    (b"%PDF", "is a PDF document; send the sheet it was printed from"),
    (b"\x89PNG", "is a picture; send it as a recording"),
    (b"\xff\xd8\xff", "is a picture; send it as a recording"),
    (b"PAR1", "is a Parquet file; export the labels as CSV"),
    (b"\x1f\x8b", "is a compressed file; unpack it and send what is in it"),
)


class Source:
    """One file or folder, under the name that the investigator gave it.

    `pictures` maps names of pictures to (width, height) in pixels, where they are known. Raises
    `UnknownFormat` for what no reader could ever take: too large, empty, encrypted, a pickle.
    """

    def __init__(
        self,
        path: Path,
        name: str | None = None,
        scale: Scale | None = None,
        pictures: Mapping[str, tuple[int, int]] | None = None,
    ) -> None:
        self.path = path
        self.name = name or path.name
        self.scale = scale or load_scale()
        self.pictures = dict(pictures or {})
        self._sheets: dict[str, Sheet] = {}
        self.kind: Kind = self._kind()

    @property
    def stem(self) -> str:
        """The name without folders and ending."""
        return Path(self.name.replace("\\", "/")).stem

    @cached_property
    def data(self) -> bytes:
        """The bytes of a table or JSON file."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise self._closed(error) from None

    @cached_property
    def json(self) -> Any:
        """The content of a JSON file; raises `UnknownFormat` where it is damaged.

        Numbers stay text, as they are written; of a key given twice all values are kept, as a list
        of the pairs.
        """
        try:
            return json.loads(
                decode(self.name, self.data),
                parse_int=str,
                parse_float=str,
                parse_constant=str,
                object_pairs_hook=_pairs,
            )
        except (ValueError, RecursionError):
            raise UnknownFormat(
                f"{self.name} is damaged JSON or is no JSON at all; write it again."
            ) from None

    def sheet(self, worksheet: str = "") -> Sheet:
        """Return the table in a text or Excel file; raises `UnknownFormat` where there is none."""
        if worksheet not in self._sheets:
            if self.kind == "excel":
                self._sheets[worksheet] = excel_sheet(self.name, self.data, worksheet)
            elif self.kind == "text":
                self._sheets[worksheet] = text_sheet(self.name, self.data)
            else:
                raise UnknownFormat(f"{self.name} holds no table.")
        return self._sheets[worksheet]

    @property
    def is_table(self) -> bool:
        """Whether there is a table to look at."""
        return self.kind in ("text", "excel")

    def _kind(self) -> Kind:
        base = self.name.replace("\\", "/").rsplit("/", 1)[-1]
        if base.startswith("._"):
            raise UnknownFormat(
                f"{self.name} is a macOS side file and holds no labels; leave it out."
            )
        try:
            if self.path.is_dir():
                return "folder"
            size = self.path.stat().st_size
            with self.path.open("rb") as file:
                head = file.read(4096)
        except (OSError, ValueError) as error:
            raise self._closed(error) from None
        if not head.strip():
            raise UnknownFormat(f"{self.name} is empty; send the sheet again.")
        if head.startswith(_HDF5):
            if size > MOST_HDF5_BYTES:
                raise UnknownFormat(f"{self.name} is larger than 4 GB; send a part of it.")
            return "hdf5"
        for start, sentence in _OTHER_KINDS:
            if head.startswith(start):
                raise UnknownFormat(f"{self.name} {sentence}.")
        if size > MOST_BYTES:
            raise UnknownFormat(f"{self.name} is larger than 200 MB; split the sheet into several.")
        if head.startswith(_OLE):
            if _ENCRYPTED in self.data:
                raise UnknownFormat(
                    f"{self.name} is encrypted; save it without a password and send that."
                )
            raise UnknownFormat(
                f"{self.name} is an Excel file of the old kind; save it as .xlsx or CSV."
            )
        if head.startswith(_ZIP):
            return "excel"
        first = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return "json" if first in (b"{", b"[") else "text"

    def _closed(self, error: Exception) -> UnknownFormat:
        why = getattr(error, "strerror", None) or "its name is no name of a file"
        return UnknownFormat(f"{self.name} cannot be opened ({why}); send it again.")


class Twice(list[tuple[str, Any]]):
    """The pairs of a JSON object that gives a key more than once."""


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Twice(pairs)

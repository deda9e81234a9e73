"""Going through a recognised sheet line by line, keeping rows and problems apart."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from curation.labels.cells import BadCell, Cell, CellReader, is_true, to_frame, to_seconds
from curation.labels.columns import Columns
from curation.labels.rows import LabelRow, Labels, Mapping
from curation.labels.sheet import Sheet
from curation.problems import Problem
from models.scale import load_scale

MOST_PROBLEMS = 200
"""More than these of one sheet are counted, not listed: nobody reads them one by one."""


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


class SheetReading:
    """Collects the rows and problems of one sheet."""

    def __init__(self, sheet: Sheet, mapping: Mapping | None, columns: Columns) -> None:
        self.sheet = sheet
        self.columns = columns
        self.scale = load_scale()
        self.cells = CellReader(self.scale, mapping, sheet.decimal_comma)
        self.rows: list[LabelRow] = []
        self.problems: list[Problem] = list(columns.problems)
        self._seen: set[tuple[object, ...]] = set()
        self._rejected = 0
        self._unlisted = 0

    def text(self, cells: tuple[str, ...], role: str) -> str:
        """The text of a row's cell in the column with this role; empty where there is none."""
        position = self.columns.roles.get(role)
        return cells[position] if position is not None and position < len(cells) else ""

    def refuse_other_scale(self, positions: Collection[int]) -> None:
        """Raise `UnknownFormat` when the cells at these positions use another scale."""
        self.cells.refuse_other_scale(
            self.sheet.name,
            (cells[at] for _, cells in self.sheet.rows for at in positions if at < len(cells)),
        )

    def lines(self) -> Iterator[Line]:
        """Yield the rows that name a file and whose frame or time can be read."""
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
            line = self._line(number, cells)
            if line is not None:
                self._rejected += line.rejected
                yield line

    def add(self, line: Line, position: int, unit: str, rater: str) -> None:
        """Read the cell of a unit and a rater, and keep it as a row or as a problem."""
        column = self.sheet.header[position]
        key = (line.file, line.frame, line.time_s, rater, unit)
        text = line.cells[position] if position < len(line.cells) else ""
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
            )
        )

    def problem(self, sentence: str, row: int | None = None, column: str | None = None) -> None:
        """Keep a problem, or count it once there are too many to list."""
        if len(self.problems) >= MOST_PROBLEMS:
            self._unlisted += 1
        else:
            self.problems.append(Problem(sentence, file=self.sheet.name, row=row, column=column))

    def labels(self, format_key: str) -> Labels:
        """Close the reading."""
        notes = []
        if self._rejected:
            notes.append(
                f"{self._rejected} rows are marked as rejected; their grades were read as not "
                "scorable."
            )
        if self._unlisted:
            notes.append(f"There are {self._unlisted} more problems of this kind.")
        problems = [*self.problems, *(Problem(note, file=self.sheet.name) for note in notes)]
        return Labels(format_key, tuple(self.rows), tuple(problems))

    def _line(self, number: int, cells: tuple[str, ...]) -> Line | None:
        file = self.text(cells, "file").replace("\\", "/")
        base = file.rsplit("/", 1)[-1]
        if not base:
            self.problem("The row names no file; fill in which picture or video it is.", number)
            return None
        if base.startswith("._"):
            self.problem(f"{base} is a macOS side file and no picture; the row is skipped.", number)
            return None
        frame_text, time_text = self.text(cells, "frame"), self.text(cells, "time_s")
        column = "frame"
        try:
            frame = to_frame(frame_text) if frame_text else None
            column = "time_s"
            time_s = to_seconds(time_text, self.sheet.decimal_comma) if time_text else None
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

"""The tool *agreement*: how far raters of a table agree, measure by measure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from models.events import Refused
from models.tools.protocol import Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

COLUMNS = ("measure", "frames", "raters", "kappa", "alpha", "ICC of one rater", "ICC of the mean")


class Agreement:
    """Reads a table with one row per frame and rater."""

    name: ClassVar[str] = "agreement"
    version: ClassVar[str] = "1.0"
    title: ClassVar[str] = "Agreement of raters"
    summary: ClassVar[str] = (
        "Quadratic-weighted kappa, Krippendorff's alpha (ordinal) and intraclass correlation of a "
        "table with one row per frame and rater and one column per measure. It judges raters' "
        "agreement, not who is right."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("table",)
    gives_grades: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params:
        """How the table is laid out."""

        frame: str = option("frame", title="Column of frames", help="Names what was rated.")
        file: str = option(
            "file",
            title="Column of files",
            help="Names the recording of a frame, where there is such a column.",
        )
        rater: str = option("rater", title="Column of raters", help="Names who rated.")
        categories: int = option(
            3, title="Grades", help="How many grades there are, counted from 0.", least=2, most=20
        )
        missing: str = option(
            "9, -, NA",
            title="Not scorable",
            help="Cells that stand for no grade, joined by commas; empty cells always do.",
        )

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Compare the raters of one table; raises Refused with row and column."""
        from models.tools.course import write_table

        tables, raters = _read(media, params, context.name or media.name)
        rows = []
        for done, (measure, table) in enumerate(tables.items()):
            context.progress(done / len(tables), f"comparing {measure}")
            rows.append((measure, *_agree(table, params.categories)))
        write_table(context.folder / "agreement.csv", COLUMNS, rows, context)
        kappas = [row[3] for row in rows if row[3] is not None]
        mean = sum(kappas) / len(kappas) if kappas else None
        summary = {
            "raters": raters,
            "measures": {row[0]: dict(zip(COLUMNS[1:], row[1:], strict=True)) for row in rows},
            "mean_kappa": mean,
        }
        if mean is None:
            return ToolResult(
                sentence="No agreement can be told: no two raters share two frames of a measure "
                "whose grades vary.",
                outcome="nothing_found",
                columns=COLUMNS,
                rows=tuple(rows),
                summary=summary,
                files=("agreement.csv",),
            )
        worst = min((row for row in rows if row[3] is not None), key=lambda row: float(row[3]))
        tail = (
            f", lowest for “{worst[0]}” ({worst[3]:.2f})" if len(kappas) > 1 else f" (“{worst[0]}”)"
        )
        measures = "measure" if len(rows) == 1 else "measures"
        return ToolResult(
            sentence=f"{len(raters)} raters agree with a mean weighted kappa of {mean:.2f} over "
            f"{len(kappas)} {measures}{tail}.",
            figures=(
                Figure("Mean weighted kappa", mean),
                Figure("Raters", float(len(raters)), digits=0),
                Figure("Measures", float(len(rows)), digits=0),
            ),
            columns=COLUMNS,
            rows=tuple((*row[:3], *map(_told, row[3:])) for row in rows),
            advice=(
                "A kappa depends on how often each grade occurs; compare it between studies with "
                "care. Few frames make every figure here uncertain.",
            ),
            summary=summary,
            files=("agreement.csv",),
        )


def _told(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def _read(
    media: Path, params: Agreement.Params, shown: str
) -> tuple[dict[str, NDArray[np.float64]], list[str]]:
    """Per measure a table (frames, raters) with NaN for no grade; and the names of the raters."""
    import numpy as np

    from models.tools.tables import read_columns

    head, lines = read_columns(media, shown)
    for name, what in ((params.frame, "frames"), (params.rater, "raters")):
        if name not in head:
            raise Refused(
                f"{shown} has no column “{name}” for {what}; its columns are {', '.join(head)}. "
                f"Name the right one, or write one row per frame and rater."
            )
    place = {name: head.index(name) for name in head}
    with_file = params.file in place
    measures = [
        name for name in head if name and name not in (params.frame, params.rater, params.file)
    ]
    if not measures:
        raise Refused(f"{shown} has no column of grades beside frame and rater.")
    missing = {text.strip().lower() for text in params.missing.split(",")} | {""}
    raters = sorted({line[place[params.rater]].strip() for line in lines})
    frames: dict[tuple[str, str], int] = {}
    for line in lines:
        frames.setdefault(_frame(line, place, params, with_file), len(frames))
    tables = {name: np.full((len(frames), len(raters)), np.nan) for name in measures}
    seen: set[tuple[int, int]] = set()
    column = {name: number for number, name in enumerate(raters)}
    for number, line in enumerate(lines, start=2):
        row = frames[_frame(line, place, params, with_file)]
        who = line[place[params.rater]].strip()
        if not who:
            raise Refused(f"Row {number} of {shown} names no rater.")
        if (row, column[who]) in seen:
            raise Refused(
                f"Row {number} of {shown} gives a second rating of the same frame by “{who}”; keep "
                "one, or name the column of files."
            )
        seen.add((row, column[who]))
        for name in measures:
            text = line[place[name]].strip()
            if text.lower() in missing:
                continue
            tables[name][row, column[who]] = _grade(text, name, number, params.categories, shown)
    return tables, raters


def _frame(
    line: list[str], place: dict[str, int], params: Agreement.Params, with_file: bool
) -> tuple[str, str]:
    file = line[place[params.file]].strip() if with_file else ""
    return file, line[place[params.frame]].strip()


def _grade(text: str, measure: str, row: int, categories: int, shown: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value == int(value) and 0 <= value < categories):
        raise Refused(
            f"Row {row}, column “{measure}” of {shown} holds “{text[:40]}”, which is no grade from "
            f"0 to {categories - 1}; correct it, or name it among the cells that stand for none."
        )
    return value


def _agree(table: NDArray[np.float64], categories: int) -> tuple[Any, ...]:
    """Frames that two raters graded, raters, kappa, alpha and both ICCs; None where undefined."""
    import numpy as np

    from models.stats.agreement import krippendorff_alpha, pairwise_kappa, variance_components

    shared = np.isfinite(table).sum(1) >= 2
    known = table[shared]
    parts = variance_components(known) if len(known) else None
    values = (
        pairwise_kappa(table, categories),
        krippendorff_alpha(table, "ordinal"),
        parts.icc_single if parts else math.nan,
        parts.icc_mean if parts else math.nan,
    )
    return (
        int(shared.sum()),
        int(np.isfinite(table).any(0).sum()),
        *(round(value, 4) if math.isfinite(value) else None for value in values),
    )

"""A result as an Excel workbook: what it is, the figures, the course, every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter

from models.corrections import Corrections
from models.exports.as_csv import LIMITS
from models.methods import PHANTOM, methods_sentences
from models.records import Prediction
from models.result import sum_of_result, sum_of_units, top_of_sum
from models.scale import Scale

MOST_ROWS = 1_048_000
"""Rows of frames that fit into a sheet; a longer recording has all of them in CSV and Parquet."""
TOLD_EVERY = 2000

Progress = Callable[[int], None]


def write_xlsx(
    path: str | Path,
    predictions: Iterable[Prediction],
    result: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scale: Scale,
    *,
    corrections: Corrections | None = None,
    progress: Progress | None = None,
) -> None:
    """Write the sheets README, Summary, Course, Not graded and Frames, and Corrections if any.

    Rows are written as they come, so that memory stays flat; `progress` hears the number of frames
    done. `result` is the result as JSON.
    """
    corrections = corrections or {}
    book = Workbook(write_only=True)
    book.properties.title = f"aMGS result: {provenance.get('file', '')}"
    book.properties.creator = f"aMGS, model {provenance.get('model', '')}"
    _readme(book, result, provenance, scale, len(corrections))
    _table(book, "Summary", ["figure", "value", "low", "high", "frames"], _summary(result, scale))
    _table(book, "Course", _course_head(scale), _course(result, scale))
    _table(
        book,
        "Not graded",
        ["from_s", "to_s", "state", "reason"],
        (
            [one["t0"], one["t1"], one["state"], one["reason"]]
            for one in result["segments"]
            if one["reason"]
        ),
    )
    origin = [provenance.get("model", ""), "yes" if result.get("phantom") else "no", LIMITS]
    _table(
        book,
        "Frames",
        _frame_head(scale),
        _frames(predictions, scale, corrections, origin, progress),
    )
    if corrections:
        rows = (
            [pts, unit, said.grade, said.reason]
            for pts, units in sorted(corrections.items())
            for unit, said in units.items()
        )
        _table(book, "Corrections", ["pts", "unit", "grade_by_hand", "reason_by_hand"], rows)
    book.save(path)


def _readme(
    book: Workbook,
    result: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scale: Scale,
    corrected_frames: int,
) -> None:
    sheet = book.create_sheet("README")
    sheet.column_dimensions["A"].width = 24
    sheet.column_dimensions["B"].width = 100
    rows: list[tuple[str, str]] = [("Recording", str(provenance.get("file", "")))]
    if result.get("phantom"):
        rows.append(("Phantom", PHANTOM))
    rows += [
        ("Outcome", str(result["sentence"])),
        ("Model", str(provenance.get("model", ""))),
        ("Bundle digest", str(provenance.get("bundle_digest", ""))),
        ("Snapshot", str(provenance.get("snapshot") or "shipped with the software")),
        ("Scored at", str(provenance.get("scored_at", ""))),
        ("SHA-256 of the file", str(provenance.get("file_sha256", ""))),
        ("Limits", str(result["disclaimer"])),
        *(("Independence", one) for one in (result.get("independence") or {}).get("sentences", ())),
    ]
    told = methods_sentences(result, provenance, scale, corrected_frames=corrected_frames)
    rows.append(("For the methods section", " ".join(told)))
    rows += [
        ("Sheet Summary", "Means over the recording with 95 % measurement intervals."),
        ("Sheet Course", "The same for equal stretches of time."),
        ("Sheet Not graded", "Stretches without grades, each with the reason."),
        ("Sheet Frames", "One row per frame: grades 0 to 2, empty where a unit was not scored."),
    ]
    if corrected_frames:
        rows.append(("Sheet Corrections", "What a person said; columns “by hand” in Frames too."))
    for name, text in rows:
        sheet.append([_bold(sheet, name), _wrapped(sheet, text)])


def _summary(result: Mapping[str, Any], scale: Scale) -> Iterable[Sequence[Any]]:
    yield ["image score (0-2)", result["score"], *_ends(result.get("score_interval")), None]
    ungated = result.get("score_ungated_interval")
    yield ["image score, no state left out", result["score_ungated"], *_ends(ungated), None]
    total = sum_of_result(result, scale)
    yield [f"sum of units (0-{top_of_sum(scale)})", total, None, None, None]
    for unit in scale.units:
        found = result["units"].get(unit.key, {})
        low, high = _ends(found.get("interval"))
        yield [unit.title, found.get("mean"), low, high, found.get("n", 0)]
    yield ["share of frames graded", result["coverage"], None, None, result["frames"]]
    frames = max(result["frames"], 1)
    for key, count in result["states"].items():
        yield [f"share in state: {key}", count / frames, None, None, count]
    for key, count in result["not_scorable"].items():
        yield [f"share not graded: {key}", count / frames, None, None, count]


def _course_head(scale: Scale) -> list[str]:
    head = ["from_s", "to_s", "score", "low", "high", "ungated", "graded_frames", "frames", "sum"]
    return [*head, *(f"{unit}{end}" for unit in scale.unit_keys for end in ("", "_low", "_high"))]


def _course(result: Mapping[str, Any], scale: Scale) -> Iterable[Sequence[Any]]:
    for one in result["bins"]:
        spans = one.get("unit_intervals") or {}
        row = [one["t0"], one["t1"], one["score"], *_ends(one.get("interval"))]
        row += [one.get("ungated"), one["n_graded"], one["n"], sum_of_units(one["units"], scale)]
        for unit in scale.unit_keys:
            row += [one["units"].get(unit), *_ends(spans.get(unit))]
        yield row


def _frame_head(scale: Scale) -> list[str]:
    head = ["frame", "pts", "time_s", "state", "reason", "image_score", "sum"]
    units = (
        f"{unit}{end}"
        for unit in scale.unit_keys
        for end in ("", "_reason", "_confidence", "_by_hand", "_by_hand_reason")
    )
    return [*head, *units, "model", "phantom", "limits"]


def _frames(
    predictions: Iterable[Prediction],
    scale: Scale,
    corrections: Corrections,
    origin: list[str],
    progress: Progress | None,
) -> Iterable[Sequence[Any]]:
    for count, one in enumerate(predictions, start=1):
        if count > MOST_ROWS:
            return
        by_unit = {grade.unit: grade for grade in one.grades}
        grades = {
            key: None if grade.grade is None else float(grade.grade)
            for key, grade in by_unit.items()
        }
        row: list[Any] = [one.index if one.index >= 0 else None, one.key.pts, one.time_s]
        row += [one.state, one.reason, one.image_score, sum_of_units(grades, scale)]
        said = corrections.get(one.key.pts, {})
        for unit in scale.unit_keys:
            grade, by_hand = by_unit.get(unit), said.get(unit)
            known = grade is not None and grade.grade is not None
            row += [
                grade.grade if grade is not None else None,
                None if known else (grade.reason if grade is not None else one.reason),
                max(grade.probabilities) if known and grade is not None else None,
                by_hand.grade if by_hand is not None else None,
                by_hand.reason if by_hand is not None else None,
            ]
        yield [*row, *origin]
        if progress is not None and count % TOLD_EVERY == 0:
            progress(count)


def _table(book: Workbook, title: str, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    sheet.oddFooter.left.text = LIMITS
    for place, name in enumerate(head, start=1):
        width = 34 if place == 1 and title == "Summary" else max(9, min(len(name) + 2, 30))
        sheet.column_dimensions[get_column_letter(place)].width = width
    sheet.append([_bold(sheet, name) for name in head])
    for row in rows:
        sheet.append(list(row))


def _bold(sheet: Any, text: str) -> Any:
    cell = _cell(sheet, text)
    cell.font = Font(bold=True)
    cell.alignment = Alignment(vertical="top")
    return cell


def _wrapped(sheet: Any, text: str) -> Any:
    cell = _cell(sheet, text)
    cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _cell(sheet: Any, text: str) -> Any:
    from openpyxl.cell import WriteOnlyCell

    cell = WriteOnlyCell(sheet, value=text)
    # A file name may begin with "=": it is words, not a formula.
    cell.data_type = "s"
    return cell


def _ends(interval: Sequence[float] | None) -> tuple[float | None, float | None]:
    return (interval[0], interval[1]) if interval else (None, None)

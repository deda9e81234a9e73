"""One score per observation: an animal at a time point, the mean or sum of some ten pictures.

A kind of its own, for validation and agreement: it has no links to frames and never gets any.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from curation.labels.cells import OTHER_SCALE_SHARE, BadCell, CellReader, to_number
from curation.labels.columns import Columns, recognise_columns
from curation.labels.conversion import conversion, score_choices
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.reading import SheetReading
from curation.labels.rows import Labels, ObservationScore
from curation.labels.sheet import Sheet
from curation.labels.source import Source
from models.scale import Scale

KEY, TITLE = "observations", "One score per animal and time point"


@dataclass(frozen=True)
class _Measured:
    """A column of scores: `unit` None for all units, `measure` the role of its header."""

    position: int
    unit: str | None
    rater: str
    measure: str


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether scores belong to animals, or to files that have no unit columns."""
    if not source.is_table:
        return None
    sheet = source.sheet(mapping.worksheet)
    columns = recognise_columns(sheet, mapping, source.scale)
    measured = _measured(columns)
    by_animal = "animal" in columns.roles and not columns.roles.keys() & {"file", "frame"}
    by_file = "file" in columns.roles and not columns.units and "frame" not in columns.roles
    if not measured or "unit" in columns.roles or not (by_animal or by_file):
        return None
    recognised = list(columns.described(sheet, source.scale))
    return Guess(
        KEY,
        TITLE,
        0.75 if by_animal else 0.5,
        dataclasses.replace(mapping, format=KEY, columns=columns.told(sheet)),
        tuple(recognised),
        _questions(sheet, mapping, source.scale, measured),
    )


def read(source: Source, mapping: Mapping) -> Labels:
    """Read scores of observations, on the scale that was confirmed."""
    sheet = source.sheet(mapping.worksheet)
    scale = source.scale
    columns = recognise_columns(sheet, mapping, scale)
    reading = SheetReading(sheet, mapping, scale, columns)
    top = max(unit.top_grade for unit in scale.units)
    rule = conversion(mapping.conversion or f"0-{top}:share", top)
    if rule.cuts:
        reading.problem(
            f"{rule.rule} gives grades, but scores of observations are no grades; they were read "
            "as shares of the range."
        )
    reader = _reader(sheet, mapping, scale)
    found: list[ObservationScore] = []
    seen: set[tuple[str, ...]] = set()
    for number, cells in reading.whole_rows():
        animal = reading.text(cells, "animal")
        file = reading.text(cells, "file").replace("\\", "/")
        when = reading.text(cells, "observation") or reading.text(cells, "time_s")
        if not animal and not reading.place(file, number):
            continue
        pictures = _pictures(reading, cells, number)
        for one in _measured(columns):
            text = cells[one.position] if one.position < len(cells) else ""
            rater = reading.text(cells, "rater") or one.rater or mapping.rater
            key = (animal, when, file, rater, one.unit or "")
            if key in seen:
                reading.problem(
                    "This observation has a score in an earlier row already; the first was kept.",
                    number,
                    sheet.header[one.position],
                )
                continue
            try:
                kind, score = _score(reader, text, top)
            except BadCell as bad:
                reading.problem(str(bad), number, sheet.header[one.position])
                continue
            seen.add(key)
            found.append(
                ObservationScore(animal, when, file, rater, one.unit, score, kind, pictures, number)
            )
    return reading.labels(KEY, observations=tuple(found), skipped=sheet.skipped)


def _reader(sheet: Sheet, mapping: Mapping, scale: Scale) -> CellReader:
    top = max(unit.top_grade for unit in scale.units)
    rule = mapping.conversion or f"0-{top}:share"
    return CellReader(scale, dataclasses.replace(mapping, conversion=rule), sheet.decimal_comma)


def _measured(columns: Columns) -> list[_Measured]:
    found = [
        _Measured(at, unit, rater, "mean") for at, (unit, rater) in sorted(columns.units.items())
    ]
    # One measure of the whole face: the mean where there is one, since a sum depends on the units.
    for role in ("mean", "sum", "grade"):
        if role in columns.roles:
            return [*found, _Measured(columns.roles[role], None, "", role)]
    raters = [(at, kind, rater) for at, (kind, rater) in columns.totals.items() if rater]
    kinds = {kind for _, kind, _ in raters}
    chosen = "mean" if "mean" in kinds else "sum"
    return found + [_Measured(at, None, who, kind) for at, kind, who in raters if kind == chosen]


def _questions(
    sheet: Sheet, mapping: Mapping, scale: Scale, measured: list[_Measured]
) -> tuple[Question, ...]:
    top = max(unit.top_grade for unit in scale.units)
    reader = _reader(sheet, mapping, scale)
    texts = [
        cells[one.position]
        for _, cells in sheet.rows
        for one in measured
        if one.position < len(cells)
    ]
    rule = conversion(reader.mapping.conversion, top)
    outside = [
        text
        for text in texts
        if reader.coded(text)[0] is None
        and (number := reader.number(text)) is not None
        and rule.share(number, top) is None
    ]
    few = len(outside) <= max(1, OTHER_SCALE_SHARE * len(texts))
    if mapping.conversion and few:
        return ()
    # Nine may be the code of "not scorable", or a sum.
    numbers = (to_number(text.removesuffix("%"), sheet.decimal_comma) for text in texts)
    highest = max((number for number in numbers if number is not None), default=0.0)
    is_mean = few and all(one.measure == "mean" for one in measured)
    return (
        Question(
            "conversion",
            f"{sheet.name} does not say what its scores are: means over units, sums (of how many "
            f"units) or percent. The highest is {highest:g}; confirm one.",
            score_choices(highest, top, len(scale.units)),
            blocking=not is_mean,
        ),
    )


def _score(reader: CellReader, text: str, top: int) -> tuple[str, float | None]:
    meaning, word = reader.coded(text)
    if word in reader.scale.reason_keys:
        meaning = "not_scorable"
    if meaning is not None:
        return meaning, None
    number = reader.number(word)
    rule = conversion(reader.mapping.conversion, top)
    share = None if number is None else rule.share(number, top)
    if share is None:
        raise BadCell(
            f"“{text[:40]}” is not possible; scores are {rule.low:g} to {rule.high:g}. Correct the "
            "cell."
        )
    return "graded", share


def _pictures(reading: SheetReading, cells: tuple[str, ...], number: int) -> int | None:
    text = reading.text(cells, "pictures")
    if not text:
        return None
    count = reading.cells.number(text)
    if count is not None and count.is_integer() and 0 < count < 10**6:
        return int(count)
    reading.problem(
        f"“{text[:40]}” is no number of pictures.",
        number,
        reading.sheet.header[reading.columns.roles["pictures"]],
    )
    return None


FORMAT = Format(KEY, TITLE, recognises, read)

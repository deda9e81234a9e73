"""What holds for a whole dataset as a worksheet: one field per row, its value beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from amgs.core.errors import Refused
from amgs.repository.models import Version
from amgs.web import design_table
from curation.metadata import BY_KEY, Field, asked_at, is_empty, validate
from curation.problems import Problem

TITLE = "Dataset"
FIELD, VALUE = "field", "value"
COLUMNS = (FIELD, VALUE, "what it is", "unit", "terms")
YES_NO = ("yes", "no")
TEXTS = {
    "title": "Title of the dataset.",
    "description": "What was done to whom and why, as in the abstract of a methods section.",
    "ethics": "Number of the ethics approval, and who gave it.",
    "funder": "Who paid for it.",
}
"""Fields of a version that are no metadata, with what they are."""


def fields() -> tuple[Field, ...]:
    """Return the metadata fields that stand in the sheet; others may be added as rows."""
    return asked_at("describe")


def choices(field: Field) -> tuple[str, ...]:
    """Return the values that a field takes and no other; none: any."""
    if field.kind == "boolean":
        return YES_NO
    return () if field.open else field.term_keys


def rows(version: Version) -> list[tuple[str, ...]]:
    """Return the rows of the sheet, filled with what a version says."""
    found = [(key, str(getattr(version, key)), what, "", "") for key, what in TEXTS.items()]
    own = {field.key for field in fields()}
    added = [
        BY_KEY[key] for key in version.metadata if key in BY_KEY and key not in own | _elsewhere()
    ]
    for field in (*fields(), *added):
        what = f"{field.title}. {field.help}{' Needed to submit.' * field.required_to_submit}"
        terms = ", ".join(YES_NO if field.kind == "boolean" else field.term_keys)
        found.append((field.key, _text(version.metadata.get(field.key)), what, field.unit, terms))
    return found


def changes(
    version: Version, pages: Sequence[Sequence[str]]
) -> tuple[dict[str, Any], list[Problem]]:
    """Return what a filled sheet changes, for ``update_version``, and what is wrong with it.

    A field that the sheet does not hold stays as it is; one without a value becomes empty. Raises
    ``Refused`` where the sheet has no columns of this name.
    """
    told: dict[str, Any] = {}
    metadata = dict(version.metadata)
    problems: list[Problem] = []
    named: set[str] = set()
    for row, key, text in _read(pages):
        if key in named:
            problems.append(_fault(row, FIELD, f"“{key}” is named twice; every field stands once."))
        named.add(key)
        if key in TEXTS:
            told[key] = text
        elif key in BY_KEY and key not in _elsewhere():
            metadata.pop(key, None)
            if text:
                metadata[key] = _value(BY_KEY[key], text)
                problems += _at(row, validate("dataset", {key: metadata[key]}))
        elif key in _elsewhere():
            problems.append(
                _fault(row, FIELD, f"“{key}” is asked on the page on which you submit.")
            )
        else:
            problems.append(_fault(row, FIELD, f"There is no field “{key}”."))
    if not told.get("title", "a title"):
        problems.append(Problem("The title is missing.", TITLE))
    return told | ({"metadata": metadata} if metadata != version.metadata else {}), problems


def _read(pages: Sequence[Sequence[str]]) -> Iterable[tuple[int, str, str]]:
    """Yield (row, field, value) of the rows that name a field."""
    head = [cell.strip().lower() for cell in pages[0]] if pages else []
    if FIELD not in head or VALUE not in head:
        raise Refused(
            f"The worksheet “{TITLE}” needs the columns “{FIELD}” and “{VALUE}”.", field="book"
        )
    places = head.index(FIELD), head.index(VALUE)
    for number, cells in enumerate(pages[1:], 2):
        key, text = (_cell(cells, at).strip() for at in places)
        if key:
            yield number, key, text


def _cell(cells: Sequence[str], at: int) -> str:
    return cells[at].removeprefix("'") if at < len(cells) else ""


def _elsewhere() -> set[str]:
    return {field.key for field in asked_at("submit")}


def _value(field: Field, text: str) -> Any:
    if field.kind == "boolean" and text.lower() in YES_NO:
        return text.lower() == "yes"
    return design_table.value(field.key, text)


def _text(value: Any) -> str:
    if is_empty(value):
        return ""
    if isinstance(value, bool):
        return YES_NO[not value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def _at(row: int, found: Iterable[Problem]) -> list[Problem]:
    return [_fault(row, VALUE, problem.sentence) for problem in found]


def _fault(row: int, column: str, sentence: str) -> Problem:
    return Problem(sentence, TITLE, row, column)

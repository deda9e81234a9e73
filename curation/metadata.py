"""The typed metadata fields, and what is wrong with or missing from the values of a lab."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from curation.problems import Problem
from models.scale import load_scale

Level = Literal["dataset", "group", "cage", "animal", "observation", "recording"]
Kind = Literal["text", "choice", "number", "date", "boolean"]
Asked = Literal["describe", "submit"]

LEVELS: tuple[Level, ...] = ("dataset", "group", "cage", "animal", "observation", "recording")
"""From the highest to the lowest; a value given higher up is inherited below."""


@dataclass(frozen=True)
class Field:
    """One metadata field as the form, the template and the API show it."""

    key: str
    title: str
    level: Level
    kind: Kind
    terms: tuple[tuple[str, str], ...]
    """Controlled terms of a choice: (key, title)."""
    unit: str
    required_to_submit: bool
    help: str
    open: bool = False
    """Whether a choice also takes words of the lab's own."""
    minimum: float | None = None
    maximum: float | None = None
    asked: Asked = "describe"
    """At which step of contributing the pages ask for a field of the dataset."""

    @property
    def term_keys(self) -> tuple[str, ...]:
        """The keys of the controlled terms."""
        return tuple(key for key, _ in self.terms)


def _load() -> tuple[Field, ...]:
    text = Path(__file__).with_name("terms.toml").read_text(encoding="utf-8")
    fields = []
    for key, row in tomllib.loads(text).items():
        terms = tuple(row.get("terms", {}).items())
        if row.get("terms_from") == "scale.coats":
            terms = tuple((coat.key, coat.title) for coat in load_scale().coats)
        fields.append(
            Field(
                key=key,
                title=row["title"],
                level=row["level"],
                kind=row["kind"],
                terms=terms,
                unit=row.get("unit", ""),
                required_to_submit=row.get("required", False),
                help=row["help"],
                open=row.get("open", False),
                minimum=row.get("minimum"),
                maximum=row.get("maximum"),
                asked=row.get("asked", "describe"),
            )
        )
    return tuple(fields)


FIELDS: tuple[Field, ...] = _load()
BY_KEY: dict[str, Field] = {row.key: row for row in FIELDS}


def fields_at(level: str) -> tuple[Field, ...]:
    """Return the fields whose usual level this is, in the order of the form."""
    return tuple(row for row in FIELDS if row.level == level)


def asked_at(step: Asked) -> tuple[Field, ...]:
    """Return the fields of the dataset that the pages ask for at a step."""
    return tuple(row for row in fields_at("dataset") if row.asked == step)


def validate(level: str, values: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the values given at a level; empty values are never wrong.

    A field may be given at its own level or any higher one. What is *missing* is a question of its
    own (:func:`missing`), because a draft may be saved half filled.
    """
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        return [Problem(f"There is no level called {level}; use one of {known}.", field=level)]
    return [
        problem
        for key, value in values.items()
        if (problem := _judge(LEVELS.index(level), str(key), value)) is not None
    ]


def missing(level: str, values: Mapping[str, Any]) -> list[Problem]:
    """Return one problem per required field of this level that has no value.

    `values` are the values as inherited: merge those of higher levels first.
    """
    return [
        Problem(f"{row.title} is missing; fill it in to submit.", field=row.key)
        for row in fields_at(level)
        if row.required_to_submit and is_empty(values.get(row.key))
    ]


def completeness(
    values_by_level: Mapping[str, Mapping[str, Any] | Sequence[Mapping[str, Any]]],
) -> float:
    """Return the share (0–1) of fields that have a value.

    A level maps to the values of its one item or to a list of the values of its items; a field
    counts by the share of items that have it. A value given at a higher level counts for all.
    """
    shares = []
    given: list[tuple[Level, tuple[Mapping[str, Any], ...]]] = [
        (level, _items(values_by_level.get(level, ()))) for level in LEVELS
    ]
    for row in FIELDS:
        share = 0.0
        for level, items in given[: LEVELS.index(row.level) + 1]:
            if level != row.level and len(items) > 1 and level != "dataset":
                # A group's value reaches only its own animals, and who is whose is not known here.
                filled = all(not is_empty(item.get(row.key)) for item in items)
                share = max(share, float(filled))
            elif items:
                filled_items = sum(not is_empty(item.get(row.key)) for item in items)
                share = max(share, filled_items / len(items))
        shares.append(share)
    return sum(shares) / len(shares)


def is_empty(value: Any) -> bool:
    """Whether a value counts as not given."""
    return value is None or (isinstance(value, str) and not value.strip())


def _items(
    values: Mapping[str, Any] | Iterable[Mapping[str, Any]],
) -> tuple[Mapping[str, Any], ...]:
    return (values,) if isinstance(values, Mapping) else tuple(values)


def _judge(depth: int, key: str, value: Any) -> Problem | None:
    row = BY_KEY.get(key)
    if row is None:
        return Problem(f"There is no field called {key}; leave it out or rename it.", field=key)
    if depth > LEVELS.index(row.level):
        sentence = (
            f"{row.title} belongs to the {row.level} and cannot be given per {LEVELS[depth]}."
        )
        return Problem(sentence, field=key)
    if is_empty(value):
        return None
    sentence = _KINDS[row.kind](row, value)
    return Problem(sentence, field=key) if sentence else None


def _judge_text(row: Field, value: Any) -> str:
    if not isinstance(value, str):
        return f"{row.title} must be text."
    return "" if len(value) <= 4000 else f"{row.title} is longer than 4,000 characters."


def _judge_choice(row: Field, value: Any) -> str:
    if isinstance(value, str) and (value in row.term_keys or (row.open and len(value) <= 200)):
        return ""
    choices = ", ".join(row.term_keys)
    return f"{row.title} does not know “{value}”; choose one of {choices}."


def _judge_number(row: Field, value: Any) -> str:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    unit = f" {row.unit}" if row.unit else ""
    if not math.isfinite(number):
        return f"{row.title} must be a number{' of' + unit if unit else ''}, not “{value}”."
    if row.minimum is not None and number < row.minimum:
        return f"{row.title} cannot be {number:g}{unit}; the least is {row.minimum:g}{unit}."
    if row.maximum is not None and number > row.maximum:
        return f"{row.title} cannot be {number:g}{unit}; the most is {row.maximum:g}{unit}."
    return ""


def _judge_date(row: Field, value: Any) -> str:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        return f"{row.title} must be a day written as 2026-01-31, not “{value}”."
    return ""


def _judge_boolean(row: Field, value: Any) -> str:
    return "" if isinstance(value, bool) else f"{row.title} must be yes or no."


_KINDS = {
    "text": _judge_text,
    "choice": _judge_choice,
    "number": _judge_number,
    "date": _judge_date,
    "boolean": _judge_boolean,
}

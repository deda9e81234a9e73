"""What an investigator confirms about a file before it is read, and what a format asks for."""

from __future__ import annotations

import collections.abc
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from curation.labels.rows import Labels, UnknownFormat

if TYPE_CHECKING:
    from curation.labels.source import Source


@dataclass(frozen=True)
class Mapping:
    """What the investigator confirmed about a file; plain values, so that it can be stored."""

    columns: collections.abc.Mapping[str, str] = field(default_factory=dict)
    """Header → a role of `words.toml`, `ignore`, a unit key, or a unit key and a rater as
    `unit@rater`."""
    cells: collections.abc.Mapping[str, str] = field(default_factory=dict)
    """Cell text → a grade, or `not_scorable`, `not_assigned`, `missing`."""
    format: str = ""
    """Key of the format; empty: the one that recognises the file best."""
    conversion: str = ""
    """The rule from another scale, e.g. `0-9:nearest` (see `conversion.py`)."""
    frames_from: int = 0
    """Whether the file counts frames from 0 or from 1."""
    rater: str = ""
    """Who rated, in a file that names nobody."""
    file: str = ""
    """The picture or recording, in a file that names none."""
    boxes: str = ""
    """What four numbers of a box are: `size` (left, top, width, height) or `corners`."""
    names: str = ""
    """What file names say, e.g. `{animal}_{day}` (see `names.py`)."""
    worksheet: str = ""
    """Which sheet of an Excel file; empty: the first that is not empty."""

    def to_json(self) -> dict[str, Any]:
        """Return the mapping as plain values, without what is left at its default."""
        return {
            row.name: dict(value) if isinstance(value, collections.abc.Mapping) else value
            for row in dataclasses.fields(self)
            if (value := getattr(self, row.name))
        }

    @classmethod
    def from_json(cls, data: Any) -> Mapping:
        """Rebuild a mapping from :meth:`to_json`; raises `UnknownFormat` naming what is wrong."""
        if not isinstance(data, dict):
            raise UnknownFormat("The mapping is no JSON object; confirm the columns again.")
        known = {row.name for row in dataclasses.fields(cls)}
        for key, value in data.items():
            if key not in known:
                raise UnknownFormat(f"A mapping has no “{key}”; it has {', '.join(sorted(known))}.")
            if key in ("columns", "cells"):
                good = isinstance(value, dict) and all(
                    isinstance(text, str) for pair in value.items() for text in pair
                )
            elif key == "frames_from":
                good = value in (0, 1) and not isinstance(value, bool)
            else:
                good = isinstance(value, str)
            if not good:
                raise UnknownFormat(f"“{key}” of the mapping is no value it can have.")
        return cls(**data)


@dataclass(frozen=True)
class Question:
    """What must (`blocking`) or may be confirmed: a field of `Mapping` and the choices it has."""

    field: str
    sentence: str
    choices: tuple[tuple[str, str], ...] = ()
    """(value of the field, what it means)."""
    blocking: bool = True


@dataclass(frozen=True)
class Guess:
    """What a format makes of a file before anybody confirmed anything.

    `certainty` is 0..1 and only ranks formats; `mapping` is what would be read if confirmed as it
    is; `recognised` pairs what the file calls something with what it was taken for.
    """

    format: str
    title: str
    certainty: float
    mapping: Mapping
    recognised: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...] = ()

    @property
    def open_questions(self) -> tuple[Question, ...]:
        """The questions without whose answer nothing is read."""
        return tuple(question for question in self.questions if question.blocking)


@dataclass(frozen=True)
class Format:
    """One kind of label file; what a plug-in of the entry-point group `amgs.labels` provides.

    `recognises` returns None for a file of another kind and may raise `UnknownFormat`; `read` is
    called only with files that it recognised and whose blocking questions are answered.
    """

    key: str
    title: str
    recognises: Callable[[Source, Mapping], Guess | None]
    read: Callable[[Source, Mapping], Labels]

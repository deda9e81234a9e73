"""What a score sheet becomes: rows, problems and the mapping an investigator confirms."""

from __future__ import annotations

import collections.abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from curation.problems import Problem

if TYPE_CHECKING:
    from curation.labels.sheet import Sheet


class UnknownFormat(Exception):
    """A file that no reader knows, or that uses another scale; `sentence` says what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One cell of a sheet: what one rater said of one unit in one frame.

    Graded: `grade` is set. Not scorable: `reason` is set. Not assigned to this rater: `assigned` is
    False. Missing (not yet rated): none of the three. `frame` counts from 0 in presentation order.
    """

    file: str
    frame: int | None
    time_s: float | None
    rater: str
    unit: str
    grade: int | None
    reason: str | None
    assigned: bool
    row: int

    @property
    def is_vote(self) -> bool:
        """Whether the rater said anything: a grade, or that the unit is not scorable."""
        return self.grade is not None or self.reason is not None


@dataclass(frozen=True)
class Labels:
    """A score sheet as rows; `problems` block nothing but the cells they name."""

    format: str
    rows: tuple[LabelRow, ...]
    problems: tuple[Problem, ...]

    @property
    def raters(self) -> tuple[str, ...]:
        """The raters in the order in which the sheet names them."""
        return tuple(dict.fromkeys(row.rater for row in self.rows))

    @property
    def votes(self) -> tuple[LabelRow, ...]:
        """The rows in which a rater said anything."""
        return tuple(row for row in self.rows if row.is_vote)


@dataclass(frozen=True)
class Mapping:
    """What the investigator confirmed about a sheet; plain values, so that it can be stored."""

    columns: collections.abc.Mapping[str, str] = field(default_factory=dict)
    """Header → `file`, `frame`, `time_s`, `rater`, `unit`, `grade`, `reason`, `rejected`, `ignore`,
    a unit key, or a unit key and a rater as `unit@rater`."""
    cells: collections.abc.Mapping[str, str] = field(default_factory=dict)
    """Cell text → a grade, or `not_scorable`, `not_assigned`, `missing`."""


@dataclass(frozen=True)
class Format:
    """One kind of score sheet."""

    key: str
    title: str
    recognises: Callable[[Sheet, Mapping | None], bool]
    read: Callable[[Sheet, Mapping | None], Labels]

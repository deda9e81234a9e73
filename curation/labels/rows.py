"""What a label file becomes: rows of one kind or another, problems, and what was skipped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation.problems import Problem

if TYPE_CHECKING:
    from curation.labels.mapping import Question


class UnknownFormat(Exception):
    """A file that cannot be read as it is; `sentence` says what was seen and what to do.

    The one refusal of this package. `questions` holds what must be confirmed first, where that is
    all that is missing.
    """

    def __init__(self, sentence: str, questions: tuple[Question, ...] = ()) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.questions = questions


@dataclass(frozen=True, slots=True)
class LabelRow:
    """One cell of a sheet: what one rater said of one unit in one frame.

    Graded: `grade` is set. Not scorable: `reason` is set. Not assigned to this rater: `assigned` is
    False. Missing (not yet rated): none of the three. `frame` counts from 0 in presentation order,
    however the sheet counted; `confidence` (0..1) is a program's own.
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
    confidence: float | None = None

    @property
    def is_vote(self) -> bool:
        """Whether the rater said anything: a grade, or that the unit is not scorable."""
        return self.grade is not None or self.reason is not None

    @property
    def kind(self) -> str:
        """`graded`, `not_scorable`, `not_assigned` or `missing`."""
        if self.grade is not None:
            return "graded"
        if self.reason is not None:
            return "not_scorable"
        return "missing" if self.assigned else "not_assigned"


@dataclass(frozen=True, slots=True)
class ObservationScore:
    """One score of one animal at one time point, without links to frames.

    `score` is the mean over units (0 to the top grade; of `unit` alone where that is set), None
    where `kind` is not `graded`; `pictures` is how many pictures it is the mean of. For validation
    and agreement only: never to be spread over frames.
    """

    animal: str
    observation: str
    file: str
    rater: str
    unit: str | None
    score: float | None
    kind: str
    pictures: int | None
    row: int


@dataclass(frozen=True, eq=False)
class Landmarks:
    """Points of one animal in n frames: `xy` (n, points, 2) in pixels, NaN where none was set.

    `files` and `frames` say where each of the n rows is (`frame` None for a picture); `likelihood`
    (n, points) is a program's own, NaN without one; `by_program` tells its points from a person's.
    """

    animal: str
    rater: str
    by_program: bool
    points: tuple[str, ...]
    files: tuple[str, ...]
    frames: tuple[int | None, ...]
    xy: NDArray[np.float64]
    likelihood: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FaceBox:
    """A face box in pixels of the picture: left, top, right, bottom."""

    file: str
    corners: tuple[float, float, float, float]
    row: int


@dataclass(frozen=True, slots=True)
class PictureClass:
    """A picture and the folder it lay in: a class of a whole picture, which is no grade."""

    file: str
    label: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or worksheet that was left out, and why."""

    file: str
    sentence: str


@dataclass(frozen=True)
class Labels:
    """A label file as rows; `problems` block nothing but the cells they name.

    `rows` are what people said. What a program said is in `program_rows`: the two never mix.
    """

    format: str
    rows: tuple[LabelRow, ...]
    problems: tuple[Problem, ...]
    program_rows: tuple[LabelRow, ...] = ()
    observations: tuple[ObservationScore, ...] = ()
    landmarks: tuple[Landmarks, ...] = ()
    boxes: tuple[FaceBox, ...] = ()
    classes: tuple[PictureClass, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    named: dict[str, dict[str, str]] = field(default_factory=dict)
    """File → what its name says, by the pattern that was confirmed."""
    notes: tuple[str, ...] = ()
    """The rules by which the file was read, to be shown back."""

    @property
    def raters(self) -> tuple[str, ...]:
        """The raters in the order in which the sheet names them."""
        return tuple(dict.fromkeys(row.rater for row in self.rows))

    @property
    def votes(self) -> tuple[LabelRow, ...]:
        """The rows in which a rater said anything."""
        return tuple(row for row in self.rows if row.is_vote)

    @property
    def files(self) -> tuple[str, ...]:
        """The pictures and recordings named, in the order of the file."""
        found: list[str] = []
        for rows in (self.rows, self.program_rows, self.observations, self.boxes, self.classes):
            found += [row.file for row in rows]
        for table in self.landmarks:
            found += table.files
        return tuple(name for name in dict.fromkeys(found) if name)

    @property
    def counts(self) -> dict[str, int]:
        """How much there is of each kind, in the order in which it is shown; no zeros."""
        kinds: Counter[str] = Counter(row.kind for row in self.rows)
        found: dict[str, Any] = {
            kind: kinds[kind] for kind in ("graded", "not_scorable", "not_assigned", "missing")
        }
        found["of a program"] = len(self.program_rows)
        found["observations"] = len(self.observations)
        found["frames with landmarks"] = sum(len(one.frames) for one in self.landmarks)
        found["boxes"] = len(self.boxes)
        found["pictures in folders"] = len(self.classes)
        return {kind: number for kind, number in found.items() if number}

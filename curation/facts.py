"""Everything that the checks may see of a dataset version, as plain values.

The platform gathers these facts once and stores them with the decision they led to, so that a
screening can be repeated from the stored facts alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from curation.problems import Problem
from models import records


@dataclass(frozen=True)
class GroupFacts:
    """A treatment group; `treatment` holds group-level metadata fields."""

    name: str
    treatment: dict[str, Any] = field(default_factory=dict)
    id: str = ""


@dataclass(frozen=True)
class AnimalFacts:
    """One animal; `labs` are the labs in which it is known, as far as its own lab may know."""

    id: str
    name: str
    group: str
    cage: str
    sex: str
    coat: str
    strain: str
    age_weeks: float | None
    labs: tuple[str, ...] = ()
    split: str = ""
    """Where earlier training placed the animal: it may not come to another side."""


@dataclass(frozen=True)
class ObservationFacts:
    """One animal at one time point; `animal` is the id of the animal."""

    id: str
    animal: str
    name: str
    hours_after_procedure: float | None


@dataclass(frozen=True)
class TwinFacts:
    """A recording elsewhere that is the same or looks the same.

    `known` says whether the lab may know of it; of what it may not know only curators read.
    `distance` and `motion` are those of `models.media.likeness.Match`, 0 for the same bytes.
    """

    version: str
    lab: str
    recording: str
    file: str
    known: bool
    same_bytes: bool
    distance: float
    motion: float | None
    mirrored: bool = False
    shift_s: float = 0.0
    animal: str = ""
    split: str = ""
    """Where earlier training placed the animal of the other recording."""

    @property
    def dataset(self) -> str:
        """The dataset of the version that holds it."""
        return self.version.partition("/")[0]


@dataclass(frozen=True)
class RaterUnit:
    """How often a rater of a sheet gave each grade of a unit; `counts` go by grade, from 0."""

    rater: str
    unit: str
    counts: tuple[int, ...]
    not_scorable: int = 0


@dataclass(frozen=True)
class RecordingFacts:
    """One video or still set; `observation` is an id or empty, `media` holds MediaFacts."""

    id: str
    file: str
    observation: str
    sha256: str
    status: Literal["ready", "unreadable", "pending"]
    problem: str
    media: dict[str, Any] | None
    frames: int
    twins: tuple[TwinFacts, ...] = ()
    """The same or alike recordings of other datasets, and alike ones of this version."""
    compared: bool = False
    """Whether it was compared with the others; one of before that was done was not."""


@dataclass(frozen=True)
class LabelFacts:
    """What came of reading one score sheet."""

    file: str
    rows: int
    raters: tuple[str, ...]
    problems: tuple[Problem, ...]
    frames_matched: int
    frames_unmatched: int
    observations_matched: int = 0
    """Of scores of observations, which name no frames."""
    declared: dict[str, str] | None = None
    """How the scores came about (`curation.labels.Declaration`); None where nobody was asked."""
    conversion: str = ""
    """The rule by which grades of another scale were read; empty: the scale's own."""
    spread: tuple[RaterUnit, ...] | None = None
    """What every rater gave; None in facts of before it was counted."""


@dataclass(frozen=True)
class VersionFacts:
    """All that checks may see of one dataset version."""

    version: str
    lab: str
    phantom: bool
    licence: str
    permissions: dict[str, bool]
    ethics: str
    metadata: dict[str, Any]
    groups: tuple[GroupFacts, ...]
    animals: tuple[AnimalFacts, ...]
    observations: tuple[ObservationFacts, ...]
    recordings: tuple[RecordingFacts, ...]
    labels: tuple[LabelFacts, ...]
    has_grades: bool

    def to_json(self) -> dict[str, Any]:
        """Return the facts as dictionaries, tuples and plain values; `json.dumps` takes them."""
        return records.to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> VersionFacts:
        """Rebuild the facts from :meth:`to_json` or its JSON text; equal to the original."""
        return records.from_json(cls, dict(data))

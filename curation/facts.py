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
    """One animal; `labs` are all labs in which an animal of this identity is known."""

    id: str
    name: str
    group: str
    cage: str
    sex: str
    coat: str
    strain: str
    age_weeks: float | None
    labs: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObservationFacts:
    """One animal at one time point; `animal` is the id of the animal."""

    id: str
    animal: str
    name: str
    hours_after_procedure: float | None


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
    elsewhere: tuple[str, ...] = ()
    """Other dataset versions that hold the same bytes."""


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

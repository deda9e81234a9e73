"""The rows of a study's table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StudyRow:
    """One recording of a study, scored already.

    name         what the recording is called in tables
    animal       the animal it shows
    cage         its cage, '' where it is not known
    group        the group its experimental unit was assigned to
    time_h       hours since the procedure; 0 and below are baseline
    dose         what was given, '' for nothing; told, never computed with
    result       file `{"result": …, "provenance": …}` as the scorer writes it
    predictions  predictions.parquet of the same score, or None
    excluded     why the row is left out, a sentence; '' where it is not
    human_score  the lab's own score of this observation (0..2), or None
    """

    name: str
    animal: str
    cage: str
    group: str
    time_h: float
    dose: str
    result: str | Path
    predictions: str | Path | None = None
    excluded: str = ""
    human_score: float | None = None

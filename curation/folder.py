"""A lab's folder on disk as VersionFacts, so that it can be checked before anything is uploaded.

The folder holds `dataset.json`, the recordings it lists and score sheets (`*.csv`, `*.tsv`,
`*.xlsx` beside it).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from curation.facts import (
    AnimalFacts,
    GroupFacts,
    LabelFacts,
    ObservationFacts,
    RaterUnit,
    RecordingFacts,
    VersionFacts,
)
from curation.labels import LabelRow, UnknownFormat, read
from curation.problems import Problem
from models.media import Unreadable, probe
from models.records import to_json
from models.scale import load_scale

DESCRIPTION = "dataset.json"
KEPT_AT_HOME = ("truth.csv", "evaluation.csv", "oracle.csv")
"""What the phantom really did, and what only an evaluation may see: no score sheets."""
SHEETS = (".csv", ".tsv", ".xlsx")


class UnreadableFolder(Exception):
    """A folder without a description that can be read; the text is the sentence."""


def facts_of_folder(folder: Path) -> VersionFacts:
    """Gather the facts of a lab's folder; raises `UnreadableFolder`.

    Decodes every recording once. Animals and observations are named, so their names are their ids.
    """
    told = _description(folder)
    try:
        return _facts(folder, told)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableFolder(
            f"{folder.name}/{DESCRIPTION} is not laid out as expected ({error}); compare it with "
            "the one of a phantom study."
        ) from None


def _description(folder: Path) -> Mapping[str, Any]:
    path = folder / DESCRIPTION
    if not path.is_file():
        raise UnreadableFolder(
            f"{folder.name} holds no {DESCRIPTION}; name the folder of one lab, not of a study."
        )
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise UnreadableFolder(f"{folder.name}/{DESCRIPTION} is not valid JSON; write it again.")
    return told


def _facts(folder: Path, told: Mapping[str, Any]) -> VersionFacts:
    recordings = tuple(_recording(folder, row) for row in told.get("recordings", ()))
    labels, has_grades = _labels(folder, recordings)
    return VersionFacts(
        version=folder.name,
        lab=str(told.get("lab", folder.name)),
        phantom=bool(told.get("phantom", False)),
        licence=str(told.get("licence", "")),
        permissions=dict(told.get("permissions", {})),
        ethics=str(told.get("ethics", "")),
        metadata=dict(told.get("metadata", {})),
        groups=tuple(
            GroupFacts(name=row["name"], treatment=dict(row.get("treatment", {})))
            for row in told.get("groups", ())
        ),
        animals=tuple(
            AnimalFacts(
                id=row["name"],
                name=row["name"],
                group=row.get("group", ""),
                cage=row.get("cage", ""),
                sex=row.get("sex", ""),
                coat=row.get("coat", ""),
                strain=row.get("strain", ""),
                age_weeks=row.get("age_weeks"),
            )
            for row in told.get("animals", ())
        ),
        observations=tuple(
            ObservationFacts(
                id=_observation(row["animal"], row["name"]),
                animal=row["animal"],
                name=row["name"],
                hours_after_procedure=row.get("hours_after_procedure"),
            )
            for row in told.get("observations", ())
        ),
        recordings=recordings,
        labels=labels,
        has_grades=has_grades,
    )


def _observation(animal: str, name: str) -> str:
    return f"{animal} {name}"


def _recording(folder: Path, row: Mapping[str, Any]) -> RecordingFacts:
    path = folder / row["file"]
    status, problem, media = "ready", "", None
    try:
        media = to_json(probe(path))
    except Unreadable as error:
        status, problem = "unreadable", error.sentence
    return RecordingFacts(
        id=row["file"],
        file=row["file"],
        observation=_observation(row.get("animal", ""), row.get("observation", "")),
        sha256=_sha256(path) if path.is_file() else "",
        status="ready" if status == "ready" else "unreadable",
        problem=problem,
        media=media,
        frames=int(media["frame_count"]) if media else 0,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _labels(
    folder: Path, recordings: Iterable[RecordingFacts]
) -> tuple[tuple[LabelFacts, ...], bool]:
    frames: dict[str, int] = {}
    for one in recordings:
        frames[one.file] = frames[one.file.rsplit("/", 1)[-1]] = one.frames
    facts = []
    has_grades = False
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SHEETS or path.name in KEPT_AT_HOME:
            continue
        if path.name.startswith("._"):  # written by macOS beside the real one
            continue
        try:
            labels = read(path)
        except UnknownFormat as error:
            problems = (Problem(error.sentence, file=path.name),)
            facts.append(LabelFacts(path.name, 0, (), problems, 0, 0))
            continue
        if not labels.rows and (labels.landmarks or labels.program_rows or labels.observations):
            continue  # no grades of frames by people
        named = {(row.file, row.frame or 0) for row in labels.votes}
        matched = {(file, frame) for file, frame in named if frame < frames.get(file, 0)}
        has_grades = has_grades or any(
            row.grade is not None and (row.file, row.frame or 0) in matched for row in labels.votes
        )
        facts.append(
            LabelFacts(
                file=path.name,
                rows=len({row.row for row in labels.rows}),
                raters=labels.raters,
                problems=labels.problems,
                frames_matched=len(matched),
                frames_unmatched=len(named) - len(matched),
                spread=_spread(labels.votes),
            )
        )
    return tuple(facts), has_grades


def _spread(votes: Iterable[LabelRow]) -> tuple[RaterUnit, ...]:
    """How often every rater gave each grade of every unit."""
    counted: dict[tuple[str, str], Counter[int | None]] = {}
    for row in votes:
        counted.setdefault((row.rater, row.unit), Counter())[row.grade] += 1
    least = {unit.key: len(unit.grades) for unit in load_scale().units}
    found = []
    for (rater, unit), counts in sorted(counted.items()):
        top = max([least.get(unit, 0), *(grade + 1 for grade in counts if grade is not None)])
        by_grade = tuple(counts[grade] for grade in range(top))
        found.append(RaterUnit(rater, unit, by_grade, counts[None]))
    return tuple(found)

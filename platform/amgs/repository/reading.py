"""From what a label file says to the rows it becomes here, none of them written yet."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amgs.core.jobs import Context
from amgs.files.storage import get_storage
from amgs.repository.models import (
    FaceBox,
    LabelImport,
    LandmarkSet,
    ObservationScore,
    PictureClass,
    ProgramScore,
    Rating,
    Recording,
)
from amgs.repository.places import Places
from amgs.repository.services.labels import declares
from curation.labels import LabelRow, Labels
from curation.problems import Problem

if TYPE_CHECKING:
    from curation.labels import Landmarks

MOST_PROBLEMS = 1000
FrameKeys = Mapping[tuple[int, int], int]
"""(recording, number) → frame."""


def place_all(labels: Labels, places: Places) -> None:
    """Find the place of every row, so that what cannot be found is known before rows are made."""
    for row in (*labels.rows, *labels.program_rows):
        places.frame(row.file, row.frame, row.time_s, row.row)
    for box in labels.boxes:
        places.frame(box.file, None, None, box.row)
    for one in labels.classes:
        places.frame(one.file, None, None, None)
    for table in labels.landmarks:
        for file, frame in zip(table.files, table.frames, strict=True):
            places.frame(file, frame, None, None)
    for score in labels.observations:
        animal, when = observed(labels, score.file, score.animal, score.observation)
        places.observation(animal, when, score.file, score.row)


def observed(labels: Labels, file: str, animal: str, when: str) -> tuple[str, str]:
    """Return animal and time point of a score; what the row leaves out may be in the file name."""
    named = labels.named.get(file, {})
    found = next((named[key] for key in ("observation", "timepoint", "day") if key in named), "")
    return animal or named.get("animal", ""), when or found


def numbers_to_keep(labels: Labels, places: Places) -> dict[Recording, set[int]]:
    """Return the frames by recording that need a row of their own, and so a still.

    Those that people graded, boxed or sorted. What programs said of a whole film names frames by
    number instead.
    """
    asked = [(row.file, row.frame, row.time_s) for row in labels.rows]
    asked += [(box.file, None, None) for box in labels.boxes]
    asked += [(one.file, None, None) for one in labels.classes]
    found: dict[Recording, set[int]] = {}
    for place in dict.fromkeys(asked):
        if place in places.frames:
            recording, number = places.frames[place]
            found.setdefault(recording, set()).add(number)
    return found


class Rows:
    """Makes the rows of one import; what comes twice is kept once and named as a problem."""

    def __init__(
        self, label_import: LabelImport, labels: Labels, places: Places, frames: FrameKeys
    ) -> None:
        self.label_import = label_import
        self.labels = labels
        self.places = places
        self.frames = frames
        self.problems: list[Problem] = []

    def all(self, context: Context) -> Iterator[Any]:
        """Yield every row, kind by kind; landmarks are put into storage on the way."""
        yield from self.ratings()
        yield from self.observation_scores()
        yield from self.program_scores()
        yield from self.boxes()
        yield from self.classes()
        yield from self.landmarks(context)

    def ratings(self) -> Iterator[Rating]:
        """Yield the ratings of all cells in which a person said something."""
        newest = self.label_import.dataset.versions.filter(deleted_at=None)
        newest = newest.order_by("-number").first()
        metadata = newest.metadata if newest is not None else {}
        chosen = declares(self.label_import, metadata, "frames_chosen")
        once = self._once("Rater '{}' rates this frame twice; the first row counts.")
        for row in self.labels.rows:
            frame = self._frame_key(row.file, row.frame, row.time_s)
            rater = row.rater[:100]
            if not row.is_vote or frame is None:
                continue
            if once((frame, row.unit, rater), rater, row.row, row.unit):
                yield Rating(
                    frame_id=frame,
                    unit=row.unit,
                    grade=row.grade,
                    reason=row.reason or "",
                    rater_name=rater,
                    source=Rating.Source.SHEET,
                    label_import=self.label_import,
                    random_share=chosen == "random",
                )

    def observation_scores(self) -> Iterator[ObservationScore]:
        """Yield one score per observation, rater and unit; whatever was said stays apart."""
        once = self._once(
            "Rater '{}' scores this observation in an earlier row already; the first row counts."
        )
        for row in self.labels.observations:
            animal, when = observed(self.labels, row.file, row.animal, row.observation)
            found = self.places.observation(animal, when, row.file, row.row)
            rater, unit = row.rater[:100], row.unit or ""
            if found is None:
                continue
            if once((found.pk, unit, rater), rater, row.row, unit):
                yield ObservationScore(
                    label_import=self.label_import,
                    observation=found,
                    rater_name=rater,
                    unit=unit,
                    kind=row.kind,
                    score=row.score,
                    pictures=row.pictures,
                )

    def program_scores(self) -> Iterator[ProgramScore]:
        """Yield what a program said of units; never a rating."""
        once = self._once("'{}' scores this frame in an earlier row already; the first row counts.")
        for row in self.labels.program_rows:
            where = self._where(row)
            if where is None or not row.is_vote:
                continue
            recording, number = where
            program = row.rater[:100]
            if once((recording.pk, number, row.unit, program), program, row.row, row.unit):
                yield ProgramScore(
                    label_import=self.label_import,
                    recording=recording,
                    program=program,
                    number=number,
                    time_s=row.time_s,
                    unit=row.unit,
                    grade=row.grade,
                    reason=row.reason or "",
                    confidence=row.confidence,
                )

    def boxes(self) -> Iterator[FaceBox]:
        """Yield the face boxes."""
        for box in self.labels.boxes:
            frame = self._frame_key(box.file, None, None)
            if frame is not None:
                left, top, right, bottom = box.corners
                yield FaceBox(
                    label_import=self.label_import,
                    frame_id=frame,
                    left=left,
                    top=top,
                    right=right,
                    bottom=bottom,
                    entry=box.row,
                )

    def classes(self) -> Iterator[PictureClass]:
        """Yield the class of every picture; one that lies in two folders keeps the first."""
        once = self._once("'{}' lies in another folder already; the first one counts.")
        for one in self.labels.classes:
            frame = self._frame_key(one.file, None, None)
            if frame is not None and once((frame,), one.file, None, ""):
                yield PictureClass(
                    label_import=self.label_import, frame_id=frame, label=one.label[:200]
                )

    def landmarks(self, context: Context) -> Iterator[LandmarkSet]:
        """Store the points of every animal in every recording, and yield what names them."""
        taken: set[tuple[int, str, str, bool]] = set()
        for table in self.labels.landmarks:
            for recording, places in self._by_recording(table).items():
                animal, count = table.animal[:90], 1
                while (recording.pk, animal, table.rater, table.by_program) in taken:
                    count += 1
                    animal = f"{table.animal[:90]} {count}".strip()
                taken.add((recording.pk, animal, table.rater, table.by_program))
                yield LandmarkSet(
                    label_import=self.label_import,
                    recording=recording,
                    animal=animal,
                    rater_name=table.rater[:100],
                    by_program=table.by_program,
                    points=list(table.points),
                    frames=len(places),
                    key=_stored(context, replace(table, animal=animal), places, len(taken)),
                )

    def _by_recording(self, table: Landmarks) -> dict[Recording, dict[int, int]]:
        """Return recording → frame → row of the table."""
        found: dict[Recording, dict[int, int]] = {}
        for at, (file, frame) in enumerate(zip(table.files, table.frames, strict=True)):
            where = self.places.frames.get((file, frame, None))
            if where is not None:
                found.setdefault(where[0], {}).setdefault(where[1], at)
        return found

    def _where(self, row: LabelRow) -> tuple[Recording, int] | None:
        return self.places.frames.get((row.file, row.frame, row.time_s))

    def _frame_key(self, file: str, frame: int | None, time_s: float | None) -> int | None:
        where = self.places.frames.get((file, frame, time_s))
        return self.frames.get((where[0].pk, where[1])) if where else None

    def _once(self, sentence: str) -> Callable[[tuple[Any, ...], str, int | None, str], bool]:
        """Return a question: whether a key comes for the first time; else it is a problem."""
        seen: set[tuple[Any, ...]] = set()

        def first(key: tuple[Any, ...], name: str, row: int | None, column: str) -> bool:
            if key in seen:
                told = Problem(sentence.format(name), self.label_import.name, row, column or None)
                self.problems.append(told)
                return False
            seen.add(key)
            return True

        return first


def _stored(context: Context, table: Landmarks, places: Mapping[int, int], number: int) -> str:
    from curation.labels.tables import write_landmarks

    numbers = sorted(places)
    key = context.key(f"landmarks-{number}.parquet")
    with tempfile.TemporaryDirectory(prefix="amgs-landmarks-") as folder:
        path = Path(folder) / "landmarks.parquet"
        write_landmarks(path, table, [places[frame] for frame in numbers], numbers)
        with path.open("rb") as stream:
            get_storage().put(key, stream, path.stat().st_size)
    return key


def problems_json(problems: list[Problem]) -> list[dict[str, Any]]:
    """Return problems as JSON, the first of them where there are very many."""
    rows = [problem.to_json() for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        rest = Problem(f"{len(problems) - MOST_PROBLEMS:,} more problems of the same kinds.")
        rows.append(rest.to_json())
    return rows


def notes_of(labels: Labels) -> list[str]:
    """Return the rules by which a file was read, and what was left out of it."""
    skipped = [f"Skipped {one.file}: {one.sentence}" for one in labels.skipped[:100]]
    if len(labels.skipped) > len(skipped):
        skipped.append(f"Skipped {len(labels.skipped) - len(skipped):,} more files.")
    return [*labels.notes, *skipped]

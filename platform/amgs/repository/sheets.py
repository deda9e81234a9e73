"""From the rows of a score sheet to the recordings, frames and ratings they mean.

A sheet names recordings by file name, with or without folders, and frames by number: 0-based, in
presentation order (the order in which a player shows them, not the order in the file). A time in
seconds means the frame shown at that time. A picture has one frame, number 0.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from django.db.models import QuerySet

from amgs.repository.models import LabelImport, Rating, Recording, Version
from amgs.repository.services.labels import declares
from curation.labels import LabelRow, Labels
from curation.problems import Problem

MOST_PROBLEMS = 200
Place = tuple[str, int | None, float | None]


@dataclass
class Matched:
    """Which frame each (file, frame, time) of a sheet means; ``problems`` for those without."""

    frames: dict[Place, tuple[Recording, int]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unmatched: int = 0

    @property
    def count(self) -> int:
        """How many different frames the sheet names and we have."""
        return len({(recording.pk, number) for recording, number in self.frames.values()})

    def numbers(self) -> dict[Recording, set[int]]:
        """Return the frame numbers named of each recording."""
        found: dict[Recording, set[int]] = defaultdict(set)
        for recording, number in self.frames.values():
            found[recording].add(number)
        return dict(found)


def _base(name: str) -> str:
    """Return the last part of a path written on any system, whatever its case."""
    return PurePosixPath(PureWindowsPath(name).as_posix()).name.casefold()


class _Files:
    """Recordings by name: as written, else by the last part where that is unmistakable."""

    def __init__(self, recordings: Iterable[Recording]) -> None:
        self.exact: dict[str, Recording] = {}
        self.base: dict[str, list[Recording]] = defaultdict(list)
        for recording in recordings:
            self.exact[recording.name] = recording
            self.base[_base(recording.name)].append(recording)

    def find(self, name: str) -> Recording | str:
        """Return the recording, or the sentence that says why there is none."""
        if name in self.exact:
            return self.exact[name]
        found = self.base.get(_base(name), [])
        if len(found) == 1:
            return found[0]
        if found:
            names = " and ".join(f"'{row.name}'" for row in found[:3])
            return f"'{name}' may mean {names}; write the folder too."
        return f"There is no recording called '{name}'; add it, or leave its rows out."


def _worked_on(dataset_id: int) -> QuerySet[Recording]:
    """Return the recordings of the version that is worked on: of earlier ones not all are in it."""
    newest = Version.objects.filter(dataset=dataset_id, deleted_at=None).order_by("-number").first()
    return Recording.objects.filter(versions=newest)


def match(labels: Labels, dataset_id: int, sheet: str) -> Matched:
    """Find the frame every row means; what cannot be found is counted and named once per file."""
    files = _Files(
        Recording.objects.filter(
            pk__in=_worked_on(dataset_id), status=Recording.Status.READY
        ).select_related("blob")
    )
    matched = Matched()
    found: dict[str, Recording | str] = {}
    seen: set[Place] = set()
    times: dict[int, list[float]] = {}
    for row in labels.rows:
        place = (row.file, row.frame, row.time_s)
        if place in seen:
            continue
        seen.add(place)
        if row.file not in found:
            found[row.file] = files.find(row.file)
            if isinstance(found[row.file], str):
                matched.problems.append(
                    Problem(str(found[row.file]), file=sheet, row=row.row, column="file")
                )
        recording = found[row.file]
        if isinstance(recording, str):
            matched.unmatched += 1
            continue
        number = _number(recording, row, times)
        if isinstance(number, str):
            matched.unmatched += 1
            matched.problems.append(Problem(number, file=sheet, row=row.row, column="frame"))
        else:
            matched.frames[place] = (recording, number)
    return matched


def _number(recording: Recording, row: LabelRow, times: dict[int, list[float]]) -> int | str:
    """Return the number of the frame a row means, or the sentence that says why there is none."""
    total = int(recording.media.get("frame_count", 0))
    if row.frame is not None:
        if 0 <= row.frame < total:
            return row.frame
        return (
            f"'{recording.name}' has frames 0 to {total - 1}, so there is no frame {row.frame}; "
            "frames are counted from 0."
        )
    if row.time_s is None:
        if total == 1:
            return 0
        return f"'{recording.name}' has {total} frames and the row names none of them."
    if recording.pk not in times:
        times[recording.pk] = _times(recording)
    known = times[recording.pk]
    length = float(recording.media.get("duration_s", 0.0))
    if not known or not known[0] <= row.time_s < known[0] + max(length, 1e-9):
        return f"'{recording.name}' shows nothing at {row.time_s:g} s; it lasts {length:.2f} s."
    # The frame that is on the screen at this time: the last that began at or before it.
    shown = [index for index, time in enumerate(known) if time <= row.time_s + 1e-6]
    return shown[-1]


def _times(recording: Recording) -> list[float]:
    from amgs.repository.media_files import named_copy
    from models.media import open_media

    with named_copy(recording.blob, recording.name) as path, open_media(path) as media:
        return [frame.time_s for frame in media]


def ratings(
    label_import: LabelImport,
    labels: Labels,
    matched: Matched,
    frames: Mapping[tuple[int, int], int],
) -> list[Rating]:
    """Return the ratings of all cells that say something, not yet written.

    A rater who speaks twice of the same unit of the same frame is heard the first time and named
    in ``matched.problems``.
    """
    chosen = declares(label_import, _metadata(label_import), "frames_chosen")
    made: dict[tuple[int, str, str], Rating] = {}
    for row in labels.rows:
        where = matched.frames.get((row.file, row.frame, row.time_s))
        if where is None or not row.is_vote:
            continue
        frame = frames.get((where[0].pk, where[1]))
        if frame is None:
            continue
        rater = row.rater[:100]
        key = (frame, row.unit, rater)
        if key in made:
            matched.problems.append(
                Problem(
                    f"Rater '{rater}' rates this frame twice; the first row counts.",
                    file=label_import.name,
                    row=row.row,
                    column=row.unit,
                )
            )
            continue
        made[key] = Rating(
            frame_id=frame,
            unit=row.unit,
            grade=row.grade,
            reason=row.reason or "",
            rater_name=rater,
            source=Rating.Source.SHEET,
            label_import=label_import,
            random_share=chosen == "random",
        )
    return list(made.values())


def _metadata(label_import: LabelImport) -> Mapping[str, Any]:
    newest = label_import.dataset.versions.order_by("-number").first()
    return newest.metadata if newest is not None else {}


def problems_json(problems: list[Problem]) -> list[dict[str, Any]]:
    """Return problems as JSON, the first of them where there are very many."""
    rows = [problem.to_json() for problem in problems[:MOST_PROBLEMS]]
    if len(problems) > MOST_PROBLEMS:
        rest = Problem(f"{len(problems) - MOST_PROBLEMS:,} more problems of the same kinds.")
        rows.append(rest.to_json())
    return rows

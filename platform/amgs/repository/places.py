"""What the names in a label file mean here: recordings, frames of them, animals, time points.

A file names recordings by file name, with or without folders and ending, and frames by number:
0-based, in presentation order (the order in which a player shows them, not the order in the file).
A time in seconds means the frame shown at that time. A picture has one frame, number 0. A picture
that DeepLabCut took out of a film (``labeled-data/m1/img0042.png``) is that frame of it. What the
lab says of a name goes before all of these rules.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from amgs.core.errors import Refused
from amgs.repository.models import Observation, Recording, Version
from curation.problems import Problem

LEFT_OUT = "-"
"""What a lab says of a name whose rows it does not want."""
MOST_TOLD = 5000
Place = tuple[str, int | None, float | None]
"""File, frame (from 0) and time in seconds, as a label file names them."""
_TAKEN_OUT = re.compile(r"(?:^|/)([^/]+)/img(\d{1,9})\.(?:png|jpe?g)$", re.IGNORECASE)


@dataclass(frozen=True)
class Told:
    """What the lab said of names: name in the file → name here, or ``-`` to leave its rows out."""

    files: Mapping[str, str] = field(default_factory=dict)
    animals: Mapping[str, str] = field(default_factory=dict)
    time_points: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, str]]:
        """Return what was said as plain values, without what is empty."""
        parts = {"files": self.files, "animals": self.animals, "time_points": self.time_points}
        return {key: dict(value) for key, value in parts.items() if value}

    @classmethod
    def from_json(cls, data: Any) -> Told:
        """Rebuild from :meth:`to_json`; raises ``Refused`` naming what is wrong."""
        if not isinstance(data, Mapping):
            raise Refused("Names are an object of files, animals and time_points.", field="places")
        for key, names in data.items():
            if key not in ("files", "animals", "time_points"):
                raise Refused(
                    f"Nothing can be said about '{key}'; name files, animals or time_points.",
                    field=f"places.{key}",
                )
            sound = isinstance(names, Mapping) and all(
                isinstance(text, str) and len(text) <= 1000
                for pair in names.items()
                for text in pair
            )
            if not sound or len(names) > MOST_TOLD:
                raise Refused(
                    f"'{key}' pairs names in the file with names here, {MOST_TOLD:,} at most.",
                    field=f"places.{key}",
                )
        return cls(**{key: {a: b for a, b in names.items() if b} for key, names in data.items()})


def _base(name: str) -> str:
    """Return the last part of a path written on any system, whatever its case."""
    return PurePosixPath(PureWindowsPath(name).as_posix()).name.casefold()


def _stem(name: str) -> str:
    return PurePosixPath(_base(name)).stem


class Places:
    """Finds what names mean in one dataset; what cannot be found is counted and named once."""

    def __init__(self, dataset_id: int, told: Told, sheet: str) -> None:
        self.dataset_id = dataset_id
        self.told = told
        self.sheet = sheet
        self.frames: dict[Place, tuple[Recording, int]] = {}
        self.problems: list[Problem] = []
        self.frames_unmatched = 0
        self.observations: dict[tuple[str, str, str], Observation] = {}
        self.observations_unmatched = 0
        self._lost: set[tuple[Any, ...]] = set()
        self._named: set[object] = set()
        self._times: dict[int, list[float]] = {}

    # Frames ---------------------------------------------------------------------------------

    @property
    def frames_matched(self) -> int:
        """How many different frames were named and are here."""
        return len({(recording.pk, number) for recording, number in self.frames.values()})

    def frame(
        self, file: str, frame: int | None, time_s: float | None, row: int | None
    ) -> tuple[Recording, int] | None:
        """Return recording and number of the frame that a row means, None where there is none."""
        place = (file, frame, time_s)
        if place in self.frames or place in self._lost:
            return self.frames.get(place)
        found = self.recording(file)
        if isinstance(found, str):
            # The sentence once per file, the count for every frame of it.
            self._lose(place, file, found, row, "file")
            return None
        recording, taken_out = found
        number = self._number(recording, taken_out if frame is None else frame, time_s)
        if isinstance(number, str):
            self._lose(place, place, number, row, "frame")
            return None
        self.frames[place] = recording, number
        return recording, number

    def _lose(
        self, place: Place, named: object, sentence: str, row: int | None, column: str
    ) -> None:
        self._lost.add(place)
        if self.told.files.get(place[0]) == LEFT_OUT:
            return
        self.frames_unmatched += 1
        if named not in self._named:
            self._named.add(named)
            self.problems.append(Problem(sentence, self.sheet, row, column))

    def recording(self, name: str) -> tuple[Recording, int | None] | str:
        """Return the recording a name means, and the frame where the name says that too.

        Otherwise the sentence that says why there is none.
        """
        told = self.told.files.get(name)
        if told == LEFT_OUT:
            return f"'{name}' is left out, as you said."
        if told:
            found = self._exact.get(told) or self._by_id.get(told)
            return (found, None) if found else f"There is no recording called '{told}' here."
        if name in self._exact:
            return self._exact[name], None
        for known, part in ((self._bases, _base(name)), (self._stems, _stem(name))):
            rows = known.get(part, [])
            if len(rows) == 1:
                return rows[0], None
            if rows:
                names = " and ".join(f"'{row.name}'" for row in rows[:3])
                return f"'{name}' may mean {names}; write the folder too."
        if taken := _TAKEN_OUT.search(name.replace("\\", "/")):
            rows = self._stems.get(taken[1].casefold(), [])
            if len(rows) == 1:
                return rows[0], int(taken[2])
        return f"There is no recording called '{name}'; add it, or leave its rows out."

    @cached_property
    def recordings(self) -> list[Recording]:
        """The readable recordings of the version that is worked on, in the order they were added.

        Of earlier versions not all are in it.
        """
        newest = (
            Version.objects.filter(dataset=self.dataset_id, deleted_at=None)
            .order_by("-number")
            .first()
        )
        ready = Recording.objects.filter(
            versions=newest, status=Recording.Status.READY
        ).select_related("blob", "observation")
        return list(ready.order_by("pk"))

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Width and height in pixels of every recording, by name and by its last part."""
        found = {}
        for row in self.recordings:
            if row.media.get("width") and row.media.get("height"):
                size = (int(row.media["width"]), int(row.media["height"]))
                found[row.name] = found[PurePosixPath(row.name).name] = size
        for name, here in self.told.files.items():
            if here in found:
                found[name] = found[here]
        return found

    @cached_property
    def _exact(self) -> dict[str, Recording]:
        return {row.name: row for row in self.recordings}

    @cached_property
    def _by_id(self) -> dict[str, Recording]:
        return {row.public_id: row for row in self.recordings}

    @cached_property
    def _bases(self) -> dict[str, list[Recording]]:
        return _grouped(self.recordings, _base)

    @cached_property
    def _stems(self) -> dict[str, list[Recording]]:
        return _grouped(self.recordings, _stem)

    def _number(self, recording: Recording, frame: int | None, time_s: float | None) -> int | str:
        """Return the number of the frame a row means, or the sentence why there is none."""
        total = int(recording.media.get("frame_count", 0))
        if frame is not None:
            if 0 <= frame < total:
                return frame
            return (
                f"'{recording.name}' has frames 0 to {total - 1}, so there is no frame {frame}; "
                "frames are counted from 0."
            )
        if time_s is None:
            if total == 1:
                return 0
            return f"'{recording.name}' has {total} frames and the row names none of them."
        if recording.pk not in self._times:
            self._times[recording.pk] = frame_times(recording)
        return shown_at(recording, self._times[recording.pk], time_s)

    # Observations ---------------------------------------------------------------------------

    def observation(self, animal: str, when: str, file: str, row: int | None) -> Observation | None:
        """Return the observation that an animal and a time point, or a file, mean."""
        asked = (animal, when, "" if animal else file)
        if asked in self.observations or asked in self._lost:
            return self.observations.get(asked)
        found = self._of_animal(animal, when) if animal else self._of_file(file)
        if isinstance(found, Observation):
            self.observations[asked] = found
            return found
        self._lost.add(asked)
        if found:
            self.observations_unmatched += 1
            column = "animal" if animal else "file"
            self.problems.append(Problem(found, self.sheet, row, column))
        return None

    def knows_animal(self, animal: str) -> bool:
        """Whether the design has this animal, or the one the lab said it is."""
        return (self.told.animals.get(animal) or animal).casefold() in self._design

    def _of_animal(self, animal: str, when: str) -> Observation | str:
        """Return the observation, the sentence that says why there is none, or nothing."""
        # Names of animals stay with the lab; whoever reviews reads these sentences too.
        said, said_when = self.told.animals.get(animal), self.told.time_points.get(when)
        if LEFT_OUT in (said, said_when):
            return ""
        points = self._design.get((said or animal).casefold())
        if points is None:
            return "The design has no animal of this name; add it, or say which one it is."
        if not when and len(points) == 1:
            return next(iter(points.values()))
        found = points.get((said_when or when).casefold())
        if found is None:
            known = ", ".join(f"'{row.name}'" for row in points.values())
            return (
                f"This animal has no time point '{said_when or when}'; in the design it has "
                f"{known or 'none'}."
            )
        return found

    def _of_file(self, file: str) -> Observation | str:
        if self.told.files.get(file) == LEFT_OUT:
            return ""
        found = self.recording(file)
        if isinstance(found, str):
            return found
        return found[0].observation or (
            f"'{found[0].name}' belongs to no animal and time point yet; say which on its page."
        )

    @cached_property
    def _design(self) -> dict[str, dict[str, Observation]]:
        """Animal → time point → observation; names in small letters."""
        found: dict[str, dict[str, Observation]] = defaultdict(dict)
        rows = Observation.objects.filter(
            animal__dataset=self.dataset_id, dropped=False, animal__dropped=False
        ).select_related("animal")
        for row in rows:
            found[row.animal.name.casefold()][row.name.casefold()] = row
        return found


def _grouped(rows: Iterable[Recording], part: Any) -> dict[str, list[Recording]]:
    found: dict[str, list[Recording]] = defaultdict(list)
    for row in rows:
        found[part(row.name)].append(row)
    return found


def frame_times(recording: Recording) -> list[float]:
    """Return when each frame of a recording begins, in seconds."""
    from amgs.repository.media_files import named_copy
    from models.media import open_media

    with named_copy(recording.blob, recording.name) as path, open_media(path) as media:
        return [frame.time_s for frame in media]


def shown_at(recording: Recording, times: list[float], time_s: float) -> int | str:
    """Return the number of the frame on the screen at a time, or why there is none.

    ``times`` are those of all frames. It is the last that began at or before the time.
    """
    length = float(recording.media.get("duration_s", 0.0))
    if not times or not times[0] <= time_s < times[0] + max(length, 1e-9):
        return f"'{recording.name}' shows nothing at {time_s:g} s; it lasts {length:.2f} s."
    return bisect_right(times, time_s + 1e-6) - 1

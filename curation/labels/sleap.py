"""SLEAP landmarks: a `.slp` file is HDF5 with its names in JSON.

Read are `frames`, `instances`, `points` and `pred_points`, and of the metadata the names of points.
Before format 1.1 the corner of the first pixel was (0, 0), since then it is its centre; older files
are brought to the newer way.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.labels.hdf5 import Hdf5, opened, texts
from curation.labels.mapping import Format, Guess, Mapping
from curation.labels.points import eye_points
from curation.labels.reading import Reading
from curation.labels.rows import Labels, Landmarks, UnknownFormat
from curation.labels.source import Source

KEY, TITLE = "sleap", "Landmarks of SLEAP"
_NEEDED = ("frames", "instances", "metadata")
_CENTRED = 1.1
_PREDICTED = 1
MOST_POINTS = 1000


@dataclass(frozen=True)
class _Slp:
    """The parts of a `.slp` file; `skeletons` are the names of points, in order."""

    skeletons: tuple[tuple[str, ...], ...]
    videos: tuple[tuple[str, ...], ...]
    tracks: tuple[str, ...]
    frames: NDArray[Any]
    instances: NDArray[Any]
    points: NDArray[Any]
    pred_points: NDArray[Any]
    shift: float


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether the HDF5 file has the parts of a SLEAP file."""
    if source.kind != "hdf5":
        return None
    with opened(source.path, source.name) as file:
        if not set(_NEEDED) <= set(file.names()):
            return None
        slp = _load(file, source.name)
    points = tuple(dict.fromkeys(point for names in slp.skeletons for point in names))
    recognised = [(point, "landmark") for point in points]
    for eye, four in eye_points(points).items():
        recognised.append((", ".join(four), f"eye opening ({eye})"))
    recognised += [(files[0], "recording") for files in slp.videos if files]
    proposed = dataclasses.replace(mapping, format=KEY)
    return Guess(KEY, TITLE, 0.95, proposed, tuple(recognised))


def read(source: Source, mapping: Mapping) -> Labels:
    """Read landmarks, those of people and those of the network apart."""
    with opened(source.path, source.name) as file:
        slp = _load(file, source.name)
    reading = Reading(source.name, mapping, source.scale)
    reading.notes.append("SLEAP counts frames from 0, in the order in which a player shows them.")
    return reading.labels(KEY, landmarks=_landmarks(slp, reading, mapping.file))


def _load(file: Hdf5, name: str) -> _Slp:
    meta = _json(file.attribute("metadata", "json"), name)
    version = file.attribute("metadata", "format_id")
    centred = isinstance(version, int | float) and version >= _CENTRED
    shape = {
        "frames": ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end"),
        "instances": ("instance_type", "skeleton", "track", "point_id_start", "point_id_end"),
        "points": ("x", "y", "visible"),
        "pred_points": ("x", "y", "visible", "score"),
    }
    parts: dict[str, NDArray[Any]] = {}
    for part, fields in shape.items():
        array = file.array(part)
        if array is None and part not in _NEEDED:
            array = np.zeros(0, [(field, "f8") for field in fields])
        numeric = array is not None and all(
            array.dtype[field].kind in "iufb" for field in array.dtype.names or ()
        )
        if array is None or array.ndim != 1 or not numeric:
            raise UnknownFormat(f"{name} has no {part} that could be read; save it anew in SLEAP.")
        if not set(fields) <= set(array.dtype.names or ()):
            raise UnknownFormat(f"{name} is a SLEAP file of a kind not known here; export it anew.")
        parts[part] = array
    tracks = file.array("tracks_json")
    videos = file.array("videos_json")
    return _Slp(
        skeletons=_skeletons(meta, name),
        videos=tuple(_files(text, name) for text in (texts(videos) if videos is not None else [])),
        tracks=tuple(_track(text) for text in (texts(tracks) if tracks is not None else [])),
        shift=0.0 if centred else 0.5,
        **parts,
    )


def _landmarks(slp: _Slp, reading: Reading, told: str) -> tuple[Landmarks, ...]:
    found: dict[tuple[str, bool, int], list[tuple[str, int, Any]]] = defaultdict(list)
    for number, frame in enumerate(slp.frames, start=1):
        file, index = _place(slp, frame, told)
        start, end = int(frame["instance_id_start"]), int(frame["instance_id_end"])
        if not 0 <= start <= end <= len(slp.instances) or file is None or index < 0:
            reading.problem("The frame refers to what is not in the file; left out.", number)
            continue
        seen: dict[tuple[str, bool, int], int] = defaultdict(int)
        for instance in slp.instances[start:end]:
            by_program = int(instance["instance_type"]) == _PREDICTED
            skeleton = int(instance["skeleton"])
            track = int(instance["track"])
            named = slp.tracks[track] if 0 <= track < len(slp.tracks) else ""
            values = _points(slp, instance, by_program, skeleton)
            if values is None:
                reading.problem("An animal in the frame has no points; left out.", number)
                continue
            place = seen[named, by_program, skeleton] = seen[named, by_program, skeleton] + 1
            # Without tracks, animals of a frame have no identity but their order.
            animal = named if place == 1 else f"{named or 'animal'} {place}"
            found[animal, by_program, skeleton].append((file, index, values))
    return tuple(_table(slp, *key, rows) for key, rows in found.items())


def _place(slp: _Slp, frame: Any, told: str) -> tuple[str | None, int]:
    video, index = int(frame["video"]), int(frame["frame_idx"])
    if told:
        return told, index
    files = slp.videos[video] if 0 <= video < len(slp.videos) else ()
    if len(files) > 1:
        # A set of pictures: the frame number is the place of the picture.
        return (files[index] if 0 <= index < len(files) else None), index
    return (files[0] if files else None), index


def _points(slp: _Slp, instance: Any, by_program: bool, skeleton: int) -> Any:
    table = slp.pred_points if by_program else slp.points
    start, end = int(instance["point_id_start"]), int(instance["point_id_end"])
    if not 0 <= skeleton < len(slp.skeletons) or not 0 <= start <= end <= len(table):
        return None
    return table[start:end] if end - start == len(slp.skeletons[skeleton]) else None


def _table(
    slp: _Slp, animal: str, by_program: bool, skeleton: int, rows: list[tuple[str, int, Any]]
) -> Landmarks:
    names = slp.skeletons[skeleton]
    values = np.stack([points for _, _, points in rows])
    xy = np.stack([values["x"], values["y"]], axis=-1).astype(np.float64) - slp.shift
    hidden = values["visible"] == 0
    xy[hidden | ~np.isfinite(xy).all(axis=2)] = np.nan
    likelihood = np.full(xy.shape[:2], np.nan)
    if by_program:
        likelihood[:] = values["score"]
    return Landmarks(
        animal=animal,
        rater="SLEAP" if by_program else "",
        by_program=by_program,
        points=names,
        files=tuple(file for file, _, _ in rows),
        frames=tuple(index for _, index, _ in rows),
        xy=xy,
        likelihood=likelihood,
    )


def _json(text: Any, name: str) -> Any:
    damaged = UnknownFormat(f"{name} has damaged metadata; save it anew in SLEAP.")
    if not isinstance(text, bytes | str):
        raise damaged
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise damaged from None


def _skeletons(meta: Any, name: str) -> tuple[tuple[str, ...], ...]:
    """The names of points of each skeleton; its nodes are numbers into a list of names."""
    try:
        known = [node["name"] if isinstance(node, dict) else node for node in meta["nodes"]]
        found = []
        for skeleton in meta["skeletons"]:
            numbers = [node["id"] for node in skeleton["nodes"]]
            if not all(isinstance(number, int) and number >= 0 for number in numbers):
                raise TypeError
            found.append(tuple(str(known[number]) for number in numbers))
    except (KeyError, TypeError, IndexError):
        raise UnknownFormat(f"{name} does not name its landmarks; save it anew in SLEAP.") from None
    if any(not 0 < len(names) <= MOST_POINTS or len(set(names)) < len(names) for names in found):
        raise UnknownFormat(f"{name} names a landmark twice or none at all.")
    return tuple(found)


def _files(text: str, name: str) -> tuple[str, ...]:
    """The names of a video, or of the pictures of a set, without the folders of the lab."""
    told = _json(text, name)
    backend = told.get("backend", told) if isinstance(told, dict) else {}
    named = backend.get("filename") if isinstance(backend, dict) else None
    if isinstance(backend, dict) and isinstance(backend.get("image_filenames"), list):
        named = backend["image_filenames"]
    listed = named if isinstance(named, list) else [named]
    found = [_base(file) for file in listed if isinstance(file, str) and file not in ("", ".")]
    return tuple(found) or (_base(name),)


def _base(file: str) -> str:
    return file.replace("\\", "/").rsplit("/", 1)[-1]


def _track(text: str) -> str:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return str(told[1]) if isinstance(told, list) and len(told) > 1 else str(told)


FORMAT = Format(KEY, TITLE, recognises, read)

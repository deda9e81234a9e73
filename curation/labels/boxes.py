"""JSON keyed by picture: boxes of faces and the scores given to them.

Labs write a box as left, top, width, height, or as two corners, and some call the second corner
`w, h`. A box that leaves its picture under the reading in use is never clipped: it is left out, and
the reading that fits is suggested.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from curation.labels.cells import CellReader, to_number
from curation.labels.columns import UnitNames
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.reading import Line, Reading
from curation.labels.rows import FaceBox, Labels
from curation.labels.source import Source, Twice
from curation.labels.words import BOXES, ROLES, TITLES, normal
from models.scale import Scale

KEY, TITLE = "boxes", "JSON with a face box and scores for each picture"
ONLY_RATER = "1"
READINGS = {
    "size": "left, top, width and height",
    "corners": "the left top corner and the right bottom corner",
}


@dataclass(frozen=True)
class _Face:
    """What one entry of the file says: raw text by (unit, rater), and a box as it is written."""

    number: int
    file: str
    scores: tuple[tuple[str, str, str, str], ...]
    """(key as written, unit, rater, text)"""
    raw: tuple[float, float, float, float] | None
    corners_named: bool
    size: tuple[float, float] | None
    said: dict[str, str]
    faults: tuple[tuple[str, str], ...]
    """(key, sentence)"""


def box_corners(
    raw: tuple[float, float, float, float], reading: str
) -> tuple[float, float, float, float] | None:
    """Return left, top, right, bottom of four numbers under a reading; None for an empty box."""
    x, y, third, fourth = raw
    corners = (x, y, x + third, y + fourth) if reading == "size" else raw
    return corners if corners[0] < corners[2] and corners[1] < corners[3] else None


def fits(
    raw: tuple[float, float, float, float], reading: str, size: tuple[float, float] | None
) -> bool:
    """Whether four numbers are a box inside a picture of that (width, height), under a reading.

    Without a size only an empty or negative box does not fit.
    """
    corners = box_corners(raw, reading)
    if corners is None or min(corners) < 0:
        return False
    return size is None or (corners[2] <= size[0] and corners[3] <= size[1])


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether entries named after pictures hold boxes or scores of units."""
    if source.kind != "json":
        return None
    faces = list(_faces(source, source.scale))
    boxed = [face for face in faces if face.raw]
    scored = [face for face in faces if face.scores]
    if not boxed and not scored:
        return None
    recognised = [(key, source.scale.unit(unit).title) for key, unit in _unit_keys(scored)]
    recognised += [(key, TITLES[role]) for key, role in _said_keys(faces)]
    if boxed:
        recognised.append(("box", f"{len(boxed)} face boxes"))
    texts = [text for face in scored for _, _, _, text in face.scores]
    other = CellReader(source.scale, mapping, False).other_scale(source.name, texts)
    questions = ([other] if other else []) + _box_questions(boxed, mapping)
    return Guess(
        KEY,
        TITLE,
        0.8,
        dataclasses.replace(mapping, format=KEY),
        tuple(recognised),
        tuple(questions),
    )


def read(source: Source, mapping: Mapping) -> Labels:
    """Read boxes and scores; `row` counts the entries of the file from 1."""
    reading = Reading(source.name, mapping, source.scale)
    boxes: list[FaceBox] = []
    seen: dict[str, int] = {}
    for face in _faces(source, source.scale):
        file = reading.place(face.file, face.number)
        if file is None:
            continue
        for key, sentence in face.faults:
            reading.problem(f"{file}: {sentence}", face.number, key)
        if face.raw:
            _keep_box(reading, boxes, face, file, mapping)
        if face.scores and seen.setdefault(file, face.number) != face.number:
            reading.problem(
                f"{file} has scores for more than one face; those of the first were kept.",
                face.number,
            )
            continue
        line = Line(face.number, (), file, None, None, None, False)
        for key, unit, rater, text in face.scores:
            who = rater or face.said.get("rater") or mapping.rater or ONLY_RATER
            reading.add(line, text, key, unit, who)
    if boxes:
        reading.notes.append(f"Unless named otherwise, boxes are {_reading_words(mapping)}.")
    return reading.labels(KEY, boxes=tuple(boxes))


def _keep_box(
    reading: Reading, boxes: list[FaceBox], face: _Face, file: str, mapping: Mapping
) -> None:
    raw = face.raw
    assert raw is not None  # noqa: S101  (asked by the caller)
    how = "corners" if face.corners_named else mapping.boxes or "size"
    corners = box_corners(raw, how)
    if corners is not None and fits(raw, how, face.size):
        boxes.append(FaceBox(file, corners, face.number))
        return
    other = "size" if how == "corners" else "corners"
    hint = (
        f" Read as {READINGS[other]} it would fit; confirm that reading."
        if fits(raw, other, face.size)
        else " Correct it."
    )
    numbers = ", ".join(f"{number:g}" for number in raw)
    reading.problem(
        f"{file}: the box {numbers}, read as {READINGS[how]}, is empty or leaves the picture; it "
        f"was left out, not clipped.{hint}",
        face.number,
        "box",
    )


def _reading_words(mapping: Mapping) -> str:
    return READINGS[mapping.boxes or "size"]


def _box_questions(boxed: Sequence[_Face], mapping: Mapping) -> list[Question]:
    choices = tuple(READINGS.items())
    if mapping.boxes:
        if mapping.boxes in READINGS:
            return []
        return [Question("boxes", "Boxes are read as size or as corners; choose one.", choices)]
    unsure = [(face.raw, face.size) for face in boxed if face.raw and not face.corners_named]
    if not unsure:
        return []
    leaving = sum(not fits(raw, "size", size) for raw, size in unsure)
    as_corners = sum(not fits(raw, "corners", size) for raw, size in unsure)
    measured = sum(size is not None for _, size in unsure)
    if leaving > as_corners:
        sentence = (
            f"{leaving} of {len(unsure)} boxes leave their picture if read as {READINGS['size']}, "
            f"{as_corners} if read as {READINGS['corners']}. The second reading seems right; "
            "confirm it."
        )
        return [Question("boxes", sentence, choices)]
    sentence = (
        f"Boxes are read as {READINGS['size']}; {measured} of {len(unsure)} could be compared with "
        "the size of their picture."
    )
    return [Question("boxes", sentence, choices, blocking=False)]


def _faces(source: Source, scale: Scale) -> Iterator[_Face]:
    names = UnitNames(scale)
    for number, (file, entry) in enumerate(_entries(source.json), start=1):
        yield _face(number, file, entry, names, source)


def _entries(content: Any) -> Iterator[tuple[str, Any]]:
    """Yield (picture, entry) of a JSON object keyed by picture, or of a list of entries."""
    if isinstance(content, dict | Twice):
        pairs = list(content.items() if isinstance(content, dict) else content)
        if len(pairs) == 1 and isinstance(pairs[0][1], dict | list) and _is_holder(pairs[0][0]):
            yield from _entries(pairs[0][1])
            return
        for key, entry in pairs:
            many = isinstance(entry, list) and not isinstance(entry, Twice)
            if many and all(isinstance(one, dict | Twice) for one in entry):
                yield from ((key, one) for one in entry)
            else:
                yield key, entry
    elif isinstance(content, list):
        yield from (("", entry) for entry in content)


def _is_holder(key: str) -> bool:
    return normal(key) in ("images", "annotations", "frames", "data", "labels", "pictures")


def _face(number: int, file: str, entry: Any, names: UnitNames, source: Source) -> _Face:
    scores: dict[tuple[str, str], tuple[str, str, str, str]] = {}
    said: dict[str, str] = {}
    beside: dict[str, float] = {}
    inside: dict[str, float] = {}
    faults: list[tuple[str, str]] = []
    for key, value, in_box in _flat(entry):
        name = normal(key)
        if isinstance(value, list):
            if name in BOXES["box"] and (four := _four(value)):
                inside |= dict(zip(("left", "top", "width", "height"), four, strict=True))
            continue
        text = "" if value is None else str(value)
        side = next((one for one, words in BOXES.items() if name in words), None)
        role = next((one for one in ("file", "rater") if name in ROLES[one]), None)
        unit = names.unit_of(key)
        if role:
            said[role] = text
        elif side:
            length = to_number(text)
            if length is None:
                faults.append((key, f"“{text[:40]}” is no number of pixels."))
            else:
                (inside if in_box else beside)[side] = length
        elif unit and unit in scores:
            faults.append((key, "The score is given twice; the first was kept."))
        elif unit:
            scores[unit] = (key, *unit, text)
    file = said.get("file") or file
    # Beside a box of its own, width and height are those of the picture.
    raw, corners_named = _raw(inside or beside)
    if inside:
        beside = {f"picture_{key}": length for key, length in beside.items()} | beside
    return _Face(
        number=number,
        file=file,
        scores=tuple(scores.values()),
        raw=raw,
        corners_named=corners_named,
        size=_size(beside, file, source),
        said=said,
        faults=tuple(faults),
    )


def _flat(entry: Any, in_box: bool = False, depth: int = 0) -> Iterator[tuple[str, Any, bool]]:
    """Yield (key, text, None, true or list; whether inside a box) of an entry.

    Only what is known to hold other things is opened.
    """
    if not isinstance(entry, dict | Twice) or depth > 3:
        return
    for key, value in entry.items() if isinstance(entry, dict) else entry:
        if not isinstance(value, dict | Twice):
            yield key, value, in_box
        elif normal(key) in BOXES["box"]:
            yield from _flat(value, True, depth + 1)
        elif normal(key) in BOXES["nested"]:
            yield from _flat(value, in_box, depth + 1)


def _four(value: list[Any]) -> tuple[float, ...] | None:
    numbers = [to_number(one) if isinstance(one, str) else None for one in value]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(value) == 4 else None


def _raw(sides: dict[str, float]) -> tuple[tuple[float, float, float, float] | None, bool]:
    for ends, named in ((("right", "bottom"), True), (("width", "height"), False)):
        keys = ("left", "top", *ends)
        if all(key in sides for key in keys):
            left, top, third, fourth = (sides[key] for key in keys)
            return (left, top, third, fourth), named
    return None, False


def _size(sides: dict[str, float], file: str, source: Source) -> tuple[float, float] | None:
    base = file.replace("\\", "/").rsplit("/", 1)[-1]
    known = source.pictures.get(file) or source.pictures.get(base)
    if known:
        return float(known[0]), float(known[1])
    if "picture_width" in sides and "picture_height" in sides:
        return sides["picture_width"], sides["picture_height"]
    return None


def _unit_keys(scored: Sequence[_Face]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((key, unit) for face in scored for key, unit, _, _ in face.scores))


def _said_keys(faces: Sequence[_Face]) -> list[tuple[str, str]]:
    return [(role, role) for role in dict.fromkeys(role for face in faces for role in face.said)]


FORMAT = Format(KEY, TITLE, recognises, read)

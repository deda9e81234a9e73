"""Frozen records that cross layer borders: no behaviour, and JSON both ways.

`to_json(record)` gives a dictionary that `json.dumps` takes; `from_json(kind, data)` gives the
record back. Times are seconds, positions are pixels of the picture as displayed (after rotation).
"""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

View = Literal["frontal", "three_quarter", "profile", "none"]


@dataclass(frozen=True)
class FrameKey:
    """The identity of a frame: SHA-256 of its file, stream number, timestamp in time base units."""

    blob: str
    stream: int
    pts: int
    time_base: tuple[int, int]

    @property
    def time_s(self) -> float:
        """Presentation time in seconds."""
        return self.pts * self.time_base[0] / self.time_base[1]


@dataclass(frozen=True)
class MediaFacts:
    """What was measured once when a recording came in.

    `width` and `height` are those of the displayed picture; `rotation` is the clockwise turn in
    degrees that displaying takes; `frame_count` counts the frames that could be decoded;
    `first_pts` is in units of `time_base` seconds; `sharpness_median` is the variance of the
    Laplacian and `brightness_median` the mean luma (0..255), medians over sampled frames;
    `problems` are sentences about what could not be read; `interlaced` says that pictures hold two
    moments in alternating lines. `black_share` and `white_share` are the shares of pixels with luma
    up to 20 and from 235 on, medians over sampled frames. `finder` names the face finder that
    looked at `faces_looked` sampled frames; `faces_share` is the share of them with a face and
    `view` the one that most faces have ("none" where there is no face). Both are None where none
    looked. `head_side` is the median of the shorter sides of these faces in pixels, None without a
    face. `edge_brightness` is the mean luma of the outer tenth of the picture, median over sampled
    frames; `text_boxes` are lines of text burned in, (x0, y0, x1, y1) in shares of width and
    height. `telling` names the sampled frame (counted from 0) that shows something best: `dark`,
    `burnt`, `soft`, `small`, `faceless`, `profile`, `text`. In facts of before these were measured
    they are None or empty.
    """

    kind: Literal["video", "stills"]
    container: str
    codec: str
    pixel_format: str
    width: int
    height: int
    rotation: int
    frame_count: int
    duration_s: float
    average_fps: float
    variable_rate: bool
    time_base: tuple[int, int]
    first_pts: int
    has_audio: bool
    has_location_tag: bool
    creation_time: str | None
    decoder: str
    problems: tuple[str, ...]
    sharpness_median: float
    brightness_median: float
    grayscale: bool
    interlaced: bool = False
    black_share: float | None = None
    white_share: float | None = None
    faces_share: float | None = None
    faces_looked: int = 0
    view: View | None = None
    finder: str | None = None
    head_side: float | None = None
    edge_brightness: float | None = None
    text_boxes: tuple[tuple[float, float, float, float], ...] | None = None
    telling: dict[str, int] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Face:
    """A face in a picture: box (x0, y0, x1, y1) and landmarks in pixels, confidence 0..1.

    `sharpness` is the variance of the Laplacian, `exposure` the mean luma of the box (0..1), `blur`
    the smear of motion in face widths (0 = none), `opening` the height of the eye over its width,
    mean over the eyes that can be seen, None where none is measured.
    """

    box: tuple[float, float, float, float]
    landmarks: dict[str, tuple[float, float]] = field(hash=False)
    confidence: float
    view: View
    sharpness: float
    exposure: float = 0.5
    blur: float = 0.0
    opening: float | None = None


@dataclass(frozen=True)
class Grade:
    """What the model says of one unit in one frame.

    `grade` is None where the unit is not scorable, then `reason` says why; `probabilities` are
    those of each grade given that the unit is scorable, `scorable` the probability that it is.
    `possible` is the prediction set of a graded unit, the grades that can be meant in rising order;
    None where nothing is graded or no sets were calibrated.
    """

    unit: str
    grade: int | None
    reason: str | None
    probabilities: tuple[float, ...]
    scorable: float
    possible: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Prediction:
    """What the model says of one frame; `reason` is set where the whole frame is not scorable.

    `index` is the place of the frame in the recording from 0, -1 where it was reached by jumping
    and not counted; `unfamiliar` says that the face is unlike all that the model has learnt from.
    """

    key: FrameKey
    index: int
    time_s: float
    state: str
    face: Face | None
    grades: tuple[Grade, ...]
    image_score: float | None
    reason: str | None
    unfamiliar: bool = False


@dataclass(frozen=True)
class Vote:
    """One rater's grade of one unit (`grade`), or why it was not scorable (`reason`)."""

    rater: str
    unit: str
    grade: int | None
    reason: str | None
    weight: float
    source: str


Record = TypeVar("Record")


def to_json(record: Any) -> dict[str, Any]:
    """A record as plain dictionaries, lists, strings and numbers."""
    return dataclasses.asdict(record)


def from_json(kind: type[Record], data: dict[str, Any]) -> Record:
    """The record of type `kind` that `to_json` or its JSON text stood for.

    Unknown fields are ignored, so that an older program reads a newer file; a missing one without a
    default raises TypeError.
    """
    hints = _hints(kind)  # type: ignore[arg-type]  # a class is hashable
    known = {name: value for name, value in data.items() if name in hints}
    return kind(**{name: _value(hints[name], value) for name, value in known.items()})


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    """The types of a record's fields; resolving them takes far longer than reading a record."""
    return get_type_hints(kind)


@cache
def _plain(hint: Any) -> bool:
    """Whether JSON has such a value as it is."""
    if get_origin(hint) in (Union, types.UnionType):
        return all(_plain(argument) for argument in get_args(hint))
    return get_origin(hint) is Literal or hint in (str, int, bool, type(None))


def _value(hint: Any, value: Any) -> Any:
    if _plain(hint):
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        inner = [argument for argument in arguments if argument is not type(None)]
        return _value(inner[0], value)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_value(arguments[0], item) for item in value)
        return tuple(_value(part, item) for part, item in zip(arguments, value, strict=True))
    if origin is dict:
        return {key: _value(arguments[1], item) for key, item in value.items()}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return from_json(hint, value)
    if hint is float and value is not None:
        return float(value)
    return value

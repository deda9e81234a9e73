"""MediaFacts: what is measured once when a recording comes in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Protocol

import cv2
import numpy as np

from models.media.burned_text import TextLook
from models.media.frames import Frame, Picture
from models.media.private_tags import private_tags, tells_a_place
from models.media.stills import Stills
from models.media.video import Video
from models.records import Face, MediaFacts, View

SAMPLES = 64
BLACK, WHITE = 20, 235
CREATION_KEYS = ("creation_time", "com.apple.quicktime.creationdate", "date")


class Finds(Protocol):
    """Whoever sees faces, as `models.named_finder.NamedFinder` does."""

    @property
    def name(self) -> str: ...

    def face(self, luma: Picture) -> Face | None: ...


@dataclass(frozen=True)
class _Sample:
    index: int
    sharpness: float
    brightness: float
    grey: bool
    black: float
    white: float
    edge: float
    view: View | None
    head: float


class _Samples:
    """Evenly spread measurements of a film of unknown length, in bounded memory.

    Keeps every `stride`-th frame and doubles the stride whenever twice SAMPLES are held.
    """

    def __init__(self, finder: Finds | None) -> None:
        self.stride = 1
        self.finder = finder
        self.kept: list[_Sample] = []
        self.text = TextLook()

    def see(self, frame: Frame) -> None:
        if frame.index % self.stride:
            return
        self.kept.append(_sample(frame, self.finder))
        self.text.see(frame.luma)
        if len(self.kept) >= 2 * SAMPLES:
            self.stride *= 2
            self.kept = [sample for sample in self.kept if sample.index % self.stride == 0]

    def median(self, what: Callable[[_Sample], float]) -> float:
        return median(what(sample) for sample in self.kept)

    def view(self) -> View | None:
        if self.finder is None:
            return None
        seen = Counter(sample.view for sample in self.kept if sample.view is not None)
        return seen.most_common(1)[0][0] if seen else "none"

    def faces_share(self) -> float | None:
        if self.finder is None:
            return None
        return sum(sample.view is not None for sample in self.kept) / len(self.kept)

    def head_side(self) -> float | None:
        sides = [sample.head for sample in self.kept if sample.view is not None]
        return median(sides) if sides else None

    def telling(self, text: bool) -> dict[str, int]:
        """The frames that show best what may be wrong; the first of equals."""
        faces = [sample for sample in self.kept if sample.view is not None]
        aside = [sample for sample in faces if sample.view == "profile"]
        bare = [sample for sample in self.kept if sample.view is None]
        found = {
            "dark": max(self.kept, key=lambda sample: sample.black),
            "burnt": max(self.kept, key=lambda sample: sample.white),
            "soft": min(self.kept, key=lambda sample: sample.sharpness),
        }
        if faces:
            found["small"] = min(faces, key=lambda sample: sample.head)
        if aside:
            found["profile"] = aside[len(aside) // 2]
        if self.finder is not None and bare:
            found["faceless"] = bare[len(bare) // 2]
        if text:
            found["text"] = self.kept[len(self.kept) // 2]
        return {name: sample.index for name, sample in found.items()}


def measure(
    media: Video | Stills,
    seen: Callable[[Frame], None] | None = None,
    finder: Finds | None = None,
) -> MediaFacts:
    """Decode everything once and state what it is; raises Unreadable where nothing decodes.

    `seen` is called with every frame: a long film takes a while, and somebody may want to know.
    `finder` looks for a face in 64 to 127 sampled frames (fewer in a shorter film).
    """
    samples = _Samples(finder)
    count = first = last = 0
    shortest, longest = None, 0
    for frame in media:
        samples.see(frame)
        if seen is not None:
            seen(frame)
        if count == 0:
            first = frame.pts
        else:
            gap = frame.pts - last
            shortest = gap if shortest is None else min(shortest, gap)
            longest = max(longest, gap)
        last = frame.pts
        count += 1
    text = samples.text.boxes()
    tick = media.time_base[0] / media.time_base[1]
    mean_gap = (last - first) / (count - 1) if count > 1 else 0.0
    is_video = isinstance(media, Video)
    # A film of one frame lasts one nominal frame.
    length = (last - first + mean_gap) if count > 1 else getattr(media, "nominal_gap", 0)
    # Time bases in milliseconds make gaps of 33, 33, 34: that is no variable rate.
    variable = shortest is not None and longest - shortest > max(2.0, 0.1 * mean_gap)
    metadata = {key.lower(): value for key, value in media.metadata.items()}
    return MediaFacts(
        kind=media.kind,
        container=media.container_name,
        codec=media.codec,
        pixel_format=media.pixel_format,
        width=media.width,
        height=media.height,
        rotation=media.orientation.rotation if isinstance(media, Video) else 0,
        frame_count=count,
        duration_s=length * tick if is_video else 0.0,
        average_fps=1.0 / (mean_gap * tick) if is_video and mean_gap else 0.0,
        variable_rate=variable if is_video else False,
        time_base=media.time_base,
        first_pts=first,
        has_audio=media.has_audio,
        has_location_tag=tells_a_place(private_tags(media.path)),
        creation_time=next((metadata[key] for key in CREATION_KEYS if key in metadata), None),
        decoder=media.decoder,
        problems=media.problems,
        sharpness_median=samples.median(lambda sample: sample.sharpness),
        brightness_median=samples.median(lambda sample: sample.brightness),
        grayscale=all(sample.grey for sample in samples.kept),
        interlaced=media.interlaced,
        black_share=samples.median(lambda sample: sample.black),
        white_share=samples.median(lambda sample: sample.white),
        faces_share=samples.faces_share(),
        faces_looked=0 if finder is None else len(samples.kept),
        view=samples.view(),
        finder=None if finder is None else finder.name,
        head_side=samples.head_side(),
        edge_brightness=samples.median(lambda sample: sample.edge),
        text_boxes=text,
        telling=samples.telling(bool(text)),
    )


def _sample(frame: Frame, finder: Finds | None) -> _Sample:
    luma = frame.luma
    step = max(1, max(luma.shape) // 160)
    small = frame.image[::step, ::step].astype(np.int16)
    colour = np.percentile(small.max(axis=2) - small.min(axis=2), 95)
    few = luma[::step, ::step]
    face = None if finder is None else finder.face(luma)
    return _Sample(
        index=frame.index,
        sharpness=float(cv2.Laplacian(luma, cv2.CV_32F).var()),
        brightness=float(luma.mean()),
        grey=bool(colour < 8),
        black=float((few <= BLACK).mean()),
        white=float((few >= WHITE).mean()),
        edge=_edge(few),
        view=None if face is None else face.view,
        head=0.0 if face is None else _shorter_side(face),
    )


def _edge(luma: Picture) -> float:
    """The mean of the outer tenth on all four sides: mostly cage and wall, hardly the animal."""
    high, wide = (max(1, round(0.1 * side)) for side in luma.shape)
    outer = np.ones(luma.shape, bool)
    outer[high:-high, wide:-wide] = False
    return float(luma[outer].mean())


def _shorter_side(face: Face) -> float:
    x0, y0, x1, y1 = face.box
    return min(x1 - x0, y1 - y0)

"""MediaFacts: what is measured once when a recording comes in."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import cv2
import numpy as np

from models.media.frames import Frame
from models.media.stills import Stills
from models.media.video import Video
from models.records import MediaFacts

SAMPLES = 64
LOCATION_WORDS = ("location", "gps", "xyz")
CREATION_KEYS = ("creation_time", "com.apple.quicktime.creationdate", "date")


class _Samples:
    """Evenly spread measurements of a film of unknown length, in bounded memory.

    Keeps every `stride`-th frame and doubles the stride whenever twice SAMPLES are held.
    """

    def __init__(self) -> None:
        self.stride = 1
        self.kept: list[tuple[int, float, float, bool]] = []

    def see(self, frame: Frame) -> None:
        if frame.index % self.stride:
            return
        self.kept.append((frame.index, *_appearance(frame)))
        if len(self.kept) >= 2 * SAMPLES:
            self.stride *= 2
            self.kept = [sample for sample in self.kept if sample[0] % self.stride == 0]


def measure(media: Video | Stills, seen: Callable[[Frame], None] | None = None) -> MediaFacts:
    """Decode everything once and state what it is; raises Unreadable where nothing decodes.

    `seen` is called with every frame: a long film takes a while, and somebody may want to know.
    """
    samples = _Samples()
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
        has_location_tag=any(word in key for key in metadata for word in LOCATION_WORDS),
        creation_time=next((metadata[key] for key in CREATION_KEYS if key in metadata), None),
        decoder=media.decoder,
        problems=media.problems,
        sharpness_median=median(sample[1] for sample in samples.kept),
        brightness_median=median(sample[2] for sample in samples.kept),
        grayscale=all(sample[3] for sample in samples.kept),
        interlaced=media.interlaced,
    )


def _appearance(frame: Frame) -> tuple[float, float, bool]:
    luma = frame.luma
    sharpness = float(cv2.Laplacian(luma, cv2.CV_32F).var())
    step = max(1, max(luma.shape) // 160)
    small = frame.image[::step, ::step].astype(np.int16)
    colour = np.percentile(small.max(axis=2) - small.min(axis=2), 95)
    return sharpness, float(luma.mean()), bool(colour < 8)

"""A clip of the phantom: rendered frames encoded as H.264, and the truth of every frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from models.phantom.look import Picture
from models.phantom.motion import ClipPlan, course
from models.phantom.render import render_face
from models.phantom.truth import FaceTruth
from models.scale import Scale, load_scale


@dataclass(frozen=True)
class FrameTruth:
    """What is true of one frame of a clip; `frame` counts from 0 in presentation order."""

    frame: int
    time_s: float
    face: FaceTruth


def frames(
    plan: ClipPlan, seed: int, scale: Scale | None = None
) -> Iterator[tuple[Picture, FrameTruth]]:
    """The pictures of a clip before compression, with their truth."""
    scale = scale or load_scale()
    for index, params in enumerate(course(plan, scale, seed)):
        picture, face = render_face(params, scale)
        yield picture, FrameTruth(index, index / plan.fps, face)


def write_clip(
    path: Path, plan: ClipPlan, seed: int, scale: Scale | None = None
) -> list[FrameTruth]:
    """Write a clip as an H.264 MP4 file; the same plan and seed give the same bytes."""
    truth = []
    tick = Fraction(1, plan.fps)
    with av.open(str(path), "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libx264", rate=plan.fps)
        stream.width, stream.height = plan.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = tick
        # One thread: x264 is reproducible then, and a study renders several clips at once.
        stream.codec_context.thread_count = 1
        stream.options = {
            "preset": "veryfast",
            "crf": str(plan.look.quality),
            "g": str(2 * plan.fps),
            "threads": "1",
            # Its macroblock tree is not reproducible when other work runs between frames.
            "x264-params": "no-mbtree=1",
        }
        for picture, frame_truth in frames(plan, seed, scale):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = frame_truth.frame, tick
            container.mux(stream.encode(frame))
            truth.append(frame_truth)
        container.mux(stream.encode())
    return truth

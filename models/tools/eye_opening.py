"""The tool *eye opening*: how open the eyes are over time, blinks, and how long they are shut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from models.tools.protocol import Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option

if TYPE_CHECKING:
    from models.tools.course import Array

FEWEST = 5
"""Frames with an eye under which nothing is said."""
FRAMES_PER_BLINK = 3
"""Frames that the longest blink must span for blinks to be counted at all."""
REOPENED = 1.5
"""An eye is open again above that many times what counts as shut: one half shut does not blink."""
RATE_S = 10.0
"""Seconds with an eye under which no rate of blinks is given."""
HELD_S = 0.25
"""A gap of that many seconds between frames with an eye ends a stretch: what was between?"""


@dataclass(frozen=True)
class Shut:
    """A stretch of shut eyes in seconds; `ended` says that open eyes were seen on both sides."""

    t0: float
    t1: float
    ended: bool


class EyeOpening:
    """Reads the eyes frame by frame; grades nothing."""

    name: ClassVar[str] = "eye-opening"
    version: ClassVar[str] = "1.0"
    title: ClassVar[str] = "Eye opening"
    summary: ClassVar[str] = (
        "Height over width of the eye in every frame that shows one, from four landmarks round it: "
        "its course over time, blinks, and the share of time the eyes are shut. It is a "
        "measurement and no grade; a shut eye may be sleep, a blink, grooming or pain."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("video", "still")
    gives_grades: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params:
        """When an eye counts as shut, and what a blink is."""

        shut_below: float = option(
            0.3,
            title="Shut below",
            help="An eye whose height is a smaller share of its width than this counts as shut. "
            "An open eye reaches 0.7 or more; in a real film of shut ones the reader said at most "
            "0.25.",
            least=0.02,
            most=0.9,
        )
        longest_blink_s: float = option(
            0.5,
            title="Longest blink",
            help="Eyes that stay shut for longer than this do not blink, they are shut.",
            least=0.05,
            most=5,
            unit="seconds",
        )

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Measure one recording; raises Unreadable."""
        import numpy as np

        from models.tools.course import curve, frame_gap, percent, write_table

        rows = list(_measured(media, context))
        still = bool(rows) and rows[0]["alone"]
        times = np.array([row["time_s"] for row in rows], np.float64)
        opening = np.array(
            [np.nan if row["opening"] is None else row["opening"] for row in rows], np.float64
        )
        names = ("frame", "time_s", "opening", "left_eye", "right_eye", "view", "confidence")
        cells = ([row[name] for name in names] for row in rows)
        write_table(context.folder / "eye_opening.csv", names, cells, context)
        known = np.isfinite(opening)
        number, seen = len(rows), int(known.sum())
        if seen < (1 if still else FEWEST):
            return ToolResult(
                sentence=f"No eye opening: an eye was seen in {seen} of {_frames(number)}.",
                outcome="nothing_found",
                figures=(_share("Frames with an eye", seen, number),),
                advice=(
                    "Film the face from the front or the side, filling a third of the picture.",
                ),
                summary={"frames": number, "frames_with_an_eye": seen},
                files=("eye_opening.csv",),
            )
        mean = float(np.nanmean(opening))
        shut = float((opening[known] < params.shut_below).mean())
        summary: dict[str, Any] = {
            "frames": number,
            "frames_with_an_eye": seen,
            "mean_opening": mean,
            "median_opening": float(np.nanmedian(opening)),
            "shut_share": shut,
        }
        figures = [
            Figure("Mean opening (height ÷ width)", mean),
            Figure("Share of frames with an eye in which it is shut", shut, share=True, digits=0),
            _share("Frames with an eye", seen, number),
        ]
        sentence = (
            f"The eyes are {mean:.2f} of their width open on average. They are seen in {seen} of "
            f"{_frames(number)}, and shut in {percent(shut)} of those."
        )
        advice: tuple[str, ...] = ()
        if not still:
            gap = frame_gap(times) or math.inf
            told, extra, advice = _blinks(times, opening, gap, params)
            sentence += f" {told}"
            summary |= extra
            figures[2:2] = [
                Figure("Blinks per minute", extra["blinks_per_minute"], digits=1),
                Figure("Longest time shut", extra["longest_shut_s"], "s", 1),
            ]
        return ToolResult(
            sentence=sentence,
            figures=tuple(figures),
            curves=() if still else (curve("Eye opening", times, opening, "height ÷ width"),),
            advice=advice,
            summary=summary,
            files=("eye_opening.csv",),
        )


def _measured(media: Path, context: ToolContext) -> Iterator[dict[str, Any]]:
    """One row per frame: both eyes and their mean, None where no eye is seen."""
    import numpy as np

    from models.eyes import EYE_POINTS, EYES, opening
    from models.media import open_media

    with open_media(media) as opened:
        length = float(getattr(opened, "stated_s", None) or 0.0)
        alone = opened.kind == "stills"
    sure = context.bundle.crop.minimum_confidence
    for some in context.looker.looks(media, problems=context.problems):
        for frame, face in some:
            there = face.confidence >= sure
            eyes: dict[str, float | None] = dict.fromkeys(EYES)
            for eye in EYES:
                points = [face.landmarks.get(name) for name in EYE_POINTS[eye]]
                if there and all(point is not None for point in points):
                    eyes[eye] = round(float(opening(np.array(points, np.float64))), 4)
            yield {
                "frame": frame.index,
                "time_s": round(frame.time_s, 6),
                "opening": round(face.opening, 4) if there and face.opening is not None else None,
                **eyes,
                "view": face.view if there else None,
                "confidence": round(face.confidence, 3),
                "alone": alone,
            }
        at = some[-1][0].time_s
        context.progress(min(at / length, 0.97) if length else 0.5, "reading the eyes")


def shut_stretches(times: Array, opening: Array, below: float) -> list[Shut]:
    """The stretches of shut eyes (n,) at `times` (n,); frames without an eye (NaN) are bridged.

    Shut eyes open again above REOPENED times `below`; what lies between changes nothing.

    A gap longer than HELD_S between frames with an eye ends a stretch, and what it ends is not
    `ended`: nobody saw the eyes open again. A stretch begins half-way from the last open frame.
    """
    import numpy as np

    known = np.flatnonzero(np.isfinite(opening))
    found: list[Shut] = []
    start: float | None = None
    seen_open = was_open = False
    last = -math.inf
    for row in known:
        at, value = float(times[row]), float(opening[row])
        gone = at - last > HELD_S
        if start is not None and gone:
            found.append(Shut(start, last, False))
            start = None
        # Open once, open until shut: eyes that are half open after a gap were not seen to open.
        was_open = was_open and not gone
        if start is not None and value >= REOPENED * below:
            found.append(Shut(start, (last + at) / 2, seen_open))
            start = None
        elif start is None and value < below:
            seen_open = was_open
            start = (last + at) / 2 if seen_open else at
        was_open = start is None and (was_open or value >= REOPENED * below)
        last = at
    if start is not None:
        found.append(Shut(start, last, False))
    return found


def _blinks(
    times: Array, opening: Array, gap: float, params: EyeOpening.Params
) -> tuple[str, dict[str, Any], tuple[str, ...]]:
    """What is said of blinks, the numbers, and advice."""
    import numpy as np

    from models.tools.course import spans

    stretches = shut_stretches(times, opening, params.shut_below)
    longest = max((one.t1 - one.t0 for one in stretches), default=0.0)
    seconds = float(spans(times)[np.isfinite(opening)].sum())
    extra: dict[str, Any] = {
        "longest_shut_s": round(longest, 3),
        "seconds_with_an_eye": round(seconds, 3),
        "blinks": None,
        "blinks_per_minute": None,
        "frames_per_second": round(1 / gap, 3) if gap else None,
    }
    if params.longest_blink_s < FRAMES_PER_BLINK * gap:
        return (
            f"Blinks were not counted: at {1 / gap:.1f} frames per second one falls between "
            "frames.",
            extra,
            (f"Film at {math.ceil(FRAMES_PER_BLINK / params.longest_blink_s)} frames per second or "
             "more to count blinks.",),
        )  # fmt: skip
    blinks = [one for one in stretches if one.ended and one.t1 - one.t0 <= params.longest_blink_s]
    extra["blinks"] = len(blinks)
    extra["blinks_per_minute"] = round(60 * len(blinks) / seconds, 3) if seconds >= RATE_S else None
    counted = "is 1 blink" if len(blinks) == 1 else f"are {len(blinks)} blinks"
    return (
        f"There {counted} in {seconds:.1f} seconds with an eye in view; the "
        f"eyes stay shut for {longest:.1f} s at the longest.",
        extra,
        (),
    )


def _share(title: str, part: int, whole: int) -> Figure:
    return Figure(title, part / whole if whole else None, share=True, digits=0)


def _frames(number: int) -> str:
    return f"{number} frame" + ("" if number == 1 else "s")

"""The tool *motion index*: how much the picture changes over time, for activity and sedation."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from models.tools.protocol import Figure, Kind, ToolContext, ToolResult
from models.tools.schema import option

LAG_S = 0.08
"""Frames are compared with the last one at least this much earlier, whatever the frame rate."""
LONGEST_LAG_S = 0.5
"""Across a longer gap nothing is said: the picture may have changed for any reason."""
FEWEST_S = 0.5
"""Seconds of compared frames under which there is no index."""
LIMITS = (
    "Everything that changes in the picture counts: the animal, a second one, the camera, a hand, "
    "flicker. Compare recordings of one camera, distance, cage and light only. It does not measure "
    "the depth of sedation, and little motion is neither sleep nor comfort."
)


class MotionIndex:
    """Compares frames of a film; needs no model."""

    name: ClassVar[str] = "motion-index"
    version: ClassVar[str] = "1.0"
    title: ClassVar[str] = "Motion index"
    summary: ClassVar[str] = (
        "Activity in a film from a camera that does not move: the mean absolute change of the "
        "picture per second, the share of it that moves, and how long it is still. It helps to "
        "tell sedated or exhausted animals from active ones."
    )
    accepts: ClassVar[tuple[Kind, ...]] = ("video",)
    gives_grades: ClassVar[bool] = False

    @dataclass(frozen=True)
    class Params:
        """What counts as motion."""

        side: int = option(
            160,
            title="Picture size",
            help="Longer side of the reduced picture that is compared; noise of the camera fades "
            "the smaller it is.",
            least=32,
            most=640,
            unit="pixels",
        )
        least_change: int = option(
            12,
            title="Least change",
            help="A part of the picture moves where it changes by more than this, of 255 grey "
            "levels, between frames 0.08 seconds apart.",
            least=1,
            most=128,
            unit="grey levels",
        )
        still_share: float = option(
            0.002,
            title="Still below",
            help="The animal is still while a smaller share of the picture than this moves.",
            least=0,
            most=1,
        )
        even_light: bool = option(
            True,
            title="Even out the light",
            help="Take out changes that the whole picture shares, such as flicker and clouds.",
        )

    def run(self, media: Path, params: Params, context: ToolContext) -> ToolResult:
        """Measure one film; raises Unreadable."""
        import numpy as np

        from models.tools.course import curve, percent, rounded, spans, write_table

        rows = np.array(list(_compared(media, params, context)), np.float64).reshape(-1, 3)
        times, change, moving = rows.T
        write_table(
            context.folder / "motion.csv",
            ("time_s", "change_per_second", "moving_share"),
            zip(rounded(times, 6), rounded(change, 6), rounded(moving, 6), strict=True),
            context,
        )
        known = np.isfinite(change)
        lasting = spans(times)
        seconds = float(lasting[known].sum())
        if seconds < FEWEST_S:
            return ToolResult(
                sentence=f"No motion index: {len(times)} frame{'' if len(times) == 1 else 's'} "
                f"over {seconds:.1f} seconds could be compared, and it takes {FEWEST_S} seconds.",
                outcome="nothing_found",
                advice=("Send a film of some seconds; a minute or more says something.",),
                summary={"frames": len(times), "seconds_compared": round(seconds, 3)},
                files=("motion.csv",),
            )
        weight = lasting[known] / seconds
        index = float((change[known] * weight).sum())
        share = float((moving[known] * weight).sum())
        quiet = known & (moving < params.still_share)
        still = float(lasting[quiet].sum() / seconds)
        longest = _longest(quiet, lasting)
        return ToolResult(
            sentence=f"The motion index is {percent(index, 2)} of full scale per second over "
            f"{seconds:.1f} seconds; {percent(share, 2)} of the picture moves on average, and it "
            f"is still for {percent(still)} of the time, {longest:.1f} s at the longest.",
            figures=(
                Figure("Motion index (change per second)", index, digits=2, share=True),
                Figure("Share of the picture that moves", share, digits=2, share=True),
                Figure("Time still", still, share=True, digits=0),
                Figure("Longest time still", longest, "s", 1),
            ),
            curves=(
                curve("Motion index", times, 100 * change, "% per second"),
                curve("Moving share", times, 100 * moving, "% of the picture"),
            ),
            advice=(LIMITS,),
            summary={
                "frames": len(times),
                "seconds_compared": round(seconds, 3),
                "motion_index": index,
                "moving_share": share,
                "still_share": still,
                "longest_still_s": round(longest, 3),
                "lag_s": LAG_S,
            },
            files=("motion.csv",),
        )


def _compared(
    media: Path, params: MotionIndex.Params, context: ToolContext
) -> Iterator[tuple[float, float, float]]:
    """Time, mean absolute change per second (of full scale) and moving share of each frame.

    Both are NaN for frames without an earlier one to compare with. The moving share is that between
    the two frames, which lie LAG_S apart or one frame more.
    """
    import contextlib

    import cv2
    import numpy as np

    from models.media import decoded_ahead, open_media
    from models.media.video import Video

    with open_media(media) as opened:
        length = float(getattr(opened, "stated_s", None) or 0.0)
        source = decoded_ahead(opened) if isinstance(opened, Video) else iter(opened)
        before: deque[tuple[float, Any]] = deque()
        with contextlib.closing(source) as frames:  # type: ignore[type-var]
            for count, frame in enumerate(frames):
                height, width = frame.luma.shape
                scale = min(1.0, params.side / max(height, width))
                size = (max(1, round(width * scale)), max(1, round(height * scale)))
                small = cv2.resize(frame.luma, size, interpolation=cv2.INTER_AREA).astype(np.int16)
                while len(before) > 1 and frame.time_s - before[1][0] >= LAG_S - 1e-6:
                    before.popleft()
                lag = frame.time_s - before[0][0] if before else 0.0
                known = bool(before) and LAG_S - 1e-6 <= lag <= LONGEST_LAG_S
                change = moving = float("nan")
                if known and before[0][1].shape == small.shape:
                    difference = small - before[0][1]
                    if params.even_light:
                        difference = difference - np.int16(round(float(np.median(difference))))
                    apart = np.abs(difference)
                    change = float(apart.mean()) / 255 / lag
                    moving = float((apart > params.least_change).mean())
                yield frame.time_s, change, moving
                before.append((frame.time_s, small))
                if count % 25 == 0:
                    context.progress(
                        min(frame.time_s / length, 0.97) if length else 0.5, "comparing frames"
                    )
        context.problems += opened.problems


def _longest(quiet: Any, lasting: Any) -> float:
    """The longest run of quiet frames in seconds."""
    longest = run = 0.0
    for is_quiet, seconds in zip(quiet.tolist(), lasting.tolist(), strict=True):
        run = run + seconds if is_quiet else 0.0
        longest = max(longest, run)
    return longest

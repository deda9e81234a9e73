"""Which frame a number or a time in a sheet means: stated rules, as pure functions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

from curation.labels.rows import UnknownFormat


def rule(frames_from: int) -> str:
    """The rule for frame numbers in words, to be shown beside the preview."""
    return (
        f"Frames are counted from {frames_from}, in the order in which a player shows them: frame "
        f"{frames_from} is the first picture."
    )


def pts_of_frame(number: int, pts: Sequence[int], frames_from: int = 0) -> int:
    """Return the timestamp of the frame that a sheet calls `number`.

    `pts` are the timestamps of all frames of the recording in rising order, in ticks of its time
    base. Raises `UnknownFormat` where the recording has no such frame.
    """
    place = number - frames_from
    if not 0 <= place < len(pts):
        last = len(pts) - 1 + frames_from
        raise UnknownFormat(
            f"There is no frame {number}: the recording has frames {frames_from} to {last}, "
            f"counted from {frames_from}."
        )
    return pts[place]


def pts_at_time(time_s: float, pts: Sequence[int], time_base: tuple[int, int]) -> int:
    """Return the timestamp of the frame on the screen `time_s` seconds after the first frame.

    That is the last frame that began at or before the time; a microsecond of rounding in the sheet
    is allowed for. `pts` rise, in ticks of `time_base` seconds (a fraction). Raises `UnknownFormat`
    before the first frame and where there are no frames. The end of the last frame is not known
    here, so a time behind it means the last frame.
    """
    if not pts or time_s < 0:
        raise UnknownFormat(f"The recording shows nothing at {time_s:g} s.")
    ticks = (Fraction(time_s) + Fraction(1, 1_000_000)) / Fraction(*time_base) + pts[0]
    return pts[bisect_right(pts, ticks) - 1]

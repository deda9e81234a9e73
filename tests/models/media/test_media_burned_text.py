"""Burned-in text: found where it was drawn, and nowhere in recordings without any."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.media import open_media
from models.media.burned_text import TextLook, framed, text_lines
from models.media.frames import Picture
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.scale import load_scale

Find = Callable[[str], Path]
Box = tuple[float, float, float, float]
BARE = [
    "mouse-video-side/head_fixed_side.mp4",
    "mouse-video-side/treadmill_mirror_250fps.mp4",
    "videos-odd/video_180.mov",
    "videos-odd/video_270.mov",
    "eye-closeups/velocity_frames",
]
WITH_TEXT = ["videos-odd/h264_10bits.mp4", "videos-odd/video_0.mov"]
"""A clock that was burned in, and the lettering of a keyboard."""
WORDS = ["2026-03-11 14:07:59", "CARPROFEN 24h", "baseline M12", "Cage 4 sham", "vehicle"]


def lumas(path: Path, most: int = 4) -> list[Picture]:
    with open_media(path) as media:
        return [frame.luma for frame in islice(media, 0, most * 8, 8)]


def looked(pictures: list[Picture]) -> tuple[Box, ...]:
    look = TextLook()
    for one in pictures:
        look.see(one)
    return look.boxes()


def written(picture: Picture, words: str, corner: str, pixels: int) -> tuple[Picture, Box]:
    """The picture with words whose capitals are so many pixels high, and where they stand.

    They are white, and black on a clearly light ground, as a camera program writes.
    """
    made = np.ascontiguousarray(picture).copy()
    high, wide = made.shape
    scale, thick = pixels / 22, 1 if pixels < 16 else 2
    (width, tall), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    left = 6 if corner[1] == "l" else wide - width - 6
    bottom = tall + 6 if corner[0] == "t" else high - below - 5
    ground = float(made[bottom - tall : bottom, max(left, 0) : left + width].mean())
    level, font = (255 if ground < 160 else 0), cv2.FONT_HERSHEY_SIMPLEX
    cv2.putText(made, words, (left, bottom), font, scale, level, thick, cv2.LINE_AA)
    top, under = (bottom - tall) / high, (bottom + below) / high
    return made, (left / wide, top, (left + width) / wide, under)


@pytest.fixture(scope="module")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> list[list[Picture]]:
    """Two rendered clips, one of each of the first two coats."""
    folder = tmp_path_factory.mktemp("phantom")
    found = []
    for seed, coat in enumerate(load_scale().coats[:2]):
        plan = ClipPlan(coat=coat, look=Look(), animal=seed, pain=0.5, duration_s=1.5)
        write_clip(folder / f"{seed}.mp4", plan, seed)
        found.append(lumas(folder / f"{seed}.mp4"))
    return found


@pytest.mark.parametrize("name", BARE)
def test_real_recordings_without_text_raise_no_alarm(real: Find, name: str) -> None:
    assert looked(lumas(real(name))) == ()


@pytest.mark.parametrize("name", WITH_TEXT)
def test_real_text_is_found(real: Find, name: str) -> None:
    assert looked(lumas(real(name)))


def test_real_stills_without_text_raise_no_alarm(real: Find) -> None:
    alarms = [path.name for path in _stills(real)[:30] if looked(lumas(path))]
    assert alarms == []


def _stills(real: Find) -> list[Path]:
    return sorted(real("mouse-faces-side").glob("*.jpg"))


def test_rendered_clips_raise_no_alarm(phantom: list[list[Picture]]) -> None:
    assert [looked(clip) for clip in phantom] == [(), ()]


@pytest.mark.parametrize(("corner", "least"), [("tl", 1.0), ("tr", 1.0), ("bl", 0.7), ("br", 0.7)])
def test_words_in_a_corner_are_found_where_they_stand(
    phantom: list[list[Picture]], corner: str, least: float
) -> None:
    """On the grains of the bedding, below, letters may be lost; above none is."""
    found = []
    for words in WORDS:
        for clip in phantom:
            drawn = [written(one, words, corner, 20) for one in clip]
            boxes = looked([shown for shown, _ in drawn])
            found.append(bool(boxes))
            left, top, right, bottom = drawn[0][1]
            for x0, y0, x1, y1 in boxes:
                assert left - 0.03 <= x0 < x1 <= right + 0.03
                assert top - 0.03 <= y0 < y1 <= bottom + 0.03
    assert sum(found) >= least * len(found)


def test_a_clock_whose_digits_change_is_found(phantom: list[list[Picture]]) -> None:
    for clip in phantom:
        clocks = [f"14:07:{n:02d}.{n * 7 % 10}" for n in range(len(clip))]
        drawn = [written(one, clock, "tl", 20) for one, clock in zip(clip, clocks, strict=True)]
        assert looked([shown for shown, _ in drawn])


def test_bars_and_holes_in_a_row_are_no_text() -> None:
    bars = np.full((480, 640), 60, np.uint8)
    for left in range(40, 600, 24):
        bars[20:44, left : left + 10] = 220
    assert text_lines(bars) == ()
    holes = np.full((480, 640), 180, np.uint8)
    for left in range(40, 600, 30):
        cv2.circle(holes, (left, 440), 9, 20, -1)
    assert text_lines(holes) == ()


def test_nothing_seen_is_nothing_found() -> None:
    assert TextLook().boxes() == ()


def test_a_frame_is_drawn_round_what_was_found() -> None:
    image = np.zeros((100, 200, 3), np.uint8)
    shown = framed(image, ((0.1, 0.1, 0.4, 0.3),))
    assert shown.any()
    assert not image.any()

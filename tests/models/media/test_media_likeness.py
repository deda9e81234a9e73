"""Copies of a recording look alike however they were coded; other recordings do not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from models.media import Frame, open_media
from models.media.frames import Picture
from models.media.likeness import (
    Likeness,
    likeness,
    match,
    nearness,
    picture_hash,
    signature,
)
from models.phantom.clip import write_clip
from models.phantom.motion import ClipPlan
from models.phantom.plans import demo_plan
from models.scale import load_scale

Change = Callable[[Picture], Picture]
# What lies between the copies and the others in these few clips; no limit for real recordings.
ALIKE, MOVES_ALIKE = 0.2, 0.2


def like(path: Path) -> Likeness:
    with open_media(path) as media:
        return likeness(media)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three animals, and the first of them once more."""
    folder = tmp_path_factory.mktemp("clips")
    scale, look = load_scale(), demo_plan().labs[0].look
    paths = []
    for number, animal in enumerate((0, 1, 2, 0)):
        plan = ClipPlan(
            scale.coats[animal % 2], look, animal, 0.3, duration_s=5.0, fps=6, size=(160, 120)
        )
        paths.append(folder / f"clip{number}.mp4")
        write_clip(paths[-1], plan, seed=number)
    return paths


def changed(source: Path, target: Path, change: Change, from_s: float = 0.0) -> Path:
    """The film coded anew, strongly, each picture changed, from a time on."""
    with open_media(source) as old, av.open(str(target), "w") as new:
        stream = None
        for frame in old:
            if frame.time_s < from_s:
                continue
            picture = np.ascontiguousarray(change(frame.image))
            height, width = (side // 2 * 2 for side in picture.shape[:2])
            if stream is None:
                stream = new.add_stream("libx264", options={"crf": "34", "threads": "1"})
                stream.codec_context.thread_count = 1
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            made = av.VideoFrame.from_ndarray(picture[:height, :width].copy(), format="rgb24")
            made.pts, made.time_base = round((frame.time_s - from_s) * 1000), Fraction(1, 1000)
            new.mux(stream.encode(made))
        assert stream is not None
        new.mux(stream.encode())
    return target


CHANGES: dict[str, Change] = {
    "coded anew": lambda picture: picture,
    "half the size": lambda picture: cv2.resize(picture, None, fx=0.5, fy=0.5),
    "stretched": lambda picture: cv2.resize(picture, None, fx=1.7, fy=1.3),
    "cropped": lambda picture: picture[3:-3, 4:-4],
    "brighter": lambda picture: np.clip(picture * 1.2 + 10, 0, 255).astype(np.uint8),
    "mirrored": lambda picture: picture[:, ::-1],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_copy_is_recognised_however_it_was_changed(
    clips: list[Path], tmp_path: Path, name: str
) -> None:
    copy = changed(clips[0], tmp_path / "copy.mp4", CHANGES[name])
    found = match(like(clips[0]), like(copy))
    assert found.distance < ALIKE
    assert found.motion is not None
    assert found.motion < MOVES_ALIKE
    assert found.mirrored == (name == "mirrored")
    assert found.shift_s == 0


def test_a_part_of_a_recording_is_found_at_its_place(clips: list[Path], tmp_path: Path) -> None:
    part = changed(clips[1], tmp_path / "part.mp4", CHANGES["coded anew"], from_s=1.5)
    found = match(like(part), like(clips[1]))
    assert found.distance < ALIKE
    assert found.shift_s == 1.5


def test_other_recordings_are_not_taken_for_copies(clips: list[Path]) -> None:
    for one, other in itertools.combinations([like(path) for path in clips], 2):
        found = match(one, other)
        assert found.distance > ALIKE or (found.motion or 1.0) > MOVES_ALIKE
        assert match(other, one).distance == pytest.approx(found.distance, abs=0.1)


def grey(values: Picture, time_s: float) -> Frame:
    return Frame(
        index=0,
        pts=round(time_s * 1000),
        time_base=(1, 1000),
        stream=0,
        to_image=lambda: np.repeat(values[:, :, None], 3, axis=2),
        to_luma=lambda: values,
    )


def still_camera(seed: int) -> Iterator[Frame]:
    """One cage, in which something small goes its own ways."""
    cage = np.random.default_rng(1).integers(60, 90, (60, 80)).astype(np.uint8)
    cage[:, 40:] += 60
    rng = np.random.default_rng(seed)
    x, y = 30.0, 30.0
    for number in range(60):
        x, y = np.clip(x + rng.normal(0, 12), 0, 60), np.clip(y + rng.normal(0, 9), 0, 44)
        picture = cage.copy()
        picture[int(y) : int(y) + 14, int(x) : int(x) + 18] = 200
        yield grey(picture, number * 0.5)


def test_films_of_one_fixed_camera_are_told_apart_by_what_moves() -> None:
    one, other = likeness(still_camera(5)), likeness(still_camera(6))
    found = match(one, other)
    assert found.motion is not None
    assert found.motion > MOVES_ALIKE
    again = match(one, likeness(still_camera(5)))
    assert (again.distance, again.motion, again.shift_s) == (0, 0, 0)


def test_a_still_scene_has_no_motion_to_compare() -> None:
    cage = np.random.default_rng(1).integers(0, 255, (60, 80)).astype(np.uint8)
    one = likeness(grey(cage, 0.5 * number) for number in range(8))
    assert set(one.motion) == {0}
    found = match(one, one)
    assert (found.distance, found.motion, found.shift_s, found.mirrored) == (0, None, 0, False)
    assert found.compared == 8


def test_the_grid_takes_one_frame_for_each_step_whatever_the_rate(clips: list[Path]) -> None:
    assert len(like(clips[0]).pictures) == 10
    with open_media(clips[0]) as media:
        every = [frame.luma for frame in media]
    assert like(clips[0]).pictures[:2] == (picture_hash(every[0]), picture_hash(every[3]))


def test_only_recordings_on_one_grid_are_compared(clips: list[Path]) -> None:
    one = like(clips[0])
    with pytest.raises(ValueError, match="one grid"):
        match(one, replace(one, step_s=1.0))
    with pytest.raises(ValueError, match="at least one frame"):
        likeness([])


def test_signatures_sort_out_pairs_before_they_are_matched(
    clips: list[Path], tmp_path: Path
) -> None:
    first = like(clips[0])
    short = signature(first, 4)
    assert len(short.pictures) == len(short.mirrored) == 4
    assert all(len(one) == 16 and int(one, 16) >= 0 for one in short.pictures)
    assert len(signature(first, 10_000).pictures) == len(first.pictures)
    copy = signature(like(changed(clips[0], tmp_path / "copy.mp4", CHANGES["mirrored"])))
    other = signature(like(clips[1]))
    assert nearness(short, short) == 0
    assert nearness(signature(first), copy) < ALIKE < nearness(signature(first), other)
    assert nearness(signature(first), copy) <= match(first, like(tmp_path / "copy.mp4")).distance
    nothing = replace(short, pictures=(), mirrored=())
    assert nearness(nothing, short) == 1

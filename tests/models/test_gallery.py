"""Pictures are kept while a recording is scored, and they are those that a result shows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.gallery import HELD, WAITING, Gallery, read_shots
from models.media.frames import Frame
from models.records import Face, FrameKey, Grade, Prediction
from models.result import summarise
from models.scale import load_scale

SCALE = load_scale()
MS = (1, 1000)


def frame(number: int, pts: int) -> Frame:
    image = np.full((60, 1280, 3), number % 256, np.uint8)
    return Frame(number, pts, MS, 0, lambda: image, lambda: image[:, :, 0])


def prediction(number: int, pts: int, sure: float | None) -> Prediction:
    """One whose certainty is `sure`; None is one without a grade."""
    graded = sure is not None
    grades = tuple(
        Grade(
            unit.key,
            1 if graded else None,
            None if graded else "blurred",
            (0.0, 1.0, 0.0),
            sure if sure is not None else 0.0,
            (1,),
        )
        for unit in SCALE.units
    )
    return Prediction(
        key=FrameKey("b" * 64, 0, pts, MS),
        index=number,
        time_s=pts / 1000,
        state="awake",
        face=Face((10.0, 5.0, 40.0, 30.0), {}, 0.9, "frontal", 50.0),
        grades=grades,
        image_score=1.0 if graded else None,
        reason=None if graded else "blurred",
    )


def kept(stamps: list[int], sure: list[float | None], lag: int) -> tuple[Gallery, list[Prediction]]:
    """A gallery that sees each grade `lag` frames after the frame."""
    gallery, said = Gallery(), []
    pairs = list(enumerate(zip(stamps, sure, strict=True)))
    for number, (pts, _) in [*pairs, *[(-1, (0, None))] * lag]:
        if number >= 0:
            gallery.look(frame(number, pts))
            said.append(prediction(number, pts, sure[number]))
        behind = len(said) - 1 - lag if number >= 0 else len(said) - lag
        if number >= 0 and behind >= 0:
            gallery.see(said[behind])
        elif number < 0:
            gallery.see(said[behind])
            lag -= 1
    return gallery, said


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 260), min_size=40, max_size=400),
    seed=st.integers(0, 2**31),
    levels=st.sampled_from([3, 50, 10_000]),
    ungraded=st.floats(0.0, 0.9),
)
def test_what_a_result_shows_was_kept(
    gaps: list[int], seed: int, levels: int, ungraded: float
) -> None:
    rng = np.random.default_rng(seed)
    stamps = [int(value) for value in np.cumsum(gaps)]
    sure = [
        None if rng.random() < ungraded else float(rng.integers(1, levels + 1)) / levels
        for _ in stamps
    ]
    gallery, said = kept(stamps, sure, lag=7)
    result = summarise(said, SCALE)
    firsts = {
        pts
        for pts, before in zip(stamps, [-1000, *stamps], strict=False)
        if pts // 200 > before // 200
    }
    if any(value is not None and pts in firsts for pts, value in zip(stamps, sure, strict=True)):
        shown = {one.pts for one in (*result.best, *result.worst)}
        assert shown <= set(gallery.shots)
    assert len(gallery.shots) <= 2 * HELD


def test_a_picture_is_reduced_and_its_box_with_it(tmp_path: Path) -> None:
    gallery, _ = kept([0, 100, 200, 400], [0.5, 0.5, 0.9, None], lag=2)
    # One of each fifth of a second, and none of a frame without a grade.
    assert set(gallery.shots) == {0, 200}
    shot = gallery.shots[200]
    assert (shot.width, shot.height, shot.scale) == (640, 30, 0.5)
    assert shot.box == (5.0, 2.5, 20.0, 15.0)
    picture = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (30, 640, 3)
    gallery.write(tmp_path / "shots.zip")
    assert dict(read_shots(tmp_path / "shots.zip")) == gallery.shots


def test_frames_without_grades_are_not_held_for_ever() -> None:
    gallery = Gallery()
    for number in range(WAITING + 50):
        gallery.look(frame(number, number * 200))
    assert len(gallery._waiting) == WAITING


def test_what_is_wrong_with_no_face_has_no_box() -> None:
    gallery = Gallery()
    gallery.look(frame(0, 0))
    one = prediction(0, 0, 0.5)
    gallery.see(Prediction(**{**one.__dict__, "face": None}))
    assert gallery.shots[0].box is None


@pytest.mark.parametrize("count", [1, 3])
def test_a_short_recording_shows_what_there_is(count: int) -> None:
    stamps = [number * 1000 for number in range(count)]
    gallery, said = kept(stamps, [0.5] * count, lag=0)
    assert {one.pts for one in summarise(said, SCALE).best} == set(gallery.shots) == set(stamps)


def test_predictions_are_handed_on_as_they_are_seen() -> None:
    gallery = Gallery()
    said = [prediction(number, 4000 * number, 0.9) for number in range(3)]
    for one in said:
        gallery.look(frame(one.index, one.key.pts))
    assert list(gallery.through(said)) == said
    assert set(gallery.shots) == {0, 4000, 8000}

import numpy as np
import pytest

from models.context import (
    CHUNK,
    LAG_S,
    MOTION,
    REACH,
    SMALL,
    TICK_S,
    Answers,
    Context,
    Track,
    features,
    joined,
    motion,
    tick_of,
    ticks,
)


def track(times, **changes) -> Track:
    """A face that stands still in the middle of the picture."""
    times = np.asarray(times, np.float64)
    n = len(times)
    given = {
        "found": np.ones(n, bool),
        "boxes": np.tile([100.0, 100.0, 200.0, 200.0], (n, 1)),
        "opening": np.full(n, np.nan),
        "small": np.zeros((n, SMALL, SMALL), np.uint8),
    }
    return Track(times, **(given | changes))


def channel(values, name: str):
    return values[:, MOTION.index(name)]


@pytest.mark.parametrize("fps", [12, 30, 250])
def test_speed_is_that_of_the_face_whatever_the_frame_rate(fps: int) -> None:
    times = np.arange(0, 1, 1 / fps)
    boxes = np.tile([100.0, 100.0, 200.0, 200.0], (len(times), 1))
    boxes[:, [0, 2]] += 150 * times[:, None]  # pixels per second: 1.5 widths
    moving = motion(track(times, boxes=boxes))
    known = channel(moving, "motion_known") > 0
    assert known[times >= LAG_S + 1 / fps].all()
    assert not known[0]
    assert channel(moving, "speed")[known] == pytest.approx(1.5)
    assert channel(moving, "growth")[known] == pytest.approx(0.0, abs=1e-9)


def test_a_closing_eye_and_a_changing_crop_are_seen() -> None:
    times = np.arange(4) * 0.1
    small = np.zeros((4, SMALL, SMALL), np.uint8)
    small[2:] = 51
    moving = motion(track(times, opening=np.array([0.8, 0.8, 0.3, np.nan]), small=small))
    assert channel(moving, "difference") == pytest.approx([0, 0, 2.0, 0])
    assert channel(moving, "eyelid_speed") == pytest.approx([0, 0, -5.0, 0], abs=1e-5)
    assert channel(moving, "opening") == pytest.approx([0.8, 0.8, 0.3, -1])


def test_nothing_is_said_of_motion_across_a_gap_or_without_a_face() -> None:
    found = np.array([True, True, False, True])
    moving = motion(track([0.0, 5.0, 5.1, 5.2], found=found))
    assert channel(moving, "motion_known").tolist() == [0, 0, 0, 0]
    assert channel(moving, "face_found").tolist() == [1, 1, 0, 1]


def test_motion_of_a_block_is_that_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.uniform(0.02, 0.1, 40))
    whole = track(
        times,
        boxes=np.tile([0.0, 0.0, 90.0, 90.0], (40, 1)) + rng.uniform(0, 9, (40, 4)),
        opening=rng.uniform(0, 1, 40),
        small=rng.integers(0, 255, (40, SMALL, SMALL)).astype(np.uint8),
    )
    head, tail = whole.rows(slice(0, 25)), whole.rows(slice(25, None))
    kept = head.tail(0.7)
    assert motion(joined([kept, tail]), len(kept)) == pytest.approx(motion(whole)[25:])


def test_features_of_a_frame_without_a_face_keep_only_what_moves() -> None:
    moving = motion(track([0.0, 0.1], found=np.array([True, False])))
    row = features([np.ones((2, 3), np.float32), np.ones((2, 2, 2), np.float32)], moving)
    assert row.shape == (2, 3 + 4 + len(MOTION))
    assert row[0, :7].tolist() == [1.0] * 7
    assert row[1, :7].tolist() == [0.0] * 7


def test_ticks_are_means_and_say_where_there_was_nothing() -> None:
    rows = np.array([[1.0], [3.0], [8.0]], np.float32)
    grid = ticks(np.array([0.31, 0.39, 0.5]), rows, first=2, count=5)
    assert grid.tolist() == [[0, 2, 0, 8, 0], [0, 1, 0, 1, 0]]
    # A time that binary fractions put just under an edge lies in its own tick.
    assert tick_of(np.array([0.1 * 3, 0.7])).tolist() == [3, 7]


class Echo(Context):
    """Answers with the number of ticks in reach that hold a frame, weighted by their distance."""

    def __init__(self) -> None:
        self.calls = 0

    def answer(self, times, rows, chunk, wanted) -> Answers:
        self.calls += 1
        held = np.unique(tick_of(times))
        own = tick_of(times[wanted])
        away = np.abs(held[None, :] - own[:, None])
        seen = (away <= REACH) * (1 + away)
        values = seen.sum(1).astype(np.float32)
        return Answers(values[:, None, None], values[:, None], values[:, None])


def test_an_answer_rests_on_all_that_lies_in_reach_and_on_nothing_else() -> None:
    times = np.arange(0, 3 * CHUNK * TICK_S, 1 / 12)
    rows = np.zeros((len(times), 1), np.float32)
    places = np.array([700 % len(times), 3, 3 + len(times) // 2, 0])
    echo = Echo()
    got = echo.at(times, rows, places).scorable[:, 0]
    for place, value in zip(places, got, strict=True):
        own = tick_of(times)[place]
        near = np.abs(tick_of(times) - own) <= REACH
        alone = echo.at(times[near], rows[near], np.array([near[:place].sum()]))
        assert alone.scorable[0, 0] == value


def test_pictures_of_a_set_tell_nothing_of_each_other() -> None:
    echo = Echo()
    got = echo.at(
        np.arange(5.0), np.zeros((5, 1), np.float32), np.array([4, 0, 2]), alone=True
    ).scorable
    assert got[:, 0].tolist() == [1.0, 1.0, 1.0]
    assert echo.calls == 3

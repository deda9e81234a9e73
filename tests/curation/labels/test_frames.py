"""Frame numbers and times become timestamps by a stated rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.labels import UnknownFormat
from curation.labels.frames import pts_at_time, pts_of_frame, rule

PTS = [100, 140, 180, 300]


def test_a_frame_number_is_counted_from_what_was_confirmed() -> None:
    assert [pts_of_frame(number, PTS) for number in range(4)] == PTS
    assert [pts_of_frame(number, PTS, 1) for number in range(1, 5)] == PTS
    assert "counted from 1" in rule(1)


@pytest.mark.parametrize(("number", "first"), [(4, 0), (-1, 0), (0, 1), (5, 1)])
def test_a_frame_that_is_not_there_is_refused_with_the_frames_that_are(number, first) -> None:
    with pytest.raises(UnknownFormat, match=f"frames {first} to {3 + first}, counted from {first}"):
        pts_of_frame(number, PTS, first)


def test_a_time_means_the_frame_on_the_screen() -> None:
    times = [0, 0.039, 0.04, 0.05, 0.0799999999, 0.19, 0.2, 99]
    found = [pts_at_time(time, PTS, (1, 1000)) for time in times]
    assert found == [100, 100, 140, 140, 180, 180, 300, 300]
    for bad in (-0.1,):
        with pytest.raises(UnknownFormat):
            pts_at_time(bad, PTS, (1, 1000))
    with pytest.raises(UnknownFormat):
        pts_at_time(0, [], (1, 1000))


@given(st.integers(1, 500), st.data())
def test_the_time_of_a_frame_finds_the_frame(count: int, data: st.DataObject) -> None:
    pts = [7 + 1001 * number for number in range(count)]
    number = data.draw(st.integers(0, count - 1))
    time_s = round((pts[number] - pts[0]) / 30000, 6)
    assert pts_at_time(time_s, pts, (1, 30000)) == pts[number]

"""Eye opening from landmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.labels import Landmarks, read, sniff
from curation.labels.points import eye_openings, eye_points

POINTS = ("nose", "eye_top", "eye_front", "eye_bottom", "eye_back")


def _landmarks(*frames: list[tuple[float, float]]) -> Landmarks:
    n = len(frames)
    return Landmarks(
        "", "anna", False, POINTS, ("m.mp4",) * n, tuple(range(n)),
        np.array(frames, float), np.full((n, len(POINTS)), np.nan),
    )  # fmt: skip


def test_the_four_points_of_an_eye_are_proposed_where_they_are_beyond_doubt() -> None:
    assert eye_points(POINTS) == {"eye": POINTS[1:]}
    both = tuple(
        f"{side} eye {place}"
        for side in ("left", "right")
        for place in ("upper", "nasal", "lower", "temporal")
    )
    assert set(eye_points(both)) == {"left", "right"}
    assert eye_points(("left_eye", "right_eye", "eye_top")) == {}
    assert eye_points((*POINTS, "upper_eyelid")) == {}


def test_openness_is_height_over_width_and_unknown_where_a_point_is_missing() -> None:
    frame = [(0, 0), (5, 0), (10, 2), (5, 4), (0, 2)]
    gap = [(0, 0), (np.nan, np.nan), (10, 2), (5, 4), (0, 2)]
    flat = [(0, 0), (5, 0), (1, 1), (5, 4), (1, 1)]
    found = eye_openings(_landmarks(frame, gap, flat), POINTS[1:])
    assert found[0] == pytest.approx(0.4)
    assert np.isnan(found[1:]).all()


def test_an_unlikely_point_counts_as_missing(dlc_table: Callable[..., Path]) -> None:
    (table,) = read(dlc_table()).landmarks
    assert np.isfinite(eye_openings(table, POINTS[1:])).all()
    assert np.isnan(eye_openings(table, POINTS[1:], least=1e9)).all()
    (guess,) = sniff(dlc_table())
    assert guess.recognised[-1] == (", ".join(POINTS[1:]), "eye opening (eye)")


def test_a_point_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        eye_openings(_landmarks([(0, 0)] * 5), ("a", "b", "c", "d"))

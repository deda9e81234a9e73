"""The coarse course of a recording that is still being scored."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from models.growing import Growing, course, width_for
from models.records import Prediction
from models.result import BIN_WIDTHS_S, MOST_BINS
from models.scale import Scale

Predict = Callable[..., Prediction]


@pytest.mark.parametrize("length_s", [0.0, 1.0, 59.9, 600.0, 14_400.0])
def test_bins_are_as_fine_as_their_number_allows(length_s: float) -> None:
    width = width_for(length_s)
    assert length_s <= width * MOST_BINS
    finer = [one for one in BIN_WIDTHS_S if one < width]
    assert all(length_s > one * MOST_BINS for one in finer)


def test_a_recording_longer_than_all_widths_gets_the_widest() -> None:
    assert width_for(1e9) == BIN_WIDTHS_S[-1]


def test_parts_add_up_to_what_one_pass_would_show(predict: Predict, scale: Scale) -> None:
    seen = [predict(index, [index % 3, 1, 2, 0, 1]) for index in range(40)]
    seen[5] = predict(5, None, "awake", "no_face")
    whole, first, second = (Growing(scale, 1.0) for _ in range(3))
    for one in seen:
        whole.see(one)
        (first if one.index < 17 else second).see(one)  # cut within a bin
    told = course([whole.to_json()], scale)
    parts = json.loads(json.dumps([second.to_json(), first.to_json(), {}]))
    joined = course(parts, scale)
    assert (joined["frames"], joined["graded"]) == (40, 39)
    assert joined["coverage"] == pytest.approx(39 / 40)
    assert [(b["t0"], b["t1"], b["n"], b["n_graded"]) for b in joined["bins"]] == [
        (0.0, 1.0, 10, 9),
        (1.0, 2.0, 10, 10),
        (2.0, 3.0, 10, 10),
        (3.0, 4.0, 10, 10),
    ]
    for ours, theirs in zip(joined["bins"], told["bins"], strict=True):
        assert ours["score"] == pytest.approx(theirs["score"])
    last = [one.image_score for one in seen[30:]]
    assert joined["bins"][3]["score"] == pytest.approx(sum(last) / 10)


def test_too_few_units_give_no_score_and_no_frames_no_bins(predict: Predict, scale: Scale) -> None:
    growing = Growing(scale, 1.0)
    growing.see(predict(0, [1, 1, None, None, None]))
    assert course([growing.to_json()], scale)["bins"][0]["score"] is None
    assert course([], scale) == {"frames": 0, "graded": 0, "coverage": 0.0, "bins": []}

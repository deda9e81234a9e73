"""The difference of two results of one recording."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from models.difference import COLUMNS, as_rows, difference, to_csv


def result(
    score: float | None, bins: list[tuple[float | None, Any]], **more: Any
) -> dict[str, Any]:
    return {
        "outcome": "scored" if score is not None else "no_scorable_frames",
        "frames": 40,
        "score": score,
        "score_interval": None if score is None else [score - 0.1, score + 0.1],
        "score_ungated": score,
        "coverage": 0.5,
        "units": {"ear": {"mean": score, "n": 20, "interval": None}},
        "states": {"awake": 30, "asleep": 10},
        "not_scorable": {"blurred": 20},
        "bin_s": 10.0,
        "bins": [
            {"t0": 10.0 * n, "t1": 10.0 * (n + 1), "score": value, "interval": ends, "n_graded": 10}
            for n, (value, ends) in enumerate(bins)
        ],
        **more,
    }


def test_a_value_moved_where_it_lies_outside_the_first_interval() -> None:
    found = difference(result(0.5, []), result(0.55, []))
    assert found["score"]["change"] == pytest.approx(0.05)
    assert found["score"]["moved"] is False
    assert difference(result(0.5, []), result(0.7, []))["score"]["moved"] is True
    # Without an interval nothing is said, however large the change.
    assert difference(result(0.5, []), result(1.5, []))["units"]["ear"]["moved"] is None


def test_bins_are_compared_stretch_by_stretch() -> None:
    before = result(0.5, [(0.5, [0.4, 0.6]), (0.5, None), (None, None), (0.3, [0.2, 0.4])])
    after = result(0.6, [(0.9, [0.8, 1.0]), (0.7, [0.6, 0.8]), (0.4, None), (None, None)])
    found = difference(before, after)
    assert [row["moved"] for row in found["bins"]] == [True, None, None, None]
    assert found["counts"] == {
        "bins": 4,
        "compared": 2,
        "moved": 1,
        "untold": 1,
        "appeared": 1,
        "vanished": 1,
    }


def test_bins_of_another_width_are_not_compared() -> None:
    assert (
        difference(result(0.5, [(0.5, None)]), result(0.5, [(0.5, None)], bin_s=5.0))["bins"] == []
    )


def test_a_score_that_is_gone_has_no_change() -> None:
    found = difference(result(0.5, []), result(None, []))
    assert found["outcome"] == {"before": "scored", "after": "no_scorable_frames"}
    assert found["score"]["change"] is None
    assert found["score"]["moved"] is None


def test_states_and_reasons_are_shares_of_all_frames() -> None:
    found = difference(result(0.5, []), result(0.5, [], states={"awake": 40}, not_scorable={}))
    assert found["states"]["awake"]["change"] == pytest.approx(0.25)
    assert found["states"]["asleep"] == {
        "before": 0.25,
        "after": 0.0,
        "change": -0.25,
        "interval": None,
        "moved": None,
    }
    assert list(found["states"]) == ["awake", "asleep"]
    empty = difference(result(None, [], frames=0, states={}), result(None, [], frames=0, states={}))
    assert empty["not_scorable"]["blurred"]["before"] == 0.0


def test_the_table_has_a_row_per_value_and_names_where_it_comes_from() -> None:
    found = difference(result(0.5, [(0.5, [0.4, 0.6])]), result(0.7, [(0.7, None)]))
    assert len(list(as_rows(found))) == 3 + 1 + 2 + 1 + 1
    rows = list(csv.DictReader(io.StringIO(to_csv(found, {"model_before": "mouse-v1"}))))
    assert list(rows[0]) == [*COLUMNS, "model_before"]
    assert {row["model_before"] for row in rows} == {"mouse-v1"}
    (last,) = [row for row in rows if row["what"] == "bin"]
    assert (last["from_s"], last["moved"]) == ("0.0", "yes")

import numpy as np
import pandas as pd
import pytest

from models.figures.sets import set_figures
from models.figures.states import state_figures
from models.figures.table import shares
from models.scale import Scale
from models.sets import fit_sets
from models.stats.bootstrap import cluster_mean_interval

ALPHA = 0.1


def state_of(scale: Scale, cause) -> str:
    reason = scale.reason_because(cause).key
    return next(state.key for state in scale.states if state.reason == reason)


def test_states_by_hand(scale: Scale) -> None:
    awake, asleep, unclear = (
        scale.graded_state.key, state_of(scale, "sleep"), state_of(scale, "unnamed"),
    )  # fmt: skip
    nan = np.nan
    rows = [
        # true state, said, score, ungated, truth, pain
        (awake, awake, 1.4, 1.4, 1.5, 1.5),
        (awake, asleep, nan, 1.2, 1.5, 1.5),
        (awake, awake, nan, nan, 0.5, 0.5),
        (awake, awake, 0.3, 0.3, nan, nan),
        (asleep, awake, 1.1, 1.1, nan, nan),
        (asleep, asleep, nan, 1.6, nan, nan),
        (asleep, awake, 0.2, 0.2, nan, nan),
        (unclear, asleep, nan, 1.9, nan, nan),
        (unclear, unclear, nan, 1.8, nan, nan),
        ("", awake, 1.0, 1.0, 1.0, nan),
    ]
    columns = ["true_state", "state", "score", "score_ungated", "truth", "true_pain"]
    frames = pd.DataFrame(rows, columns=columns).assign(animal=[f"a{n}" for n in range(10)])
    found = state_figures(frames, scale)
    assert found is not None
    assert found["n"] == 9
    place = {key: index for index, key in enumerate(found["keys"])}
    assert found["confusion"][place[awake]][place[asleep]] == 1
    assert found["confusion"][place[asleep]][place[awake]] == 2
    assert sum(map(sum, found["confusion"])) == 9
    asked = {name: (row["share"], row["ungated"], row["n"]) for name, row in found.items()
             if isinstance(row, dict) and "ungated" in row}  # fmt: skip
    third = pytest.approx(1 / 3)
    assert asked["asleep_graded_high"] == (third, pytest.approx(2 / 3), 3)
    assert asked["asleep_graded"] == (pytest.approx(2 / 3), 1.0, 3)
    assert asked["unclear_taken_for_asleep"][0] == 0.5
    assert asked["unclear_graded"] == (0.0, 1.0, 2)
    assert asked["awake_scorable_kept"] == (third, pytest.approx(2 / 3), 3)
    assert asked["awake_scorable_called_awake"][0] == pytest.approx(2 / 3)
    assert asked["painful_awake_kept"] == (0.5, 1.0, 2)
    assert found["right"]["share"] == pytest.approx(5 / 9)


def test_without_known_states_nothing_is_said_of_them(table, scale: Scale) -> None:
    assert state_figures(table(animals=2, full=False), scale) is None
    plain = table(animals=4).drop(columns=["score_ungated", "true_pain", "oracle"])
    found = state_figures(plain, scale)
    assert found is not None
    assert np.isnan(found["asleep_graded_high"]["ungated"])
    assert found["painful_awake_kept"]["n"] == int(
        ((plain["true_state"] == scale.graded_state.key) & (plain["truth"] >= 1)).sum()
    )


def test_sets_are_judged_by_pool_group_and_elsewhere(table, scale: Scale) -> None:
    frames = table(animals=24, frames=10)
    known = frames[frames["lab"] != "west"]
    sets = fit_sets(
        scale.unit_keys,
        [shares(known, unit, "p") for unit in scale.units],
        [shares(known, unit, "truth_p") for unit in scale.units],
        known["lab"].tolist(), known["coat"].tolist(), ALPHA,
    )  # fmt: skip
    found = set_figures(frames, sets, scale)
    assert found is not None
    assert found["cells"] == {"groups": 4 * 5, "elsewhere": 5}
    for unit in scale.units:
        row = found["units"][unit.key]
        assert row["pooled"]["coverage"] >= 0.88
        assert set(row["groups"]) == {
            f"{lab}|{coat.key}" for lab in ("north", "south") for coat in scale.coats[:2]
        }
        assert set(row["elsewhere"]) == {"west"}
        assert 1 <= row["served"]["size"] <= 3
        assert row["pooled"]["n"] + row["elsewhere"]["west"]["n"] == row["served"]["n"]
    assert set_figures(frames, None, scale) is None
    west = set_figures(frames[frames["lab"] == "west"], sets, scale)
    assert west is not None
    assert west["cells"]["groups"] == 0
    assert west["units"][scale.unit_keys[0]]["pooled"]["n"] > 0


def test_a_share_that_is_corrected_for_many_cells_has_a_wider_interval() -> None:
    values, animals = np.r_[np.ones(50), np.zeros(4)], [f"a{n % 9}" for n in range(54)]
    once = cluster_mean_interval(values, animals, 0.95)
    often = cluster_mean_interval(values, animals, 1 - 0.05 / 20)
    assert often[0] < once[0]
    assert often[1] >= once[1]

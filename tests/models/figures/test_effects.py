"""Effects over experimental units, raters and model side by side."""

from __future__ import annotations

import pandas as pd
import pytest

from models.figures.effects import AFTER, BASELINE, VEHICLE, effect_figures, unit_means


def rows(unit: str, arm: str, phase: str, truth: float, score: float, animal: str = "") -> dict:
    return {
        "unit": unit, "animal": animal or unit, "arm": arm, "phase": phase,
        "truth": truth, "score": score,
    }  # fmt: skip


@pytest.fixture
def table() -> pd.DataFrame:
    """Eight cages before and after a procedure, four of them with a drug that halves the effect."""
    found = []
    for number in range(8):
        unit, jitter = f"cage {number}", 0.02 * number
        arm = VEHICLE if number < 4 else "carprofen"
        found.append(rows(unit, arm, BASELINE, 0.2 + jitter, 0.3 + jitter))
        effect = 1.0 if arm == VEHICLE else 0.5
        found.append(rows(unit, arm, AFTER, 0.2 + effect + jitter, 0.3 + 0.8 * effect + jitter))
    return pd.DataFrame(found)


def test_an_animal_seen_often_counts_once_and_a_cage_is_the_mean_of_its_animals() -> None:
    table = pd.DataFrame(
        [
            *[rows("cage", VEHICLE, BASELINE, 1.0, 1.0, "often") for _ in range(9)],
            rows("cage", VEHICLE, BASELINE, 0.0, 0.5, "once"),
        ]
    )
    (mean,) = unit_means(table).to_dict("records")
    assert (mean["truth"], mean["score"], mean["animals"]) == (0.5, 0.75, 2)


def test_change_and_reversal_of_both_sides(table: pd.DataFrame) -> None:
    found = effect_figures(table, 0.2, draws=200)
    assert (found["n_units"], found["n_animals"]) == (4, 4)
    raters, model = found["sides"]["raters"], found["sides"]["model"]
    assert raters["change"] == pytest.approx(1.0)
    assert model["change"] == pytest.approx(0.8)
    assert raters["auc"] == model["auc"] == 1.0
    assert found["pairs"][1]["raters"] == [pytest.approx(0.22), pytest.approx(1.22)]
    (drug,) = found["reversal"]
    assert (drug["drug"], drug["n_vehicle"], drug["n_drug"]) == ("carprofen", 4, 4)
    # The drug's cages lie 0.08 higher: 1.23 of vehicle to 0.81, of an effect of 1.
    assert drug["raters"]["percent"] == pytest.approx(42, abs=0.5)


def test_where_there_is_no_effect_reversal_is_refused(table: pd.DataFrame) -> None:
    after = table["phase"] == AFTER
    flat = table.assign(truth=table["truth"].where(~after, table["truth"] * 0 + 0.25))
    (drug,) = effect_figures(flat, 0.2, draws=100)["reversal"]
    assert drug["raters"]["percent"] is None
    assert drug["raters"]["refused"]
    assert drug["model"]["percent"] is not None


def test_units_that_miss_a_phase_are_left_out(table: pd.DataFrame) -> None:
    only = table[~((table["unit"] == "cage 0") & (table["phase"] == BASELINE))]
    assert effect_figures(only, 0.2, draws=50)["n_units"] == 3
    nothing = effect_figures(table[table["phase"] == BASELINE], 0.2, draws=50)
    assert nothing["n_units"] == 0
    assert nothing["sides"]["raters"]["change"] is None
    assert nothing["reversal"] == []

"""What a validation page says of drawn studies: effects, none, few animals, no data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from curation.validation import (
    ASSESSED,
    FEW,
    FEWEST_UNITS,
    Observation,
    describe,
    sees_effect,
    verdict,
)
from models.scale import load_scale

SCALE = load_scale()
FRAMES = 6


def study(
    animals: int = 10,
    *,
    raters: float = 0.8,
    model: float = 0.6,
    lab: str = "Harbour",
    assay: str = "post_surgical",
    coat: str = "",
    drugged: int = 0,
    cages: int = 0,
    seed: int = 0,
) -> tuple[pd.DataFrame, dict[str, Observation]]:
    """Frames of animals before and after; effects in grades, `drugged` of them with half of it."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    design = {}
    for number in range(animals):
        drug = "carprofen" if number < drugged else "vehicle"
        for name, hours in (("baseline", -24.0), ("after", 4.0)):
            key = f"{lab}-{assay}-{coat}-{number}-{name}"
            design[key] = Observation(
                name=name,
                animal=f"{lab}-{number}",
                cage=f"c{number // 2}" if cages else "",
                hours=hours,
                assay=assay,
                procedure="laparotomy",
                drug=drug,
                assigned_unit="cage" if cages else "animal",
            )
            part = (hours > 0) * (0.5 if drug == "carprofen" else 1.0)
            for frame in range(FRAMES):
                truth = 0.2 + part * raters + rng.normal(0, 0.05)
                score = 0.3 + part * model + rng.normal(0, 0.05)
                cells = {f"{unit.key}__truth": truth for unit in SCALE.units}
                cells |= {f"{unit.key}__expected": score for unit in SCALE.units}
                rows.append(
                    {
                        "frame": f"{key}-{frame}",
                        "animal": f"{lab}-{number}",
                        "observation": key,
                        "lab": lab,
                        "coat": coat or SCALE.coat_keys[0],
                        "assay": assay,
                        "sex": "female",
                        "truth": truth,
                        "score": score,
                        **cells,
                    }
                )
    return pd.DataFrame(rows), design


def told(frames: pd.DataFrame | None, design: dict[str, Observation]) -> dict[str, Any]:
    claims = describe({"unseen_animals": frames}, design, {}, SCALE)
    return {claim["key"]: claim for claim in claims}


def test_an_effect_that_both_see_is_told_for_both() -> None:
    claim = told(*study())["unseen_animals"]
    (cell,) = claim["cells"]
    sides = cell["figures"]["sides"]
    assert cell["state"] == ASSESSED
    assert cell["figures"]["n_units"] == 10
    assert sides["raters"]["change"] == pytest.approx(0.8, abs=0.05)
    assert sides["model"]["change"] == pytest.approx(0.6, abs=0.05)
    assert sides["model"]["auc"] == 1.0
    assert cell["sentence"] == "Raters and model both see more grimacing after the procedure."
    assert cell["procedures"] == ["laparotomy"]


def test_no_effect_is_a_result() -> None:
    (cell,) = told(*study(raters=0.0, model=0.0, assay="neuropathic"))["unseen_animals"]["cells"]
    assert cell["state"] == ASSESSED
    assert cell["sentence"].startswith("Neither raters nor model see an effect. That is a result")


@pytest.mark.parametrize(
    ("raters", "model", "words"),
    [
        ("more", "none", "the model does not"),
        ("none", "more", "the raters do not"),
        ("more", "less", "opposite directions"),
        ("less", "less", "less grimacing"),
    ],
)
def test_every_combination_has_its_sentence(raters: str, model: str, words: str) -> None:
    assert words in verdict(raters, model)


def test_an_interval_with_zero_in_it_sees_nothing() -> None:
    assert sees_effect({"interval": [-0.1, 0.4]}) == "none"
    assert sees_effect({"interval": [0.1, 0.4]}) == "more"
    assert sees_effect({"interval": [-0.4, -0.1]}) == "less"
    assert sees_effect({"interval": [None, None]}) == "none"


def test_few_animals_are_listed_and_not_assessed() -> None:
    (cell,) = told(*study(FEWEST_UNITS - 1))["unseen_animals"]["cells"]
    assert cell["state"] == FEW
    assert "Not assessed: 7 animals" in cell["sentence"]
    assert cell["sees"] == {}


def test_cages_are_the_unit_where_they_were_assigned() -> None:
    (cell,) = told(*study(20, cages=1))["unseen_animals"]["cells"]
    assert (cell["unit"], cell["figures"]["n_units"], cell["figures"]["n_animals"]) == (
        "cage",
        10,
        20,
    )


def test_animals_with_a_drug_count_for_reversal_alone() -> None:
    (cell,) = told(*study(20, drugged=9))["unseen_animals"]["cells"]
    assert cell["figures"]["n_units"] == 11
    (row,) = cell["reversal"]
    assert (row["drug"], row["n_vehicle"], row["n_drug"], row["state"]) == (
        "carprofen",
        11,
        9,
        ASSESSED,
    )
    assert row["raters"]["percent"] == pytest.approx(50, abs=8)
    assert "raters: 5" in row["sentence"] or "raters: 4" in row["sentence"]


def test_a_reversal_without_an_effect_is_refused_in_words() -> None:
    (cell,) = told(*study(20, raters=0.0, model=0.6, drugged=9))["unseen_animals"]["cells"]
    (row,) = cell["reversal"]
    assert "may not have changed at all" in row["sentence"]
    assert row["raters"]["percent"] is None
    assert row["model"]["percent"] is not None


def test_what_is_empty_is_listed_by_assay_and_coat() -> None:
    one, first = study(lab="Harbour")
    two, second = study(lab="Meadow", assay="inflammatory", coat=SCALE.coat_keys[1])
    claim = told(pd.concat([one, two]), first | second)["unseen_animals"]
    assert len(claim["cells"]) == 2
    empty = {(row["assay"], row["coat"]): row for row in claim["no_data"]}
    assert len(empty) == 6
    assert empty["neuropathic", SCALE.coat_keys[0]]["sentence"] == "no data of any lab"
    assert empty["post_surgical", SCALE.coat_keys[0]]["labs"] == ["Meadow"]


def test_claims_without_data_say_so_and_are_kept_apart() -> None:
    claims = told(*study())
    assert list(claims) == ["left_out", "unseen_animals", "independent_lab"]
    assert claims["left_out"]["state"] == "not_run"
    assert claims["independent_lab"]["state"] == "no_data"
    assert "independent lab" in claims["independent_lab"]["sentence"]
    assert told(None, {})["unseen_animals"]["state"] == "no_data"


def test_the_report_tells_of_labs_left_out() -> None:
    report = {"left_out": {"snapshot": "s1", "labs": {"Harbour": {"rmse": 0.3}}}}
    claim = describe({}, {}, report, SCALE)[0]
    assert (claim["state"], list(claim["labs"])) == ("run", ["Harbour"])
    assert "s1" in claim["sentence"]


def test_frames_that_the_model_did_not_grade_are_not_no_data() -> None:
    frames, design = study()
    frames["score"] = np.nan
    for unit in SCALE.units:
        frames[f"{unit.key}__expected"] = np.nan
    (cell,) = told(frames, design)["unseen_animals"]["cells"]
    assert cell["state"] == FEW
    assert "no animals" in cell["sentence"]


@pytest.mark.parametrize(
    ("name", "hours", "assay", "phase"),
    [
        ("baseline", None, "post_surgical", "baseline"),
        ("day 0", -3.0, "post_surgical", "baseline"),
        ("4 h", 4.0, "post_surgical", "after"),
        ("day 7", 168.0, "post_surgical", None),
        ("day 14", 336.0, "neuropathic", "after"),
        ("after", None, "post_surgical", None),
        ("4 h", 4.0, "no_procedure", None),
    ],
)
def test_the_phase_of_an_observation(
    name: str, hours: float | None, assay: str, phase: str | None
) -> None:
    assert Observation(name, "a", hours=hours, assay=assay).phase == phase


def test_the_arm_of_an_observation() -> None:
    assert Observation("x", "a", drug="Vehicle", analgesic="none").arm == ""
    assert Observation("x", "a", drug="carprofen").arm == "carprofen"
    assert Observation("x", "a", drug="vehicle", analgesic="buprenorphine").arm == "buprenorphine"
    assert Observation("x", "a", cage="c1", assigned_unit="animal").unit == "a"

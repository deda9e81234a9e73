import numpy as np
import pandas as pd
import pytest

from models.figures import compute_report, judged
from models.figures.frames import coat_gap, image_figures, risk_figures
from models.figures.table import (
    read_votes,
    stated_spread,
    with_evaluation,
    without_gate,
)
from models.scale import Scale
from models.stats.errors import mae, rmse


def test_coverage_counts_the_frames_that_raters_graded(table, scale: Scale) -> None:
    frames = table(animals=3).assign(truth=[1.0, 2.0, np.nan] * 12, score=[1.5, np.nan, 0.0] * 12)
    votes = read_votes(frames["votes"], scale.unit_keys)
    found = image_figures(frames, votes, scale, 1.25, 20, 0)
    assert found["coverage"] == 0.5
    assert found["rmse"] == found["mae"] == 0.5
    assert found["constant_rmse"] == 0.25
    assert found["n"] == 12
    assert found["n_animals"] == 3
    assert np.isnan(found["r"])


def test_evaluation_raters_take_the_place_of_the_raters(table, scale: Scale) -> None:
    frames = table(animals=3)
    found, evaluated = with_evaluation(frames, scale)
    assert evaluated
    unit = scale.units[1]
    grades = read_votes(frames["evaluation_votes"], scale.unit_keys).grades
    row = int(np.flatnonzero(np.isfinite(frames["truth"]))[0])
    given = grades[row, :, 1]
    assert found[f"{unit.key}__truth"][row] == pytest.approx(np.nanmean(given))
    assert found[f"{unit.key}__truth_p1"][row] == pytest.approx(
        np.nanmean(given == 1) * 8 / np.isfinite(given).sum()
    )
    assert found[f"{unit.key}__truth_scorable"][row] == np.isfinite(given).mean()
    units = [f"{one.key}__truth" for one in scale.units]
    assert found["truth"][row] == pytest.approx(found.loc[row, units].astype(float).mean())
    assert (found["votes"] == frames["evaluation_votes"]).all()
    ready = frames.drop(columns="evaluation_votes").assign(evaluation_truth=0.25)
    ready[f"{unit.key}__evaluation_p0"] = 0.5
    told, evaluated = with_evaluation(ready, scale)
    assert evaluated
    assert (told["truth"] == 0.25).all()
    assert (told[f"{unit.key}__truth_p0"] == 0.5).all()
    assert with_evaluation(table(animals=3, full=False), scale)[1] is False


def test_without_the_gate_every_scorable_frame_has_a_score(table, scale: Scale) -> None:
    frames = table(animals=3)
    free = without_gate(frames, scale)
    assert free is not None
    assert np.isfinite(free["score"]).all()
    assert np.isnan(frames["score"]).any()
    gated = np.isfinite(frames["score"])
    grade = f"{scale.unit_keys[0]}__grade"
    assert (free[grade][gated] == frames[grade][gated]).all()
    assert without_gate(table(animals=3, full=False), scale) is None


def test_the_stated_spread_is_that_of_a_mean_of_independent_units(scale: Scale) -> None:
    frame = {f"{unit.key}__p{grade}": [share, np.nan] for unit in scale.units
             for grade, share in enumerate((0.5, 0.0, 0.5))}  # fmt: skip
    found = stated_spread(pd.DataFrame(frame), scale)
    assert found[0] == pytest.approx(np.sqrt(len(scale.units)) / len(scale.units))
    assert np.isnan(found[1])


def test_a_confidence_column_decides_the_order(table, scale: Scale) -> None:
    frames = table()
    miss = (frames["score"] - frames["truth"]).abs()
    knowing = risk_figures(frames.assign(confidence=-miss), scale)
    assert knowing["order"] == "confidence"
    assert knowing["area"] == pytest.approx(knowing["best_area"])
    assert knowing["coverage"][0] == pytest.approx(
        np.isfinite(miss).sum() / np.isfinite(frames["truth"]).sum()
    )
    stated = risk_figures(frames, scale)
    assert knowing["area"] < stated["area"]
    assert stated["random_area"] == pytest.approx(rmse(frames["score"], frames["truth"]))


def test_the_gap_between_coats_is_a_difference_of_their_errors(table, scale: Scale) -> None:
    frames = table()
    one, other = (coat.key for coat in scale.coats[:2])
    frames.loc[frames["coat"] == other, "score"] += 0.5
    found = coat_gap(frames, scale, 100, 0)
    row = found["pairs"][f"{one}|{other}"]
    parts = [frames[frames["coat"] == key] for key in (one, other)]
    wanted = rmse(parts[0]["score"], parts[0]["truth"]) - rmse(parts[1]["score"], parts[1]["truth"])
    assert row["difference"] == pytest.approx(wanted)
    assert found["largest"] == pytest.approx(-wanted)
    assert row["interval"][0] < wanted < row["interval"][1] < 0
    assert row["n_animals"] == [6, 6]
    alone = coat_gap(frames[frames["coat"] == one], scale, 10, 0)
    assert alone["pairs"] == {}
    assert np.isnan(alone["largest"])


@pytest.fixture
def report(table, scale: Scale):
    def compute(frames: pd.DataFrame, **more):
        constant = dict.fromkeys(("", *scale.unit_keys), 0.8)
        return compute_report(judged(frames), constant, scale, split="test", benchmark_digest="d",
                              training={"config": "tiny"}, draws=30, **more)  # fmt: skip

    return compute


def test_every_slice_stands_beside_people_and_the_constant(report, table, scale: Scale) -> None:
    frames = table()
    found = report(frames)
    assert found["truth"] == "raters asked for this evaluation"
    labs = found["by"]["lab"]
    assert sum(row["n"] for row in labs.values()) == found["image_score"]["n"]
    for name in ("coat", "lab", "assay", "sex", "lab_coat"):
        for row in found["by"][name].values():
            assert {
                "rmse", "r", "mae", "kappa", "coverage", "human_rmse", "constant_rmse",
                "human_kappa", "ece", "interval", "units", "observation",
            } <= set(row)  # fmt: skip
            assert {"bias", "slope", "intercept", "loa", "icc", "human_rmse",
                    "constant_rmse"} <= set(row["observation"])  # fmt: skip
    key = scale.unit_keys[0]
    one = next(iter(labs))
    alone = report(frames[frames["lab"] == one])
    assert alone["units"][key]["kappa"] == labs[one]["units"][key]["kappa"]
    assert alone["units"][key]["human_kappa"] == labs[one]["units"][key]["human_kappa"]
    assert alone["observation"]["human_rmse"] == pytest.approx(
        labs[one]["observation"]["human_rmse"]
    )
    assert alone["observation"]["icc"] == pytest.approx(labs[one]["observation"]["icc"])


def test_the_oracle_and_the_ungated_figures_stand_beside(report, table, scale: Scale) -> None:
    found = report(table())
    assert found["image_score"]["oracle"]["rmse"] < found["image_score"]["human_rmse"]
    unit = found["units"][scale.unit_keys[0]]
    assert unit["oracle"]["r"] > 0.8
    assert unit["interval"]["kappa"][0] < unit["kappa"] < unit["interval"]["kappa"][1]
    assert found["ungated"]["image_score"]["coverage"] >= found["image_score"]["coverage"]
    assert set(found["ungated"]) == {"image_score", "units", "by", "coat_gap", "observation",
                                     "risk_coverage"}  # fmt: skip


def test_a_plain_table_leaves_out_what_it_cannot_know(report, table) -> None:
    found = report(table(full=False))
    assert found["truth"] == "raters"
    for name in ("ungated", "state_figures", "sets", "explanation"):
        assert found[name] is None
    assert found["image_score"]["oracle"] is None
    assert found["image_score"]["rmse"] > 0


def test_two_frames_or_no_truth_give_null_and_no_error(report, table) -> None:
    frames = table()
    few = report(frames[:2])
    assert few["image_score"]["interval"]["rmse"] == [None, None]
    assert few["observation"]["icc"] is None
    nothing = report(
        table(full=False).assign(truth=np.nan, score=np.nan, votes="[]", reason="other")
    )
    assert nothing["image_score"]["rmse"] is None
    assert nothing["image_score"]["human_rmse"] is None
    assert nothing["risk_coverage"]["coverage"] == []
    assert nothing["observation"]["n"] == 0


def test_mae_of_the_constant_is_told_too(report, table) -> None:
    frames = table(full=False)
    known = np.isfinite(frames["truth"]) & np.isfinite(frames["score"])
    truth = frames["truth"][known].to_numpy()
    found = report(frames)["image_score"]
    assert found["constant_mae"] == pytest.approx(mae(np.full_like(truth, 0.8), truth))

import json
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.calibration import (
    Calibrated,
    fit_binary_temperature,
    fit_calibration,
    fit_cuts,
    fit_distance,
    fit_scaling,
    fit_temperature,
    least_awake,
    least_familiar,
)
from models.compare import compare
from models.evaluate import CONSTANT, evaluate
from models.events import Progress, Refused
from models.figures import human_unit_grades, judged, observation_scores, without_nan
from models.manifest import ManifestError
from models.predictions import constants, grade_by_constant, with_truth
from models.runs import read_left_out
from models.scale import Scale
from models.stats.agreement import quadratic_weighted_kappa
from models.stats.conformal import conformal_threshold
from models.stats.ordinal import corn_probabilities, grade_by_cuts, halfway_cuts


@pytest.fixture(scope="module")
def constant(study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("constant")
    evaluate(CONSTANT, study.read(), study.media, out)
    return out


@pytest.fixture(scope="module")
def judged_run(study, tiny_run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged")
    evaluate(tiny_run.bundle, study.read(), study.media, out)
    return out


def report(folder: Path) -> dict:
    return json.loads((folder / "report.json").read_text())


def test_evaluating_a_bundle_again_gives_the_figures_it_was_sealed_with(
    judged_run: Path, tiny_run
) -> None:
    sealed = json.loads((tiny_run.bundle / "report.json").read_text())
    assert report(judged_run) == sealed


def test_the_report_has_every_figure_with_both_baselines(judged_run: Path, scale: Scale) -> None:
    figures = report(judged_run)
    assert figures["phantom"] is True
    assert figures["n_frames"] == 21
    assert figures["n_animals"] == 3
    assert {"rmse", "r", "mae", "n", "coverage", "constant_rmse", "human_rmse", "human_r",
            "interval"} <= set(figures["image_score"])  # fmt: skip
    assert set(figures["units"]) == set(scale.unit_keys)
    for row in figures["units"].values():
        assert {"kappa", "rmse", "mae", "r", "n", "coverage", "constant_rmse", "human_kappa",
                "ece", "scorable_auc"} <= set(row)  # fmt: skip
    assert set(figures["by"]) == {"coat", "lab", "assay", "sex", "lab_coat"}
    assert set(figures["by"]["lab_coat"]) == {"lab0|white", "lab1|black"}
    assert {"n", "bias", "slope", "intercept", "loa", "icc", "rmse"} <= set(figures["observation"])
    assert figures["image_score"]["human_rmse"] > 0


def test_a_bundle_is_judged_frame_by_frame_beside_what_context_changes(
    models, finish, judged_run: Path, study, tiny_run, tmp_path: Path
) -> None:
    finish(
        models(
            "evaluate", "--bundle", tiny_run.bundle, "--manifest", study.manifest,
            "--media", study.media, "--out", tmp_path, "--without-context",
        )
    )  # fmt: skip
    figures, usual = report(tmp_path), report(judged_run)
    assert "ablation" not in usual
    assert figures["context"] is False
    everything = figures["ablation"]["kinds"]["all"]
    assert everything["n"] == figures["n_frames"] == usual["n_frames"]
    score = everything["score"]
    assert score["n"] <= figures["image_score"]["n"]
    if score["n"] == figures["image_score"]["n"] == usual["image_score"]["n"]:
        assert score["without"] == pytest.approx(figures["image_score"]["rmse"])
        assert score["with"] == pytest.approx(usual["image_score"]["rmse"])


def test_the_page_says_first_that_it_rests_on_phantom_data_and_loads_nothing(
    judged_run: Path,
) -> None:
    page = (judged_run / "report.html").read_text()
    body = page[page.index("<main>") + 6 :]
    assert body.startswith('<p class="note">These figures rest on phantom data')
    assert page.count("<svg") >= 3
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)
    assert "<script" not in page


def test_the_constant_baseline_answers_the_training_mean(
    constant: Path, study, scale: Scale
) -> None:
    figures = report(constant)
    known = with_truth(study.read().part("train"), scale)
    rows = pd.read_parquet(constant / "predictions.parquet")
    assert rows["score"].nunique() == 1
    assert rows["score"][0] == pytest.approx(known["truth"].mean())
    assert figures["image_score"]["rmse"] == pytest.approx(figures["image_score"]["constant_rmse"])
    assert figures["image_score"]["coverage"] == 1.0
    assert figures["image_score"]["r"] is None
    assert figures["training"]["config"] == "constant"
    assert constants(known.head(0), scale)[""] == 1.0


def test_human_grades_are_each_against_the_mean_of_the_others(study, scale: Scale) -> None:
    def cell(*grades: int) -> str:
        return json.dumps(
            [
                {"rater": str(n), "unit": scale.unit_keys[0], "grade": g, "reason": None,
                 "weight": 1.0, "source": ""}
                for n, g in enumerate(grades)
            ]
        )  # fmt: skip

    table = pd.DataFrame({"votes": [cell(0, 2, 2), cell(1)]})
    found = human_unit_grades(table, scale.units[0])
    assert found.tolist() == [[0, 2, 2], [2, 1, 1], [2, 1, 1]]


def test_statistics_rest_on_the_random_share_where_there_is_one() -> None:
    frames = pd.DataFrame({"random_share": [True, False]})
    assert len(judged(frames)) == 1
    assert len(judged(frames[1:])) == 1


def test_an_observation_is_the_mean_per_unit_first(study, scale: Scale) -> None:
    frames = study.read().part("benchmark")
    graded = grade_by_constant(frames, study.read().part("train"), scale)
    key = scale.unit_keys[0]
    graded.loc[0, f"{key}__truth"] = np.nan
    table = observation_scores(graded, scale)
    first = graded[graded["animal"] == table["animal"][0]]
    wanted = np.mean([first[f"{unit}__truth"].mean() for unit in scale.unit_keys])
    assert table["truth"][0] == pytest.approx(wanted)
    assert len(table) == 3


def test_a_comparison_is_paired_by_animal_and_small_groups_are_not_assessed(
    judged_run: Path, constant: Path
) -> None:
    found = compare(judged_run, constant)
    assert found["n_frames"] <= 21
    assert found["difference"] == pytest.approx(found["rmse_challenger"] - found["rmse_champion"])
    assert all(row["assessed"] is False for row in found["groups"].values())
    same = compare(constant, constant)
    assert same["difference"] == 0
    assert same["interval"] == [0, 0]
    assert same["n_animals"] == 3


def test_eight_animals_are_assessed(constant: Path, tmp_path: Path) -> None:
    rows = pd.read_parquet(constant / "predictions.parquet").head(16)
    rows["animal"] = [f"B{n // 2}" for n in range(16)]
    rows["lab"], rows["coat"] = "lab0", "white"
    rows.to_parquet(tmp_path / "predictions.parquet")
    (tmp_path / "report.json").write_text((constant / "report.json").read_text())
    group = compare(tmp_path, tmp_path)["groups"]["lab0|white"]
    assert group["n_animals"] == 8
    assert group["assessed"] is True


def test_different_benchmarks_and_missing_evaluations_are_refused(
    study, constant: Path, tmp_path: Path
) -> None:
    evaluate(CONSTANT, study.read(), study.media, tmp_path / "test", split="test")
    with pytest.raises(Refused, match="different benchmarks"):
        compare(tmp_path / "test", constant)
    with pytest.raises(Refused, match="holds no evaluation"):
        compare(tmp_path / "none", constant)
    with pytest.raises(Refused, match="no frames in the split"):
        evaluate(CONSTANT, study.read(), study.media, tmp_path, split="elsewhere")


def test_the_commands_write_what_the_functions_return(
    study, constant: Path, models, finish, tmp_path: Path
) -> None:
    events = finish(
        models("evaluate", "--bundle", "constant", "--manifest", study.manifest, "--media",
               study.media, "--out", tmp_path / "e")
    )  # fmt: skip
    assert events[-1]["event"] == "done"
    assert report(tmp_path / "e") == report(constant)
    finish(
        models("compare", "--challenger", tmp_path / "e", "--champion", constant, "--out",
               tmp_path / "c.json")
    )  # fmt: skip
    assert json.loads((tmp_path / "c.json").read_text()) == compare(tmp_path / "e", constant)
    process = models("evaluate", "--bundle", tmp_path, "--manifest", study.manifest, "--media",
                     study.media, "--out", tmp_path / "f")  # fmt: skip
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert json.loads(out.splitlines()[-1])["event"] == "refused"


def test_a_rendered_study_is_judged_as_it_lies(models, finish, tmp_path: Path) -> None:
    from models.phantom.plans import study_plan
    from models.phantom.study import write_study

    write_study(tmp_path / "study", study_plan(1, 1, seconds=2.0), 3)
    folder = tmp_path / "e"
    finish(
        models("evaluate", "--bundle", "constant", "--data", tmp_path / "study", "--out", folder)
    )
    told = report(folder)
    assert told["phantom"]
    assert told["n_animals"] >= 2
    assert told["image_score"]["rmse"] == pytest.approx(told["image_score"]["constant_rmse"])
    # The folder that it was gathered into is data, too.
    (folder / "data" / "benchmark.parquet").rename(folder / "data" / "manifest.parquet")
    again = models("evaluate", "--bundle", "constant", "--data", folder / "data", "--training",
                   folder / "data" / "training.parquet", "--out", tmp_path / "f")  # fmt: skip
    finish(again)
    assert report(tmp_path / "f")["image_score"] == told["image_score"]


def test_data_are_named_once(models, study, tmp_path: Path) -> None:
    for more in ((), ("--data", tmp_path, "--manifest", study.manifest, "--media", study.media)):
        out, _ = models(
            "evaluate", "--bundle", "constant", *more, "--out", tmp_path / "e"
        ).communicate(timeout=60)
        assert "either --data, or both" in json.loads(out.splitlines()[-1])["sentence"]


def test_temperature_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (4000, 2))
    p = corn_probabilities(logits)
    grades = np.array([rng.choice(3, p=row / row.sum()) for row in p])
    target = np.eye(3)[grades]
    assert fit_temperature(3 * logits, target) == pytest.approx(3.0, rel=0.12)
    assert fit_temperature(logits[:3], target[:3]) == 1.0
    yes = (rng.random(4000) < 1 / (1 + np.exp(-logits[:, 0]))).astype(float)
    assert fit_binary_temperature(2 * logits[:, 0], yes) == pytest.approx(2.0, rel=0.15)


def test_conformal_sets_miss_as_seldom_as_promised() -> None:
    rng = np.random.default_rng(1)
    p = rng.dirichlet([1, 1, 1], 3000)
    grades = np.array([rng.choice(3, p=row) for row in p])
    threshold = conformal_threshold(p[:1500], np.eye(3)[grades[:1500]], 0.1)
    kept = p[1500:][np.arange(1500), grades[1500:]] >= threshold
    assert kept.mean() == pytest.approx(0.9, abs=0.025)
    assert conformal_threshold(p[:3], np.eye(3)[grades[:3]], 0.1) == 0.0


def test_distance_tells_the_familiar_from_the_unfamiliar(scale: Scale) -> None:
    rng = np.random.default_rng(2)
    mixing = rng.normal(size=(6, 6))
    reference, own = (rng.normal(size=(n, 6)) @ mixing for n in (400, 200))
    unit = {"temperature": 2.0, "scorable_temperature": 1.0}
    calibrated = Calibrated(
        {
            "units": dict.fromkeys(scale.unit_keys, unit),
            "out_of_distribution": {**fit_distance(reference, own), "least_familiar": 0.8},
        },
        scale,
    )
    sure = np.full(500, 9.0)
    assert (calibrated.distance(rng.normal(size=(500, 6)) @ mixing, sure) > 1).mean() < 0.03
    assert (calibrated.distance(10 + own, sure[:200]) > 1).all()
    assert calibrated.distance(own[:2], np.log([4.0, 3.9])) == pytest.approx([1.0, 1.02], abs=0.01)
    assert least_familiar(np.array([-1.0, 9.0])) == 0.5
    assert least_familiar(sure) == 0.7
    logits = rng.normal(size=(2, len(scale.units), 2))
    assert calibrated.probabilities(logits)[0] == pytest.approx(
        corn_probabilities(logits[:, 0], 2.0)
    )


def test_a_calibration_keeps_its_sets_and_hands_them_out(scale: Scale) -> None:
    rng = np.random.default_rng(4)
    n, units = 240, len(scale.units)
    logits = rng.normal(0, 1.5, (n, units, 2))
    votes = [
        np.eye(3)[[rng.choice(3, p=row / row.sum()) for row in corn_probabilities(logits[:, u])]]
        for u in range(units)
    ]
    votes[0][:200] = np.nan
    labs = ["one"] * 120 + ["two"] * 120
    fitted = fit_calibration(
        scale, logits, votes, np.zeros((n, units)), np.ones((n, units)), rng.normal(size=(n, 4)),
        np.full(n, 3.0), rng.normal(size=(300, 4)), 0.1, labs, ["coat"] * n,
    )  # fmt: skip
    first, second = scale.unit_keys[:2]
    assert fitted["sets"]["units"][first]["groups"] == {}
    assert set(fitted["sets"]["units"][second]["groups"]) == {"one|coat", "two|coat"}
    assert (
        fitted["units"][second]["set_threshold"]
        == (fitted["sets"]["units"][second]["pooled"]["threshold"])
    )
    calibrated = Calibrated(fitted, scale)
    p = calibrated.probabilities(logits)[1]
    held = calibrated.prediction_set(p, second, "one|coat")
    assert held is not None
    assert held.any(1).all()
    assert held[np.arange(n), votes[1].argmax(1)].mean() > 0.85
    old = {key: value for key, value in fitted.items() if key != "sets"}
    assert Calibrated(old, scale).prediction_set(p, second) is None


def test_nan_becomes_null_everywhere() -> None:
    assert without_nan({"a": [math.nan, np.float64(1), (math.inf,)], 2: np.int64(3)}) == {
        "a": [None, 1.0, [None]],
        "2": 3,
    }


def test_progress_never_runs_backwards() -> None:
    told: list[dict] = []
    progress = Progress(told.append, {"one": 1, "two": 3})
    progress.enter("one", "Begin.")
    progress.enter("two", "Go on.")
    progress.tell(1.0, "Done.")
    assert [event["fraction"] for event in told] == [0.0, 0.25, 1.0]
    assert told[-1]["seconds_left"] == 0.0


def test_a_manifest_error_is_a_value_error() -> None:
    assert issubclass(ManifestError, ValueError)


def test_scaling_undoes_a_rater_who_is_milder() -> None:
    rng = np.random.default_rng(4)
    logits = rng.normal(0, 2, (4000, 2))
    target = corn_probabilities(0.5 * logits + np.array([0.8, -0.4]))
    temperature, shift = fit_scaling(logits, target)
    assert temperature == pytest.approx(2.0, rel=0.1)
    assert shift == pytest.approx([0.8, -0.4], abs=0.25)
    assert fit_scaling(logits[:3], target[:3])[0] == 1.0
    assert not fit_scaling(logits[:3], target[:3])[1].any()


def test_cuts_let_an_unsure_unit_reach_the_grades_that_raters_give() -> None:
    rng = np.random.default_rng(5)
    truth = rng.choice(3, 600, p=[0.5, 0.35, 0.15])
    target = np.eye(3)[truth]
    # A unit of which little can be seen: its expected grades lie near the mean.
    unsure = np.clip(0.65 + 0.4 * (truth - 0.65) + rng.normal(0, 0.12, 600), 0, 2)
    cuts = fit_cuts(unsure, target)
    assert 0.3 < cuts[0] < 0.8 <= cuts[1] < 1.2
    rounded, cut = (
        quadratic_weighted_kappa(truth, grade_by_cuts(unsure, at), 3)
        for at in (halfway_cuts(3), cuts)
    )
    assert cut > rounded + 0.1
    sure = np.clip(truth + rng.normal(0, 0.1, 600), 0, 2)
    assert np.abs(fit_cuts(sure, target) - halfway_cuts(3)).max() <= 0.1
    assert fit_cuts(unsure[:3], target[:3]).tolist() == [0.5, 1.5]
    # Raters that always say the same leave nothing to fit.
    assert fit_cuts(unsure, np.eye(3)[np.zeros(600, int)]).tolist() == [0.5, 1.5]
    assert grade_by_cuts([0.49, 0.5, 1.6], [0.5, 1.5]).tolist() == [0, 1, 2]


def test_the_gate_on_states_asks_for_what_awake_animals_reach() -> None:
    sure = np.linspace(0.5, 1.0, 101)
    assert least_awake(sure) == pytest.approx(0.525)
    assert (sure >= least_awake(sure)).mean() >= 0.95
    assert least_awake(np.full(100, 0.99)) == 0.7
    assert least_awake(np.full(100, 0.01)) == 0.35
    assert least_awake(sure[:3]) == least_awake(None) == 0.35


def test_what_left_out_labs_taught_is_read_from_their_predictions(
    judged_run: Path, scale: Scale
) -> None:
    path = judged_run / "predictions.parquet"
    table, found = pd.read_parquet(path), read_left_out(path, scale)
    unit = scale.units[0]
    assert list(found.labs) == table["lab"].tolist()
    assert found.targets[0][:, 0] == pytest.approx(table[f"{unit.key}__truth_p0"], nan_ok=True)
    assert found.probabilities[0].shape == (len(table), len(unit.grades))
    assert len(found.digest) == 64

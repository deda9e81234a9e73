"""Whole studies: numbers by hand, odd ones, and the zip that makes every number again."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.__main__ import main
from models.result import DISCLAIMER
from models.scale import load_scale
from models.study import StudyPlan, StudyRow, read_table, run_study
from models.study.example import ExampleSize, write_example

Study = Callable[..., list[StudyRow]]
PLAN = StudyPlan(control="sham", draws=199)


def keys(report: dict[str, Any]) -> set[str]:
    return {one["key"] for one in report["warnings"]}


def test_a_study_by_hand(study: Study, tmp_path: Path) -> None:
    rows = study(
        {
            "drug": [{0: 0.2, 2: 0.6, 4: 1.0}, {0: 0.4, 2: 1.0, 4: 1.2}, {0: 0.3, 2: 0.8, 4: 1.0}],
            "sham": [{0: 0.2, 2: 0.2, 4: 0.4}, {0: 0.4, 2: 0.4, 4: 0.2}, {0: 0.3, 2: 0.3, 4: 0.3}],
        }
    )
    report = run_study(rows, dataclasses.replace(PLAN, cut_off=0.8), tmp_path / "out")
    assert report["groups"] == ["sham", "drug"]
    (row,) = report["primary"]["pairs"]
    assert row["mean_reference"] == pytest.approx(0.3)
    assert row["mean_group"] == pytest.approx((0.8 + 1.1 + 0.9) / 3)
    assert row["p"] == pytest.approx(2 / 20)
    assert row["interval"] == [None, None]
    values = {one["unit"]: one for one in report["values"]}
    # Over 0.2: 0 at 0 h, 0.4 at 2 h, 0.8 at 4 h.
    assert values["m1"]["auc"] == pytest.approx(0.4 + 1.2)
    assert values["m1"]["change"] == pytest.approx(0.6)
    assert values["m1"]["high_share"] == pytest.approx(0.5)
    assert values["m4"]["high_share"] == 0.0
    course = {(one["group"], one["time_h"]): one for one in report["time_course"]}
    assert course["drug", 2.0]["mean"] == pytest.approx(0.8)
    assert course["drug", 2.0]["graded"] == 240
    assert {"few_units", "blind_test"} <= keys(report)
    assert report["disclaimer"] == DISCLAIMER


def test_cages_are_units_of_one_value_each(study: Study, tmp_path: Path) -> None:
    rows = study({"a": [{1: 0.2}, {1: 0.4}, {1: 1.0}], "b": [{1: 0.5}, {1: 0.7}, {1: 0.9}]})
    cages = {"m1": "1", "m2": "1", "m3": "2", "m4": "3", "m5": "3", "m6": "4"}
    rows = [dataclasses.replace(row, cage=cages[row.animal]) for row in rows]
    report = run_study(rows, StudyPlan(unit="cage", draws=99), tmp_path / "out")
    (row,) = report["primary"]["pairs"]
    assert (row["n_reference"], row["n_group"]) == (2, 2)
    assert row["mean_reference"] == pytest.approx((0.3 + 1.0) / 2)
    animals = run_study(rows, StudyPlan(draws=99), tmp_path / "animals")
    assert "cage_is_group" in keys(animals)


def test_two_films_of_one_observation_are_one(study: Study, tmp_path: Path) -> None:
    rows = study({"a": [{1: 0.2}, {1: 0.4}], "b": [{1: 0.5}, {1: 0.7}]})
    again = dataclasses.replace(rows[1], name="again", animal="m1")
    report = run_study([*rows[:1], again, *rows[2:]], StudyPlan(draws=99), tmp_path / "out")
    (first,) = [one for one in report["observations"] if one["animal"] == "m1"]
    assert first["score"] == pytest.approx(0.3)
    assert first["frames"] == 200


def test_one_animal_per_group_and_missing_baselines_are_told(study: Study, tmp_path: Path) -> None:
    report = run_study(study({"a": [{2: 0.2}], "b": [{2: 0.9}]}), StudyPlan(), tmp_path / "out")
    assert {"few_units", "blind_test", "missing_baseline"} <= keys(report)
    (row,) = report["primary"]["pairs"]
    assert (row["p"], row["hedges_g"]) == (1.0, None)
    assert report["mixed"] is report["power"] is None


def test_one_group_is_described_and_not_compared(study: Study, tmp_path: Path) -> None:
    report = run_study(study({"a": [{0: 0.2, 2: 0.5}] * 4}), StudyPlan(draws=99), tmp_path / "out")
    assert "one_group" in keys(report)
    assert report["primary"]["pairs"] == []


def test_observations_without_a_score_are_listed_with_their_reason(
    study: Study, tmp_path: Path
) -> None:
    rows = study({"a": [{0: 0.2, 2: None}, {0: 0.2, 2: 0.3}], "b": [{0: 0.1, 2: 0.5}] * 2})
    rows[3] = dataclasses.replace(rows[3], excluded="wrong dose")
    report = run_study(rows, StudyPlan(draws=99), tmp_path / "out")
    assert [one["name"] for one in report["without_score"]] == ["m1_2"]
    assert report["exclusions"][0]["reason"] == "wrong dose"
    methods = (tmp_path / "out" / "methods.txt").read_text()
    assert "wrong dose" in methods
    assert "too few frames could be graded (1)" in methods
    assert "missing_times" in keys(report)


def test_unequal_scorable_shares_states_and_dependence_are_told(
    study: Study, tmp_path: Path
) -> None:
    resting = next(state.key for state in load_scale().states if not state.graded)
    graded = load_scale().graded_state.key
    other = study(
        {"x": [{0: 0.1}] * 3, "b": [{2: 0.5}] * 3}, graded=40,
        states={graded: 40, resting: 60}, not_independent=True,
    )  # fmt: skip
    rows = study({"a": [{2: 0.4}] * 3}) + [row for row in other if row.group == "b"]
    report = run_study(rows, StudyPlan(draws=99), tmp_path / "out")
    assert {"unequal_coverage", f"unequal_state_{resting}", "not_independent"} <= keys(report)


@pytest.mark.parametrize(("said", "left_out"), [("no", 6), ("yes", 0), ("unknown", 0), (False, 6)])
def test_agreement_leaves_out_what_training_knew(
    study: Study, tmp_path: Path, said: object, left_out: int
) -> None:
    known = study({"x": [{0: 0.1}] * 3, "b": [{2: 0.5}, {2: 0.7}, {2: 0.6}] * 2}, independent=said)
    known = [row for row in known if row.group == "b"]
    free = study({"a": [{2: 0.4}, {2: 0.5}, {2: 0.3}]})
    rows = [dataclasses.replace(row, human_score=0.5) for row in (*free, *known)]
    report = run_study(rows, StudyPlan(draws=99), tmp_path / "out")
    assert report["agreement"]["observations"] == 9 - left_out
    assert report["agreement"]["left_out_not_independent"] == left_out
    assert ("not_independent" in keys(report)) == bool(left_out)


def test_percent_reversal_is_given_or_refused(study: Study, tmp_path: Path) -> None:
    plan = StudyPlan(primary="percent_reversal", vehicle="v", drug="d", draws=499)
    given = study(
        {"v": [{0: 0.2, 2: 1.2}, {0: 0.3, 2: 1.3}, {0: 0.1, 2: 1.1}] * 2,
         "d": [{0: 0.2, 2: 0.6}, {0: 0.3, 2: 0.8}, {0: 0.1, 2: 0.7}] * 2}
    )  # fmt: skip
    found = run_study(given, plan, tmp_path / "out")["reversal"]
    assert found["percent"] == pytest.approx(50)
    assert found["interval"][0] < 50 < found["interval"][1]
    nothing = study({"v": [{0: 0.2, 2: 0.2}] * 4, "d": [{0: 0.2, 2: 0.1}] * 4})
    found = run_study(nothing, plan, tmp_path / "none")["reversal"]
    assert found["percent"] is None
    assert found["refused"].startswith("No percent reversal")


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A made-up study with predictions: 12 animals, 3 times; the folder of its table."""
    folder = tmp_path_factory.mktemp("example")
    write_example(folder / "study.csv", ExampleSize(4, (-24.0, 2.0, 6.0), 20.0, 2.0))
    return folder


@pytest.fixture(scope="module")
def analysed(example: Path) -> Path:
    """The same, analysed by the command; the folder of the report."""
    out = example / "out"
    plan = json.loads((example / "study-plan.json").read_text()) | {"draws": 299}
    (example / "plan.json").write_text(json.dumps(plan))
    options = ["--plan", str(example / "plan.json"), "--out", str(out)]
    assert main(["tools", "study", str(example / "study.csv"), *options]) == 0
    return out


def test_the_zip_makes_every_number_again(analysed: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(analysed / "study.zip") as held:
        assert {"README.txt", "report.html", "study.csv", "plan.json"} <= set(held.namelist())
        held.extractall(tmp_path)
    assert "python -m models tools study study.csv" in (tmp_path / "README.txt").read_text()
    options = ["--plan", str(tmp_path / "plan.json"), "--out", str(tmp_path / "again")]
    assert main(["tools", "study", str(tmp_path / "study.csv"), *options]) == 0
    first = json.loads((analysed / "report.json").read_text())
    again = json.loads((tmp_path / "again" / "report.json").read_text())
    assert {**first, "files": None} == {**again, "files": None}


def test_every_file_names_the_model_the_phantom_and_the_limits(analysed: Path) -> None:
    report = json.loads((analysed / "report.json").read_text())
    assert report["phantom"]
    assert report["warnings"][0]["key"] == "phantom"
    page = (analysed / "report.html").read_text()
    assert "<script" not in page
    assert DISCLAIMER in page
    assert "phantom" in (analysed / "methods.txt").read_text()
    for path in (analysed / "tables").glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            assert {row["phantom"] for row in csv.DictReader(file)} == {"yes"}, path.name
    for path in (analysed / "figures").glob("*.svg"):
        assert "PHANTOM" in path.read_text(), path.name
        assert path.with_suffix(".png").stat().st_size > 5_000


def test_numbers_are_safe_for_json(analysed: Path) -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)
        elif isinstance(value, float):
            assert math.isfinite(value)

    walk(json.loads((analysed / "report.json").read_text()))


def test_agreement_and_the_score_without_the_gate_are_there(analysed: Path) -> None:
    report = json.loads((analysed / "report.json").read_text())
    assert report["agreement"]["observations"] == 24
    assert all(row["ungated"] is not None for row in report["gate"])
    assert report["mixed"]["p_group"] is not None


def test_few_units_get_a_simulated_p_of_the_mixed_model_beside_the_permuted(
    study: Study, tmp_path: Path
) -> None:
    values = np.random.default_rng(3).normal(0.5, 0.2, (2, 20, 2)).clip(0, 2)
    for units, there in ((6, True), (20, False)):
        given = study(
            {name: [{2: float(one), 4: float(two)} for one, two in pairs[:units]]
             for name, pairs in zip("ab", values, strict=True)}
        )  # fmt: skip
        out = tmp_path / str(units)
        report = run_study(given, StudyPlan(draws=199), out)
        ratio = report["mixed"]["likelihood_ratio"]
        assert (ratio is not None) == there
        assert ("parametric bootstrap" in report["methods"]) == there
        assert ("Simulated from the model" in (out / "report.html").read_text()) == there
        if ratio:
            assert ratio["draws"] == 199
            assert 1 / 200 <= ratio["p"] <= 1
            assert ratio["p"] > ratio["p_asymptotic"]


def test_a_whole_recording_scored_by_frames_has_the_score_of_its_result(example: Path) -> None:
    rows = read_table(example / "study.csv")[:1] + read_table(example / "study.csv")[-1:]
    report = run_study(rows, StudyPlan(draws=99), example / "one")
    for row, one in zip(rows, report["observations"], strict=True):
        result = json.loads(Path(row.result).read_text())["result"]
        assert one["score"] == pytest.approx(result["score"])
        assert one["score_ungated"] == pytest.approx(result["score_ungated"])


def test_the_command_refuses_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["tools", "study", str(tmp_path / "no.csv"), "--out", str(tmp_path / "out")])
    assert status == 3
    assert json.loads(capsys.readouterr().out)["event"] == "refused"

"""Plans and designs that are refused, each with a sentence that says what to do."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.events import Refused
from models.scale import load_scale
from models.study import StudyPlan, StudyRow, run_study

Study = Callable[..., list[StudyRow]]
TWO = {"sham": [{0: 0.2, 2: 0.3}, {0: 0.3, 2: 0.2}], "drug": [{0: 0.2, 2: 0.9}, {0: 0.3, 2: 0.8}]}


def sentence(rows: list[StudyRow], plan: StudyPlan, out: Path) -> str:
    with pytest.raises(Refused) as refusal:
        run_study(rows, plan, out)
    assert not out.exists()
    return refusal.value.sentence


def test_a_plan_survives_json() -> None:
    plan = StudyPlan(units=load_scale().unit_keys[:3], cut_off=1, primary_time_h=4, vehicle="v")
    assert StudyPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_plan_with_a_strange_field_is_refused() -> None:
    with pytest.raises(Refused, match="cutoff"):
        StudyPlan.from_json({"cutoff": 1})


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"unit": "frame"}, "“animal” or “cage”"),
        ({"primary": "median"}, "primary outcome “median”"),
        ({"units": ("smile",)}, "“smile”"),
        ({"units": load_scale().unit_keys[:2]}, "at least 3 action units"),
        ({"alpha": 5}, "alpha"),
        ({"cut_off": 3.0}, "cut-off"),
        ({"primary": "high_share"}, "set the cut-off"),
        ({"primary": "percent_reversal"}, "vehicle group and a drug group"),
        ({"draws": 5}, "draws"),
        ({"primary_time_h": -1.0}, "primary_time_h"),
        ({"baseline_h": 3.0}, "baseline_h"),
        ({"primary": "auc", "primary_time_h": 2.0}, "area under the curve"),
        ({"control": "placebo"}, "“placebo” is not in the table"),
        ({"vehicle": "drug", "drug": "drug"}, "are the same"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_refused(
    study: Study, tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    assert told in sentence(study(TWO), StudyPlan(**fields), tmp_path / "out")


def changed(rows: list[StudyRow], place: int, **fields: Any) -> list[StudyRow]:
    return [dataclasses.replace(row, **fields) if n == place else row for n, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"group": ""}, "m1_0 has no group"),
        ({"group": "drug"}, "Animal m1 has two groups"),
        ({"cage": "c1"}, "Animal m1 has two cages"),
    ],
)
def test_a_row_that_fits_no_design_is_refused(
    study: Study, tmp_path: Path, fields: dict[str, Any], told: str
) -> None:
    assert told in sentence(changed(study(TWO), 0, **fields), StudyPlan(), tmp_path / "out")


def test_a_table_without_groups_or_rows_is_refused(study: Study, tmp_path: Path) -> None:
    rows = [dataclasses.replace(row, group="") for row in study(TWO)]
    assert "which group" in sentence(rows, StudyPlan(), tmp_path / "out")
    assert "no rows" in sentence([], StudyPlan(), tmp_path / "out")


def test_a_study_that_is_all_excluded_is_refused(study: Study, tmp_path: Path) -> None:
    rows = [dataclasses.replace(row, excluded="ill") for row in study(TWO)]
    assert "Every row of the table is excluded" in sentence(rows, StudyPlan(), tmp_path / "out")


def test_cages_as_units_must_be_named_and_of_one_group(study: Study, tmp_path: Path) -> None:
    plan = StudyPlan(unit="cage")
    assert "names none" in sentence(study(TWO), plan, tmp_path / "out")
    rows = [dataclasses.replace(row, cage="c1") for row in study(TWO)]
    assert "Cage c1 has two groups" in sentence(rows, plan, tmp_path / "out")


def test_two_versions_are_refused_by_name(study: Study, tmp_path: Path) -> None:
    rows = study(TWO)
    whole = json.loads(Path(rows[0].result).read_text())
    whole["provenance"] |= {"bundle": "cd" * 32, "model": "mouse-v4"}
    Path(rows[0].result).write_text(json.dumps(whole))
    told = sentence(rows, StudyPlan(), tmp_path / "out")
    assert "mouse-v3 (bundle abababababab) scored 7" in told
    assert "mouse-v4 (bundle cdcdcdcdcdcd) scored 1" in told


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"result": {"outcome": "scored"}}'])
def test_a_file_that_is_no_result_is_refused_by_its_name(
    study: Study, tmp_path: Path, content: str
) -> None:
    rows = study(TWO)
    Path(rows[2].result).write_text(content)
    assert sentence(rows, StudyPlan(), tmp_path / "out").startswith("m2_0: ")


def test_units_that_are_seldom_scored_do_not_take_part(study: Study, tmp_path: Path) -> None:
    report = run_study(study(TWO, seldom=2), StudyPlan(draws=99), tmp_path / "out")
    keys = load_scale().unit_keys
    assert report["units_used"] == [key for place, key in enumerate(keys) if place != 2]

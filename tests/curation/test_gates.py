"""Every gate passes a good challenger and names the fault of a bad one."""

from __future__ import annotations

import copy
import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.gates import (
    PROFILES,
    Evidence,
    Profile,
    Verdict,
    judge,
    not_assessed,
    refused_by,
    unanswered,
)
from models.scale import load_scale

SCALE = load_scale()
UNIT = SCALE.units[1]
STANDARD = PROFILES["standard"]
DEMO = PROFILES["demo"]


def _with(part: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(part)
    *parents, last = path.split("/")
    place = changed
    for key in parents:
        place = place[key]
    place[last] = value
    return changed


def _verdict(verdicts: tuple[Verdict, ...], gate: str) -> Verdict:
    return next(verdict for verdict in verdicts if verdict.gate == gate)


def test_a_good_challenger_passes_every_gate(challenger: Evidence) -> None:
    verdicts = judge(challenger, STANDARD)
    assert [verdict.sentence for verdict in verdicts if verdict.passed is not True] == []
    assert refused_by(verdicts) == not_assessed(verdicts) == ()


@pytest.mark.parametrize(
    ("path", "value", "gate"),
    [
        ("n_frames", 299, "benchmark_size"),
        ("n_animals", 23, "benchmark_size"),
        ("n_frames", None, "benchmark_size"),
        (f"units/{UNIT.key}/kappa", 0.1, f"kappa_{UNIT.key}"),
        ("image_score/rmse", 0.40, "image_rmse"),
        ("image_score/rmse", None, "image_rmse"),
        ("image_score/constant_rmse", 0.0, "image_rmse"),
        ("image_score/r", 0.6, "image_r"),
        ("image_score/r", math.nan, "image_r"),
        ("image_score/coverage", 0.1, "coverage"),
        (f"units/{UNIT.key}/ece", 0.2, "calibration"),
        ("observation/slope", 1.6, "observation_slope"),
        ("observation/slope", 0.5, "observation_slope"),
        ("observation/bias", -0.2, "observation_bias"),
        ("observation/bias", 0.2, "observation_bias"),
    ],
)
def test_a_bad_figure_is_refused_by_its_gate_and_by_no_other(
    challenger: Evidence, path: str, value: Any, gate: str
) -> None:
    bad = replace(challenger, report=_with(dict(challenger.report), path, value))
    verdicts = judge(bad, STANDARD)
    assert refused_by(verdicts) == (gate,)
    assert _verdict(verdicts, gate).sentence.endswith(".")


def test_both_directions_of_the_sleep_error_are_gates(challenger: Evidence) -> None:
    for key, gate in (
        ("asleep_graded_high", "asleep_graded"),
        ("pain_taken_for_asleep", "pain_taken_for_asleep"),
    ):
        bad = _with(dict(challenger.report), f"sleep/{key}/share", 0.2)
        verdicts = judge(replace(challenger, report=bad), STANDARD)
        assert refused_by(verdicts) == (gate,)
        few = _with(dict(challenger.report), f"sleep/{key}/n_animals", 7)
        verdicts = judge(replace(challenger, report=few), STANDARD)
        assert not_assessed(verdicts) == (gate,)
        assert "7 animals only; 8 are needed" in _verdict(verdicts, gate).sentence


def test_an_explanation_that_shows_no_more_than_the_middle_is_refused(challenger: Evidence) -> None:
    place = f"explanation/units/{UNIT.key}/above_centre/interval"
    bad = replace(challenger, report=_with(dict(challenger.report), place, [-0.02, 0.05]))
    verdict = _verdict(judge(bad, STANDARD), "faithfulness")
    assert verdict.passed is False
    assert UNIT.title.lower() in verdict.sentence
    none = replace(challenger, report={**challenger.report, "explanation": None})
    assert not_assessed(judge(none, STANDARD)) == ("faithfulness",)
    told = _verdict(judge(none, DEMO), "faithfulness")
    assert (told.passed, told.told) == (None, True)


def test_agreement_per_observation_is_a_gate(challenger: Evidence) -> None:
    low = replace(challenger, report=_with(dict(challenger.report), "observation/icc", 0.5))
    assert refused_by(judge(low, STANDARD)) == ("observation_icc",)
    wide = replace(
        challenger, report=_with(dict(challenger.report), "observation/loa", [-0.6, 0.7])
    )
    assert refused_by(judge(wide, STANDARD)) == ("observation_limits",)


def test_the_recipe_on_left_out_labs_is_named_with_its_snapshot(challenger: Evidence) -> None:
    verdict = _verdict(judge(challenger, STANDARD), "left_out_labs")
    assert "recipe shipped on snapshot 5555" in verdict.sentence
    bad = _with(dict(challenger.left_out or {}), "labs/Meadow/rmse", 0.44)
    verdicts = judge(replace(challenger, left_out=bad), STANDARD)
    assert refused_by(verdicts) == ("left_out_labs",)
    assert "lab Meadow" in _verdict(verdicts, "left_out_labs").sentence
    never = judge(replace(challenger, left_out=None), STANDARD)
    assert not_assessed(never) == ("left_out_labs",)
    assert "Not run" in _verdict(never, "left_out_labs").sentence


@pytest.mark.parametrize(
    ("path", "value", "gate"),
    [
        ("rescored/mean_change", 0.4, "rescored"),
        ("cost/slower", 2.0, "speed"),
        ("cost/larger", 3.0, "size"),
    ],
)
def test_what_would_change_for_users_is_a_gate_and_in_the_demo_only_told(
    challenger: Evidence, path: str, value: float, gate: str
) -> None:
    bad = replace(challenger, replacement=_with(dict(challenger.replacement or {}), path, value))
    assert refused_by(judge(bad, STANDARD)) == (gate,)
    verdict = _verdict(judge(bad, DEMO), gate)
    assert (verdict.passed, verdict.told, verdict.value) == (None, True, value)
    assert gate not in not_assessed(judge(bad, DEMO))


def test_a_tick_answers_one_gate_and_an_empty_one_answers_none(challenger: Evidence) -> None:
    none = replace(challenger, report={**challenger.report, "explanation": None}, left_out=None)
    rows = [verdict.to_json() for verdict in judge(none, STANDARD)]
    assert [row["gate"] for row in unanswered(rows, {})] == ["faithfulness", "left_out_labs"]
    ticks = {"faithfulness": "not shown to users yet", "left_out_labs": "  "}
    assert [row["gate"] for row in unanswered(rows, ticks)] == ["left_out_labs"]


def test_units_that_agree_badly_on_average_are_refused(challenger: Evidence) -> None:
    report = dict(challenger.report)
    for key in SCALE.unit_keys:
        report = _with(report, f"units/{key}/kappa", 0.3)
    assert "mean_kappa" in refused_by(judge(replace(challenger, report=report), STANDARD))


def test_a_kappa_that_is_not_defined_is_not_assessed(challenger: Evidence) -> None:
    report = _with(dict(challenger.report), f"units/{UNIT.key}/kappa", None)
    verdicts = judge(replace(challenger, report=report), STANDARD)
    assert not_assessed(verdicts) == (f"kappa_{UNIT.key}",)


def test_too_few_observations_are_not_assessed(challenger: Evidence) -> None:
    report = _with(dict(challenger.report), "observation", {"n": 2, "slope": None, "bias": None})
    verdicts = judge(replace(challenger, report=report), STANDARD)
    assert not_assessed(verdicts) == (
        "observation_slope",
        "observation_bias",
        "observation_icc",
        "observation_limits",
    )


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({}, "could not be opened"),
        ({"digest": "abc"}, "could not be opened"),
        ({"digest": "a" * 64, "scale": "rat"}, "another scale"),
        ({"digest": "a" * 64, "scale": {"name": "rat"}}, "another scale"),
    ],
)
def test_a_bundle_that_was_not_verified_is_refused(
    challenger: Evidence, info: dict[str, Any], sentence: str
) -> None:
    verdicts = judge(replace(challenger, bundle_info=info), STANDARD)
    assert refused_by(verdicts) == ("integrity",)
    assert sentence in _verdict(verdicts, "integrity").sentence


def test_a_report_without_a_unit_is_refused(challenger: Evidence) -> None:
    report = copy.deepcopy(dict(challenger.report))
    del report["units"][UNIT.key]
    assert "integrity" in refused_by(judge(replace(challenger, report=report), STANDARD))


def test_phantom_models_pass_outside_production_only_and_it_says_so(challenger: Evidence) -> None:
    phantom = replace(challenger, bundle_info={**challenger.bundle_info, "phantom": True})
    assert refused_by(judge(phantom, STANDARD)) == ("origin",)
    verdict = _verdict(judge(replace(phantom, production=False), DEMO), "origin")
    assert verdict.passed
    assert "phantom" in verdict.sentence
    judged = replace(challenger, report={**challenger.report, "phantom": True})
    assert refused_by(judge(judged, STANDARD)) == ("origin",)


def test_production_wants_two_labs_and_no_demo_profile(challenger: Evidence) -> None:
    one_lab = replace(challenger, report={**challenger.report, "n_labs": 1})
    assert refused_by(judge(one_lab, STANDARD)) == ("origin",)
    assert refused_by(judge(challenger, DEMO)) == ("origin",)
    assert (
        "Judged on real mice of 3 labs" in _verdict(judge(challenger, STANDARD), "origin").sentence
    )


def test_without_a_champion_the_constant_baseline_is_the_incumbent(challenger: Evidence) -> None:
    first = replace(challenger, champion=None, comparison=None)
    verdicts = judge(first, STANDARD)
    assert _verdict(verdicts, "better_than_constant").passed
    assert not any(verdict.gate.startswith("non_inferiority") for verdict in verdicts)
    wide = _with(dict(first.report), "image_score/interval/rmse", [0.2, 0.5])
    assert refused_by(judge(replace(first, report=wide), STANDARD)) == ("better_than_constant",)


def test_an_unmeasured_comparison_is_refused(challenger: Evidence) -> None:
    assert refused_by(judge(replace(challenger, comparison=None), STANDARD)) == ("non_inferiority",)
    other = {**challenger.report, "benchmark_digest": "c" * 64}
    assert refused_by(judge(replace(challenger, champion=other), STANDARD)) == ("non_inferiority",)


def test_a_challenger_that_may_be_worse_is_refused_even_if_its_mean_is_not(
    challenger: Evidence,
) -> None:
    unsure = {**(challenger.comparison or {}), "interval": [-0.08, 0.04]}
    verdicts = judge(replace(challenger, comparison=unsure), STANDARD)
    assert refused_by(verdicts) == ("non_inferiority",)
    assert "may be as large as +0.040" in _verdict(verdicts, "non_inferiority").sentence


def test_the_lab_whose_mice_got_worse_is_named(challenger: Evidence) -> None:
    comparison = copy.deepcopy(dict(challenger.comparison or {}))
    key = next(iter(comparison["groups"]))
    comparison["groups"][key].update(difference=0.1, interval=[0.05, 0.15])
    verdicts = judge(replace(challenger, comparison=comparison), STANDARD)
    assert refused_by(verdicts) == (f"non_inferiority:{key}",)
    assert "in lab lab-a" in _verdict(verdicts, f"non_inferiority:{key}").sentence


def test_refusing_frames_that_the_champion_grades_is_no_way_to_pass(challenger: Evidence) -> None:
    fewer = {"coverage_challenger": 0.8, "coverage_lost": 0.12, "coverage_lost_interval": [0, 0.2]}
    comparison = copy.deepcopy(dict(challenger.comparison or {}))
    verdicts = judge(replace(challenger, comparison={**comparison, **fewer}), STANDARD)
    assert refused_by(verdicts) == ("coverage_kept",)
    key = next(iter(comparison["groups"]))
    comparison["groups"][key].update(fewer)
    verdicts = judge(replace(challenger, comparison=comparison), STANDARD)
    assert refused_by(verdicts) == (f"coverage_kept:{key}",)
    sentence = _verdict(verdicts, f"coverage_kept:{key}").sentence
    assert "in lab lab-a" in sentence
    assert "80 % get a score against 92 % by the champion" in sentence
    # Of so few animals nothing is said twice: the gate on their error lists them.
    comparison["groups"][key].update(n_rated_animals=7)
    assert refused_by(judge(replace(challenger, comparison=comparison), STANDARD)) == ()


def test_a_comparison_without_coverage_is_no_evidence_unless_the_run_began_before_it_was(
    challenger: Evidence,
) -> None:
    old = copy.deepcopy(dict(challenger.comparison or {}))
    for row in (old, *old["groups"].values()):
        for name in [name for name in row if "coverage" in name or name == "n_rated_animals"]:
            del row[name]
    without = replace(challenger, comparison=old)
    assert refused_by(judge(without, STANDARD)) == ("coverage_kept",)
    kept = {name: value for name, value in STANDARD.to_json().items() if "coverage_" not in name}
    verdicts = judge(without, Profile.from_json(kept))
    assert refused_by(verdicts) == not_assessed(verdicts) == ()


@pytest.mark.parametrize("change", [{"n_animals": 7}, {"assessed": False}])
def test_a_small_group_is_listed_and_never_passed(
    challenger: Evidence, change: dict[str, Any]
) -> None:
    comparison = copy.deepcopy(dict(challenger.comparison or {}))
    key = next(iter(comparison["groups"]))
    comparison["groups"][key].update(change, interval=None)
    verdicts = judge(replace(challenger, comparison=comparison), STANDARD)
    assert refused_by(verdicts) == ()
    assert not_assessed(verdicts) == (f"non_inferiority:{key}",)


@pytest.mark.parametrize("name", PROFILES)
def test_a_model_that_learned_nothing_is_refused_by_every_profile(
    challenger: Evidence, name: str
) -> None:
    report = _with(dict(challenger.report), "image_score/rmse", 0.47)
    report = _with(report, "image_score/r", 0.03)
    report = _with(report, "image_score/interval/rmse", [0.43, 0.51])
    for number, key in enumerate(SCALE.unit_keys):
        report = _with(report, f"units/{key}/kappa", (-0.03, 0.0, 0.02, 0.04, 0.06)[number])
    ignorant = replace(challenger, report=report, champion=None, comparison=None, production=False)
    assert {"mean_kappa", "image_rmse", "image_r", "better_than_constant"} <= set(
        refused_by(judge(ignorant, PROFILES[name]))
    )


def test_how_a_challenger_was_trained_does_not_sway_the_gates(challenger: Evidence) -> None:
    told = {**challenger.report, "training": {"shuffled_labels": True}}
    info = {**challenger.bundle_info, "config": {"shuffle_labels": True}}
    assert judge(replace(challenger, report=told, bundle_info=info), STANDARD) == judge(
        challenger, STANDARD
    )


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_states_its_purpose_and_survives_json(name: str) -> None:
    profile = PROFILES[name]
    assert profile.name == name
    assert profile.purpose.endswith(".")
    assert Profile.from_json(json.loads(json.dumps(profile.to_json()))) == profile


def test_the_demo_profile_is_nowhere_stricter_than_the_standard() -> None:
    least = {"benchmark_frames", "benchmark_animals", "mean_kappa", "unit_kappa_share", "image_r"}
    least |= {"coverage"}
    most = {"rmse_ratio", "calibration", "observation_bias", "margin", "group_margin"}
    most |= {"coverage_lost", "group_coverage_lost"}
    told = {"observation_limits", "asleep_graded", "pain_taken_for_asleep", "faithfulness"}
    told |= {"left_out", "rescored", "slower", "larger", "observation_icc"}
    assert {getattr(DEMO, name) for name in told} == {None}
    assert None not in {getattr(STANDARD, name) for name in told}
    for name in least:
        assert getattr(DEMO, name) <= getattr(STANDARD, name)
    for name in most:
        assert getattr(DEMO, name) >= getattr(STANDARD, name)
    rest = {field.name for field in fields(Profile)} - least - most - told
    assert rest == {"name", "purpose", "production", "slope", "group_animals"}


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["units", "image_score", "observation", "groups", "interval", "rmse"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=12,
)
REPORTS = st.dictionaries(
    st.sampled_from(["units", "image_score", "observation", "groups", "n_labs", "interval"]), JSON
)


@given(REPORTS, st.none() | REPORTS, st.none() | REPORTS, st.booleans())
def test_a_strange_report_is_refused_with_sentences_and_never_crashes_the_gates(
    report: dict[str, Any],
    champion: dict[str, Any] | None,
    comparison: dict[str, Any] | None,
    production: bool,
) -> None:
    verdicts = judge(Evidence(report, champion, comparison, {}, production), STANDARD)
    assert "integrity" in refused_by(verdicts)
    for verdict in verdicts:
        json.dumps(verdict.to_json(), allow_nan=False)
        assert verdict.sentence.endswith(".")

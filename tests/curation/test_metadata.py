"""Typed metadata fields: what they take, what they refuse, and how complete a version is."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.metadata import BY_KEY, FIELDS, LEVELS, completeness, fields_at, missing, validate
from curation.problems import Problem
from models.scale import load_scale

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=30), st.lists(st.none())
)


def test_at_most_eight_fields_are_needed_to_submit() -> None:
    assert 1 <= sum(field.required_to_submit for field in FIELDS) <= 8


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.key)
def test_a_field_is_complete_in_itself(field) -> None:
    assert field.level in LEVELS
    assert field.kind in ("text", "choice", "number", "date", "boolean")
    assert field.title[0].isupper()
    assert field.help.endswith(".")
    assert (field.kind == "choice") == bool(field.terms)
    assert field.open is False or field.kind == "choice"


def test_the_coats_are_those_of_the_scale() -> None:
    assert BY_KEY["coat"].term_keys == load_scale().coat_keys


@pytest.mark.parametrize(
    ("level", "values", "sentence"),
    [
        ("animal", {"age_weeks": "old"}, "Age must be a number of weeks, not “old”."),
        ("animal", {"age_weeks": 900}, "Age cannot be 900 weeks; the most is 200 weeks."),
        ("animal", {"age_weeks": -1}, "Age cannot be -1 weeks; the least is 0 weeks."),
        ("animal", {"age_weeks": True}, "Age must be a number of weeks, not “True”."),
        ("animal", {"sex": "f"}, "Sex does not know “f”; choose one of female, male, unknown."),
        (
            "animal",
            {"assay": "other"},
            "Assay belongs to the dataset and cannot be given per animal.",
        ),
        ("dataset", {"colour": 1}, "There is no field called colour; leave it out or rename it."),
        ("dataset", {"camera": 5}, "Camera must be text."),
        ("dataset", {"camera": "x" * 5000}, "Camera is longer than 4,000 characters."),
        (
            "recording",
            {"recorded_on": "1.2.2026"},
            "Recorded on must be a day written as 2026-01-31, not “1.2.2026”.",
        ),
        ("shelf", {}, f"There is no level called shelf; use one of {', '.join(LEVELS)}."),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(level, values, sentence) -> None:
    problems = validate(level, values)
    assert [problem.sentence for problem in problems] == [sentence]
    assert problems[0].field in (*values, level)


def test_good_and_empty_values_are_taken() -> None:
    coat = load_scale().coat_keys[0]
    animal = {
        "sex": "female",
        "coat": coat,
        "strain": "our own cross",
        "age_weeks": 9,
        "genotype": "",
    }
    assert validate("animal", animal) == []
    assert validate("recording", {"recorded_on": "2026-01-31"}) == []


def test_a_field_may_be_given_once_for_all_at_a_higher_level() -> None:
    assert validate("dataset", {"strain": "CD-1", "sex": "male"}) == []
    assert missing("animal", {"strain": "CD-1"}) == [
        Problem("Coat is missing; fill it in to submit.", field="coat"),
        Problem("Sex is missing; fill it in to submit.", field="sex"),
    ]


def test_completeness_counts_the_share_of_fields_and_of_animals() -> None:
    one = 1 / len(FIELDS)
    assert completeness({}) == 0
    assert completeness({"dataset": {"assay": "neuropathic"}}) == pytest.approx(one)
    assert completeness({"dataset": {"sex": "male"}}) == pytest.approx(one)
    assert completeness({"animal": [{"sex": "male"}, {"sex": ""}]}) == pytest.approx(one / 2)
    everything = {level: {field.key: "x" for field in fields_at(level)} for level in LEVELS}
    assert completeness(everything) == pytest.approx(1)


@given(st.dictionaries(st.sampled_from([*BY_KEY, "stranger"]), ANYTHING), st.sampled_from(LEVELS))
def test_any_values_end_in_sentences_and_never_in_an_exception(values, level) -> None:
    for problem in validate(level, values):
        assert problem.sentence.endswith(".")
        assert problem.field in values
    assert 0 <= completeness({level: values}) <= 1


def test_a_problem_names_its_place_and_survives_json() -> None:
    problem = Problem("No.", file="a.csv", row=3, column="ot1")
    assert str(problem) == "a.csv, row 3, column ot1: No."
    assert str(Problem("No.", field="sex")) == "field sex: No."
    assert str(Problem("No.")) == "No."
    assert Problem.from_json(json.loads(json.dumps(problem.to_json()))) == problem

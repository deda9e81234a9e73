"""Pasted tables of a design: read, refused with their place, and written back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amgs.core.errors import Refused
from amgs.web import design_table


def test_tabs_and_commas_are_both_understood():
    for mark in ("\t", ","):
        text = f"name{mark}sex{mark}age weeks\nm1{mark}female{mark}9\n\nm2{mark}{mark}"
        assert design_table.animals(text) == [
            {"name": "m1", "sex": "female", "age_weeks": 9.0},
            {"name": "m2"},
        ]


def test_time_points_are_those_of_every_animal_unless_they_name_one():
    animals = [{"name": "m1"}, {"name": "m2"}]
    assert design_table.observations("name\thours_after_procedure\nafter\t4", animals) == [
        {"animal": "m1", "name": "after", "hours_after_procedure": 4.0},
        {"animal": "m2", "name": "after", "hours_after_procedure": 4.0},
    ]
    assert design_table.observations("animal\tname\nm2\tafter", animals) == [
        {"animal": "m2", "name": "after"}
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("name\tcolour\nm1\tgrey", "a column “colour”, which is not known"),
        ("name\nm1\tfemale", "line 2 has 2 cells"),
        ("name\tname\nm1\tm1", "names a column twice"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_place(text, sentence):
    with pytest.raises(Refused) as refused:
        design_table.animals(text)
    assert sentence in refused.value.sentence
    assert refused.value.field == "animals"


def test_a_number_that_is_none_is_left_for_the_check_to_name():
    assert design_table.animals("name\tage_weeks\nm1\tyoung")[0]["age_weeks"] == "young"


NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8)


@given(st.lists(NAMES, min_size=1, max_size=6, unique=True), st.integers(0, 200))
def test_what_is_written_is_read_again(names, age):
    design = {
        "groups": [{"name": "alpha", "treatment": {"drug": "vehicle"}}],
        "animals": [
            {"name": name, "group": "alpha", "cage": None, "metadata": {"age_weeks": float(age)}}
            for name in names
        ],
        "observations": [{"animal": name, "name": "after", "metadata": {}} for name in names],
    }
    texts = design_table.texts(design)
    animals = design_table.animals(texts["animals"])
    assert [row["name"] for row in animals] == names
    assert {row["age_weeks"] for row in animals} == {age}
    assert design_table.groups(texts["groups"])[0]["treatment"] == {"drug": "vehicle"}
    assert design_table.observations(texts["observations"], animals) == [
        {"animal": name, "name": "after"} for name in names
    ]

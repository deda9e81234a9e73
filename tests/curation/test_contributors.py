"""People are named once with a role, and an ORCID iD whose check digit fits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.contributors import BY_KEY, MOST, Contributor, check_digit, kept, orcid_of, read


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("0000-0002-1825-0097", "0000-0002-1825-0097"),
        ("https://orcid.org/0000-0001-5109-3700/", "0000-0001-5109-3700"),
        ("orcid.org/000000021694233x", "0000-0002-1694-233X"),
        (" 0000 0002 1694 233X ", "0000-0002-1694-233X"),
    ],
)
def test_an_orcid_is_read_however_it_is_written(text, found):
    assert orcid_of(text) == found


@pytest.mark.parametrize("text", ["", "0000", "0000-0002-1825-009", "０" * 16, "X" * 16])
def test_what_is_no_orcid_is_said_to_be_none(text):
    with pytest.raises(ValueError, match="is no ORCID iD; it has 16 digits"):
        orcid_of(text)


@given(
    digits=st.text("0123456789", min_size=15, max_size=15),
    place=st.integers(0, 14),
    by=st.integers(1, 9),
)
def test_one_wrong_digit_is_always_noticed(digits, place, by):
    right = digits + check_digit(digits)
    assert orcid_of(right).replace("-", "") == right
    wrong = str((int(digits[place]) + by) % 10)
    with pytest.raises(ValueError, match="does not fit the others"):
        orcid_of(right[:place] + wrong + right[place + 1 :])


def test_every_fault_is_told_with_its_row():
    people, problems = read(
        [
            {"name": "  Arber,   Alice ", "orcid": "0000-0002-1825-0097"},
            {"name": "", "orcid": " "},
            {"name": "", "orcid": "0000-0002-1825-0098"},
            {"name": "Baum,", "role": "king"},
            {"name": "Arber, Alice", "orcid": "0000000218250097", "role": "author"},
            {"name": "Baum, Bob", "mail": "b@example.org"},
            {"name": 5},
        ]
    )
    assert people[0] == Contributor("Arber, Alice", "0000-0002-1825-0097", "author")
    assert [(row.row, row.field) for row in problems] == [
        (3, "name"),
        (3, "orcid"),
        (4, "name"),
        (4, "role"),
        (5, "name"),
        (6, "mail"),
        (7, "name"),
    ]


def test_what_was_read_is_kept_as_texts():
    people, problems = read({"name": "The Ridge group", "role": role} for role in BY_KEY)
    assert not problems
    assert kept(person.to_json() for person in people) == tuple(people)
    assert people[0].parts == ("The Ridge group", "")
    assert people[0].orcid_url == ""


def test_there_is_a_most():
    _, problems = read({"name": f"Person {number}"} for number in range(MOST + 1))
    assert [row.sentence for row in problems] == [f"At most {MOST} people can be named."]

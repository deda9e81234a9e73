"""A lab is set aside before anything learned from it, and two are left to learn from."""

from __future__ import annotations

import pytest

from curation.independence import FEWEST_LABS, LabFacts, proposals, refusal, sentences


def labs(*rows: tuple[str, dict[str, int]], used: str = "", apart: str = "") -> list[LabFacts]:
    return [
        LabFacts(name, coats, used=name in used.split(), independent=name in apart.split())
        for name, coats in rows
    ]


THREE = (("Brook", {"white": 9}), ("Harbour", {"white": 20}), ("Meadow", {"white": 4}))


def test_with_three_labs_one_may_be_set_aside() -> None:
    known = labs(*THREE)
    assert [refusal(lab, known) for lab in known] == [None, None, None]
    assert FEWEST_LABS == 3


@pytest.mark.parametrize(
    ("known", "sentence"),
    [
        (labs(*THREE, used="Brook"), "already learned from"),
        (labs(*THREE, apart="Brook"), "independent already"),
        (labs(*THREE[:2]), "only 1 lab with white mice would be left"),
        (labs(*THREE, apart="Meadow"), "only 1 lab with white mice would be left"),
        (labs(("Brook", {}), *THREE[1:]), "no animal with a coat yet"),
    ],
)
def test_a_refusal_says_why(known: list[LabFacts], sentence: str) -> None:
    assert sentence in (refusal(known[0], known) or "")


def test_the_smallest_lab_that_can_be_assessed_is_proposed_first() -> None:
    known = labs(*THREE)
    assert [one.lab for one in proposals(known)] == ["Brook", "Harbour", "Meadow"]
    assert proposals(labs(*THREE, apart="Brook")) == []


def test_a_lab_that_serves_two_coats_is_proposed_before_one_that_serves_one() -> None:
    both = {"white": 30, "black": 30}
    known = labs(*THREE, ("Hill", both), ("Valley", {"black": 9}), ("Wood", {"black": 9}))
    first = proposals(known)[0]
    assert (first.lab, first.coats, first.animals) == ("Hill", ("black", "white"), 60)


def test_each_coat_is_told_of_in_a_sentence() -> None:
    known = labs(*THREE, ("Hill", {"black": 3}))
    assert sentences(known) == [
        "Black mice: 1 lab so far; one is set aside as independent once there are 3.",
        "White mice: no lab is independent yet; a maintainer can set Brook aside, as long as its "
        "data are in no snapshot.",
    ]
    assert sentences(labs(*THREE, apart="Brook")) == ["White mice: Brook only validates."]
    assert "all 3 were learned from" in sentences(labs(*THREE, used="Brook Harbour Meadow"))[0]
    assert sentences([]) == []

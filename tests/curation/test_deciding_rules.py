"""The rules of deciding: what is disputed, why something is left out, what has changed."""

from __future__ import annotations

from typing import Any

import pytest

from curation import difference as changes
from curation.adjudication import disputes, read_decision, shuffled
from curation.asking import NoAnswer
from curation.exclusions import REASONS, refusal, title
from models.records import Vote
from models.scale import load_scale

SCALE = load_scale()
UNIT = SCALE.unit_keys[0]


def votes(*grades: int | None) -> list[Vote]:
    reason = SCALE.reason_keys[0]
    return [
        Vote(f"rater:{place}", UNIT, grade, None if grade is not None else reason, 1.0, "audit")
        for place, grade in enumerate(grades)
    ]


@pytest.mark.parametrize(
    ("given", "disputed"),
    [
        ((), False),
        ((2,), False),
        ((None,), False),
        ((0, 1, 1), False),
        ((1, 2), False),
        ((0, 2), True),
        ((0, 1, 2), True),
        ((None, None), False),
        ((1, None), True),
        ((0, 2, None), True),
    ],
)
def test_two_grades_apart_or_a_grade_against_not_scorable_is_a_disagreement(given, disputed):
    assert bool(disputes(votes(*given), SCALE)) is disputed


def test_a_disagreement_says_what_it_is():
    (found,) = disputes(votes(0, 2, None), SCALE)
    assert found.unit == UNIT
    assert found.sentence == "grades from 0 to 2 and 1 of 3 found it not scorable"
    assert len(found.votes) == 3


def test_the_order_of_votes_tells_nothing_and_stays():
    given = votes(0, 1, 2, 1, 0)
    orders = {tuple(vote.rater for vote in shuffled(given, f"frame {n}")) for n in range(20)}
    assert len(orders) > 5
    assert shuffled(given, "one") == shuffled(reversed(given), "one")


def test_a_decision_is_a_grade_of_the_unit_or_a_reason():
    assert read_decision(UNIT, 2, SCALE) == (2, "")
    assert read_decision(UNIT, {"reason": SCALE.reason_keys[0]}, SCALE)[0] is None
    for unit, answer in ((UNIT, 3), (UNIT, True), (UNIT, {"reason": "tired"}), ("tail", 1)):
        with pytest.raises(NoAnswer):
            read_decision(unit, answer, SCALE)


def test_a_reason_is_one_of_the_list_and_another_needs_words():
    for key in REASONS:
        assert (refusal(key, "") is None) is not REASONS[key].needs_words
        assert refusal(key, "a clamp is seen") is None
        assert title(key) == REASONS[key].title
    assert "Choose a reason" in str(refusal("ugly", "it is"))
    assert title("the camera moved") == "the camera moved"
    assert refusal("people", "x" * 501)


def facts(**given: Any) -> dict[str, Any]:
    row = {
        "groups": [{"id": "g1", "name": "opioid", "treatment": {"drug": "vehicle"}}],
        "animals": [{"id": "a1", "name": "m1", "group": "opioid", "cage": "c1", "coat": ""}],
        "observations": [
            {"id": "o1", "animal": "a1", "name": "baseline", "hours_after_procedure": -24.0},
            {"id": "o2", "animal": "a1", "name": "after", "hours_after_procedure": 4.0},
        ],
        "recordings": [film("r1", "one.mp4", "o1"), film("r2", "two.mp4", "o2")],
        "labels": [sheet("scores.csv", 20)],
        "metadata": {"assay": "post_surgical", "light": "red"},
        "permissions": {"train": False},
        "licence": "CC0-1.0",
        "ethics": "12/2026",
    }
    return row | given


def film(key: str, file: str, observation: str) -> dict[str, Any]:
    return {"id": key, "file": file, "observation": observation, "sha256": key, "status": "ready"}


def sheet(file: str, rows: int) -> dict[str, Any]:
    return {"file": file, "rows": rows, "frames_matched": rows, "problems": []}


def told(before: dict[str, Any], after: dict[str, Any], **names: str) -> set[tuple[str, ...]]:
    found = changes.difference(before, after, names)
    return {(row.part, row.what, row.name, row.before, row.after) for row in found}


def test_nothing_changed_is_no_change():
    assert told(facts(), facts()) == set()


def test_recordings_are_added_removed_moved_and_replaced():
    before = facts()
    after = facts(
        recordings=[
            film("r1", "one.mp4", "o2"),
            film("r3", "two.mp4", "o2"),
            film("r4", "new.mp4", "o1"),
        ]
    )
    assert told(before, after, a1="M001") == {
        ("recordings", "replaced", "two.mp4", "two.mp4", "two.mp4"),
        ("recordings", "added", "new.mp4", "", "M001, baseline"),
        ("recordings", "changed", "one.mp4", "M001, baseline", "M001, after"),
    }


def test_another_file_at_the_only_place_of_an_observation_replaces_it():
    after = facts(recordings=[film("r1", "one.mp4", "o1"), film("r9", "again.mp4", "o2")])
    expected = {("recordings", "replaced", "again.mp4", "two.mp4", "again.mp4")}
    assert told(facts(), after) == expected


def test_sheets_fields_animals_and_permissions_are_told_with_both_sides():
    after = facts(
        labels=[sheet("scores.csv", 24), sheet("second.csv", 4)],
        metadata={"assay": "inflammatory", "note": "two cameras"},
        animals=[{"id": "a1", "name": "m1", "group": "opioid", "cage": "c2", "coat": ""}],
        permissions={"train": True},
        ethics="13/2026",
        groups=[{"id": "g1", "name": "opioid", "treatment": {"drug": "morphine"}}],
    )
    found = told(facts(), after, g1="G01")
    parts = {(part, what, name) for part, what, name, _, _ in found}
    assert ("labels", "changed", "scores.csv") in parts
    assert ("labels", "added", "second.csv") in parts
    assert ("animals", "changed", "m1") in parts
    assert ("permissions", "added", "train") in parts
    assert ("groups", "changed", "G01") in parts
    assert ("metadata", "changed", "Ethics") in parts
    assert not any("opioid" in text for row in found for text in row)
    assert changes.counts(changes.difference(facts(), after))["labels"] == {
        "changed": 1,
        "added": 1,
    }

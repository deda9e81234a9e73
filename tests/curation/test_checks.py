"""Each check against a version with exactly the fault it is about."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from curation.checks import SEVERITIES, CheckOutcome, blocking, refusal, registry, run_checks
from curation.checks.strain_and_coat import coat_of
from curation.facts import GroupFacts, LabelFacts, VersionFacts
from curation.problems import Problem
from models.scale import load_scale

Fault = Callable[[VersionFacts], VersionFacts]


def _outcome(facts: VersionFacts, check: str) -> CheckOutcome:
    return next(one for one in run_checks(facts) if one.check == check)


def _recording(number: int, **changes: Any) -> Fault:
    def apply(facts: VersionFacts) -> VersionFacts:
        rows = list(facts.recordings)
        rows[number] = replace(rows[number], **changes)
        return replace(facts, recordings=tuple(rows))

    return apply


def _animal(number: int, **changes: Any) -> Fault:
    def apply(facts: VersionFacts) -> VersionFacts:
        rows = list(facts.animals)
        rows[number] = replace(rows[number], **changes)
        return replace(facts, animals=tuple(rows))

    return apply


def _observation(number: int, **changes: Any) -> Fault:
    def apply(facts: VersionFacts) -> VersionFacts:
        rows = list(facts.observations)
        rows[number] = replace(rows[number], **changes)
        return replace(facts, observations=tuple(rows))

    return apply


def _whole(**changes: Any) -> Fault:
    return lambda facts: replace(facts, **changes)


def _sheet(**changes: Any) -> Fault:
    return lambda facts: replace(facts, labels=(replace(facts.labels[0], **changes),))


BAD_CELL = Problem("3 is not possible.", file="scores.csv", row=7, column="nb1")
GOOD = {"width": 640, "height": 480, "has_location_tag": False, "problems": []}
SEEN = {"assay": "post_surgical", "assigned_unit": "animal", "people_and_cards": "seen"}
TAGGED = {"width": 640, "height": 480, "has_location_tag": True, "problems": []}
SMALL = {"width": 60, "height": 480, "has_location_tag": False, "problems": []}
TORN = {"width": 640, "height": 480, "problems": ["Decoding stopped at 3.2 s."]}

FAULTS: list[tuple[str, str, Fault, str]] = [
    (
        "media_readable",
        "blocks",
        _recording(1, status="unreadable", problem="It is empty."),
        "r0002",
    ),
    ("nothing_pending", "blocks", _recording(0, status="pending", media=None), "r0001"),
    ("structure", "blocks", _recording(2, observation=""), "r0003"),
    ("structure", "blocks", _observation(1, animal="A9"), "after"),
    ("structure", "blocks", _animal(0, group="delta"), "m1"),
    ("structure", "blocks", _animal(0, group=""), "m1"),
    ("structure", "blocks", _animal(1, name="m1"), "m1"),
    ("structure", "blocks", _whole(recordings=()), "no recording"),
    (
        "metadata_required",
        "blocks",
        _whole(metadata={"assigned_unit": "animal", "people_and_cards": "none_seen"}),
        "Assay",
    ),
    ("metadata_required", "blocks", _animal(1, sex=" "), "m2"),
    ("metadata_valid", "blocks", _animal(1, age_weeks=400.0), "m2"),
    ("metadata_valid", "blocks", _animal(1, coat="tartan"), "tartan"),
    ("metadata_valid", "blocks", _whole(metadata={"assay": "tickling"}), "tickling"),
    ("duplicates", "blocks", _recording(1, sha256=f"{1:064x}"), "r0002"),
    ("labels_match", "blocks", _sheet(frames_matched=0, frames_unmatched=20), "scores.csv"),
    ("location_tags", "blocks", _recording(3, media=TAGGED), "r0004"),
    ("people_and_cards", "blocks", _whole(metadata=SEEN), "cut those seconds"),
    ("licence", "blocks", _whole(licence=" "), "licence"),
    ("ethics", "blocks", _whole(ethics=""), "ethics"),
    ("permissions", "blocks", _whole(permissions={"train": False}), "download"),
    ("media_complete", "warns", _recording(0, media=TORN), "3.2 s"),
    ("media_complete", "warns", _recording(0, frames=0), "no frame"),
    ("label_problems", "warns", _sheet(problems=(BAD_CELL,)), "row 7, column nb1"),
    ("label_problems", "warns", _sheet(frames_unmatched=3), "3 frames"),
    ("baseline", "warns", _observation(0, name="after", hours_after_procedure=1.0), "m1"),
    ("time_points", "warns", _observation(0, hours_after_procedure=24.0), "m1 baseline"),
    (
        "dose_unit",
        "warns",
        _whole(groups=(GroupFacts("alpha"), GroupFacts("gamma", {"dose": 5}))),
        "gamma",
    ),
    ("duplicates_elsewhere", "warns", _recording(0, elsewhere=("AMGS-000007/1",)), "AMGS-000007/1"),
    ("animals_in_two_labs", "warns", _animal(0, labs=("lab-a", "lab-b")), "m1"),
    ("name_leaks", "warns", _recording(0, file="videos/gamma_01.mp4"), "gamma"),
    ("name_leaks", "warns", _recording(0, file="videos/m1-24h.mp4"), "24h"),
    ("name_leaks", "warns", _recording(0, file="videos/Carprofen 3.mp4"), "carprofen"),
    ("name_leaks", "warns", _recording(0, file="after/r0001.mp4"), "after"),
    ("unused_animals", "warns", _recording(1, observation="O1"), "m1 after"),
    ("resolution", "warns", _recording(0, media=SMALL), "60"),
    ("faces_found", "warns", _recording(0, media={**GOOD, "faces_share": 0.1}), "10%"),
    ("sharp_pictures", "warns", _recording(0, media={**GOOD, "sharpness_median": 4.0}), "r0001"),
    ("light", "warns", _recording(0, media={**GOOD, "black_share": 0.9}), "Mostly black"),
    ("light", "warns", _recording(1, media={**GOOD, "white_share": 0.6}), "Burnt out"),
    ("view", "warns", _recording(2, media={**GOOD, "view": "profile"}), "r0003"),
    ("strain_and_coat", "warns", _animal(1, strain="C57BL/6N", coat="white"), "m2"),
    ("grades_present", "informs", _whole(has_grades=False, labels=()), "grades"),
    ("phantom", "informs", _whole(phantom=True), "phantom"),
]


def test_a_sound_version_passes_every_check(sound_version: VersionFacts) -> None:
    outcomes = run_checks(sound_version)
    assert [one.sentence for one in outcomes if not one.passed] == []
    assert refusal(outcomes) == ""


@pytest.mark.parametrize(
    ("check", "severity", "fault", "names"), FAULTS, ids=[f"{row[0]}-{row[3]}" for row in FAULTS]
)
def test_a_planted_fault_is_found_and_named(
    sound_version: VersionFacts, check: str, severity: str, fault: Fault, names: str
) -> None:
    outcome = _outcome(fault(sound_version), check)
    assert not outcome.passed
    assert outcome.severity == severity
    assert outcome.blocks == (severity == "blocks")
    assert names in outcome.sentence
    assert outcome.sentence.rstrip("”").endswith(".")
    json.dumps(outcome.to_json())


def test_every_check_has_a_fault_that_it_finds() -> None:
    assert {check.key for check in registry()} == {row[0] for row in FAULTS}


def test_checks_come_in_the_order_of_their_severity_and_have_titles_of_their_own() -> None:
    ranks = [SEVERITIES.index(check.severity) for check in registry()]
    assert ranks == sorted(ranks)
    assert len({check.title for check in registry()}) == len(registry())


def test_a_single_bad_cell_blocks_nothing_but_itself(sound_version: VersionFacts) -> None:
    assert blocking(run_checks(_sheet(problems=(BAD_CELL,))(sound_version))) == ()


def test_the_refusal_of_several_faults_holds_a_sentence_for_each(
    sound_version: VersionFacts,
) -> None:
    outcomes = run_checks(replace(sound_version, licence="", ethics=""))
    assert len(blocking(outcomes)) == 2
    assert refusal(outcomes) == " ".join(one.sentence for one in blocking(outcomes))


def test_an_earlier_version_of_the_same_dataset_is_no_duplicate(
    sound_version: VersionFacts,
) -> None:
    facts = _recording(0, elsewhere=("AMGS-000001/2",))(sound_version)
    assert _outcome(facts, "duplicates_elsewhere").passed


def test_two_other_datasets_hold_a_recording(sound_version: VersionFacts) -> None:
    facts = _recording(0, elsewhere=("AMGS-000007/1", "AMGS-000008/1"))(sound_version)
    sentence = _outcome(facts, "duplicates_elsewhere").sentence
    assert sentence.startswith("AMGS-000007/1 and AMGS-000008/1 also hold 1 recording")


def test_a_value_of_the_dataset_is_inherited_by_its_animals(sound_version: VersionFacts) -> None:
    facts = replace(sound_version, metadata={**sound_version.metadata, "sex": "female"})
    assert _outcome(_animal(1, sex="")(facts), "metadata_required").passed


@pytest.mark.parametrize(
    ("strain", "coat"),
    [
        ("C57BL/6J", "black"),
        ("c57bl6", "black"),
        ("C57BL/6NCrl", "black"),
        ("BALB/c", "white"),
        ("BALB/cJ", "white"),
        ("C3H/HeJ", "agouti"),
        ("CD-1", None),
        ("", None),
    ],
)
def test_the_coat_of_a_strain_is_known_in_many_spellings(strain: str, coat: str | None) -> None:
    assert coat_of(strain, load_scale()) == coat


def test_without_a_procedure_no_baseline_is_asked_for(sound_version: VersionFacts) -> None:
    facts = replace(sound_version, metadata={**sound_version.metadata, "assay": "no_procedure"})
    facts = _observation(0, name="day", hours_after_procedure=None)(facts)
    assert _outcome(facts, "baseline").passed


def test_facts_survive_json_and_give_the_same_outcomes(sound_version: VersionFacts) -> None:
    facts = _sheet(problems=(BAD_CELL,))(sound_version)
    again = VersionFacts.from_json(json.loads(json.dumps(facts.to_json())))
    assert again == facts
    assert run_checks(again) == run_checks(facts)


def test_an_empty_version_gets_sentences_and_no_exception() -> None:
    empty = VersionFacts("AMGS-000002/1", "x", False, "", {}, "", {}, (), (), (), (), (), False)
    assert {one.check for one in blocking(run_checks(empty))} == {
        "structure",
        "metadata_required",
        "licence",
        "ethics",
        "permissions",
    }


def test_a_sheet_in_which_no_row_could_be_read_blocks(sound_version: VersionFacts) -> None:
    facts = replace(sound_version, labels=(LabelFacts("odd.csv", 0, (), (BAD_CELL,), 0, 0),))
    assert _outcome(facts, "labels_match").blocks


def test_nobody_needs_a_licence_for_what_nobody_may_download(sound_version: VersionFacts) -> None:
    closed = {**sound_version.permissions, "download": False}
    facts = replace(sound_version, licence="", permissions=closed)
    assert _outcome(facts, "licence").passed

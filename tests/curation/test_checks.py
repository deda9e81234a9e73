"""Each check against a version with exactly the fault it is about."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from curation.checks import SEVERITIES, CheckOutcome, blocking, refusal, registry, run_checks
from curation.checks.strain_and_coat import coat_of
from curation.facts import (
    GroupFacts,
    LabelFacts,
    ObservationFacts,
    RaterUnit,
    TwinFacts,
    VersionFacts,
)
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
GOOD = {
    "width": 640,
    "height": 480,
    "has_location_tag": False,
    "problems": [],
    "finder": "told",
    "head_side": 320.0,
    "edge_brightness": 90.0,
    "text_boxes": [],
}
SEEN = {"assay": "post_surgical", "assigned_unit": "animal", "people_and_cards": "seen"}
TAGGED = {**GOOD, "has_location_tag": True}
SMALL = {**GOOD, "width": 60, "head_side": None}
TORN = {**GOOD, "problems": ["Decoding stopped at 3.2 s."]}
UNIT = load_scale().unit_keys[0]


def _twin(**changes: Any) -> TwinFacts:
    return replace(
        TwinFacts("AMGS-000007/1", "lab-b", "X1", "x.mp4", True, True, 0.0, 0.0), **changes
    )


def _spread(*counts: int) -> Fault:
    return _sheet(spread=(RaterUnit("1", UNIT, counts),))


ALIKE = TwinFacts("AMGS-000001/1", "lab-a", "R2", "videos/r0002.mp4", True, False, 0.1, 0.1)


def _many(
    facts: VersionFacts,
    order: bool = False,
    brightness: float = 0.0,
    animals: int = 14,
    times: tuple[str, ...] = ("after",),
    later: float = 0.0,
) -> VersionFacts:
    """Animals of two groups with one recording per time point, in mixed order unless told."""
    numbers = range(animals)
    groups = {n: "alpha" if (n < animals / 2 if order else n % 2) else "gamma" for n in numbers}
    keys = [(n, time) for n in numbers for time in times]
    mixed = keys if order else random.Random(1).sample(keys, len(keys))
    places = {key: place for place, key in enumerate(mixed)}
    held = [
        replace(
            facts.recordings[0],
            id=f"R{n:03d}{time}",
            file=f"videos/r{places[n, time]:04d}.mp4",
            observation=f"O{n}{time}",
            sha256=f"{n:032x}{place:032x}",
            media={
                **GOOD,
                "edge_brightness": 90.0
                + brightness * (groups[n] == "gamma")
                + later * place
                + n * 5 % 3,
            },
        )
        for n in numbers
        for place, time in enumerate(times)
    ]
    return replace(
        facts,
        animals=tuple(
            replace(facts.animals[0], id=f"A{n}", name=f"m{n}", group=groups[n]) for n in numbers
        ),
        observations=tuple(
            ObservationFacts(f"O{n}{time}", f"A{n}", time, 4.0) for n in numbers for time in times
        ),
        recordings=tuple(held),
    )


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
    ("duplicates_elsewhere", "warns", _recording(0, twins=(_twin(),)), "AMGS-000007/1"),
    (
        "duplicates_elsewhere",
        "warns",
        _recording(0, twins=(_twin(same_bytes=False, distance=0.1, motion=0.1),)),
        "another shape",
    ),
    ("hidden_twins", "warns", _recording(0, twins=(_twin(known=False),)), "AMGS-000007/1 (lab-b)"),
    (
        "near_duplicates",
        "warns",
        _recording(0, twins=(ALIKE,)),
        "videos/r0001.mp4 and videos/r0002.mp4 look like the same film",
    ),
    ("both_sides", "warns", _recording(0, twins=(replace(ALIKE, recording="R3"),)), "m2"),
    ("both_sides", "warns", _recording(2, sha256=f"{1:064x}"), "m1 and m2"),
    ("animals_in_two_labs", "warns", _animal(0, labs=("lab-a", "lab-b")), "m1"),
    ("name_leaks", "warns", _recording(0, file="videos/gamma_01.mp4"), "gamma"),
    ("name_leaks", "warns", _recording(0, file="videos/m1-24h.mp4"), "24h"),
    ("name_leaks", "warns", _recording(0, file="videos/Carprofen 3.mp4"), "carprofen"),
    ("name_leaks", "warns", _recording(0, file="after/r0001.mp4"), "after"),
    ("unused_animals", "warns", _recording(1, observation="O1"), "m1 after"),
    ("head_size", "blocks", _recording(0, media=SMALL), "the whole picture has 60 pixels"),
    ("head_size", "blocks", _recording(0, media={**GOOD, "head_side": 50.4}), "head has 50"),
    ("resolution", "warns", _recording(0, media={**GOOD, "head_side": 120.0}), "has 120"),
    (
        "burned_in_text",
        "warns",
        _recording(0, media={**GOOD, "text_boxes": [[0.0, 0.0, 0.3, 0.1]]}),
        "r0001",
    ),
    ("age_possible", "warns", _animal(0, age_weeks=180.0), "180 weeks is very old"),
    ("age_possible", "warns", _animal(0, age_weeks=0.5), "very young"),
    (
        "sex_and_procedure",
        "warns",
        lambda facts: replace(facts, metadata={**facts.metadata, "procedure": "Vasectomy"}),
        "animal m1 is said to be female",
    ),
    (
        "dose_unit",
        "warns",
        lambda facts: replace(facts, metadata={**facts.metadata, "dose": 5}),
        "dose of the dataset",
    ),
    ("rater_variance", "warns", _spread(0, 30, 0), "1 gave 1 all 30 times"),
    ("scale_declared", "warns", _spread(80, 40, 0), "120 grades and not one of them is 2"),
    ("scale_declared", "warns", _spread(8, 4, 3, 2), "2 grades above 2"),
    ("scale_declared", "warns", _sheet(problems=(BAD_CELL,) * 30), "30 cells"),
    ("sheets_declared", "warns", _sheet(declared={}), "raters blind"),
    ("sound", "informs", _recording(0, media={**GOOD, "has_audio": True}), "voices"),
    ("measured", "informs", _recording(0, compared=False), "looks like another"),
    ("order", "warns", lambda facts: _many(facts, order=True), "order of the file names"),
    (
        "background",
        "warns",
        lambda facts: _many(facts, brightness=40.0),
        "The brightness of the edge of the picture tells the group (91 of 255 in alpha",
    ),
    (
        "name_leaks",
        "warns",
        lambda facts: _recording(0, file="videos/Ketamine 3.mp4")(
            replace(facts, metadata={**facts.metadata, "anaesthetic": "ketamine_xylazine"})
        ),
        "ketamine",
    ),
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
    facts = _recording(0, twins=(_twin(version="AMGS-000001/2"),))(sound_version)
    assert _outcome(facts, "duplicates_elsewhere").passed


def test_two_other_datasets_hold_a_recording(sound_version: VersionFacts) -> None:
    twins = (_twin(), _twin(version="AMGS-000008/1"))
    facts = _recording(0, twins=twins)(sound_version)
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
    facts = _many(_sheet(problems=(BAD_CELL,))(sound_version), order=True, brightness=40.0)
    facts = _recording(0, twins=(ALIKE, _twin(known=False)))(_spread(30, 0, 0)(facts))
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


def test_what_a_lab_may_not_know_is_in_no_sentence_it_reads(sound_version: VersionFacts) -> None:
    twins = (_twin(known=False), _twin(known=False, same_bytes=False, distance=0.1, motion=0.1))
    facts = _recording(0, twins=twins)(sound_version)
    told = [one for one in run_checks(facts) if one.audience == "all"]
    before = [one for one in run_checks(sound_version) if one.audience == "all"]
    assert told == before
    assert not _outcome(facts, "hidden_twins").passed


def test_a_film_that_hardly_moves_is_called_no_copy(sound_version: VersionFacts) -> None:
    facts = _recording(0, twins=(replace(ALIKE, distance=0.0, motion=None),))(sound_version)
    assert _outcome(facts, "near_duplicates").passed


@pytest.mark.parametrize("animals", [6, 14, 40])
def test_groups_that_were_mixed_tell_nothing(sound_version: VersionFacts, animals: int) -> None:
    facts = _many(sound_version, animals=animals, times=("before", "after"))
    assert _outcome(facts, "order").passed
    assert _outcome(facts, "background").passed


def test_light_that_changes_with_time_is_told_within_animals(sound_version: VersionFacts) -> None:
    facts = _many(sound_version, animals=12, times=("before", "after"), later=30.0)
    assert "tells the time point" in _outcome(facts, "background").sentence


def test_few_animals_are_not_judged(sound_version: VersionFacts) -> None:
    facts = _many(sound_version, animals=6, order=True, brightness=60.0)
    assert "Too few animals" in _outcome(facts, "order").sentence
    assert "Too few animals" in _outcome(facts, "background").sentence


def test_the_pictures_of_a_finding_are_those_of_its_places(sound_version: VersionFacts) -> None:
    dark = _outcome(_recording(0, media={**GOOD, "black_share": 0.9})(sound_version), "light")
    assert dark.shown == (("R1", "dark"),)
    pair = _outcome(_recording(0, twins=(ALIKE,))(sound_version), "near_duplicates")
    assert [key for key, _ in pair.shown] == ["R1", "R2"]
    animal = _outcome(_animal(1, age_weeks=190.0)(sound_version), "age_possible")
    assert animal.shown == (("R3", ""),)
    assert _outcome(sound_version, "light").shown == ()


def test_facts_of_before_something_was_measured_fail_nothing(sound_version: VersionFacts) -> None:
    old = sound_version.to_json()
    for row in old["recordings"]:
        row["media"] = {"width": 640, "height": 480, "has_location_tag": False, "problems": []}
        del row["compared"], row["twins"]
    for sheet in old["labels"]:
        del sheet["declared"], sheet["spread"], sheet["conversion"]
    outcomes = run_checks(VersionFacts.from_json(old))
    assert [one.check for one in outcomes if not one.passed] == ["measured"]
    assert "neither good nor bad" in _outcome(VersionFacts.from_json(old), "measured").sentence

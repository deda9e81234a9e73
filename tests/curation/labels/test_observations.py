"""One score per animal and time point."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from curation.labels import Mapping, UnknownFormat, read, sniff
from models.scale import load_scale

Sheet = Callable[..., Path]
MEANS = (
    "Animal,Time point,Rater,Mean score,Images\n"
    "m1,baseline,anna,0.25,10\nm1,4 h,anna,1.6,8\nm2,4 h,anna,9,10\nm2,24 h,anna,-,\n"
    "m3,4 h,anna,,10\nm4,4 h,anna,2.4,10\nm1,4 h,anna,0,10\nm5,4 h,anna,1,many\n"
)


def test_means_are_read_with_their_number_of_pictures(sheet: Sheet) -> None:
    labels = read(sheet(MEANS))
    assert labels.format == "observations"
    assert labels.rows == ()
    found = {(one.animal, one.observation): one for one in labels.observations}
    first = found["m1", "baseline"]
    assert (first.score, first.pictures, first.rater, first.unit) == (0.25, 10, "anna", None)
    assert found["m1", "4 h"].score == 1.6
    assert (found["m2", "4 h"].kind, found["m2", "4 h"].score) == ("not_scorable", None)
    assert found["m2", "24 h"].kind == "not_assigned"
    assert found["m3", "4 h"].kind == "missing"
    assert ("m4", "4 h") not in found
    places = [(problem.row, problem.column) for problem in labels.problems]
    assert places == [(7, "Mean score"), (8, "Mean score"), (9, "Images")]


def test_a_sum_is_not_read_before_it_is_known_of_how_many_units(sheet: Sheet) -> None:
    path = sheet("animal,day,MGS total,n\nm1,0,8,10\nm1,1,9,10\n")
    (guess,) = sniff(path)
    (question,) = guess.open_questions
    assert [rule for rule, _ in question.choices] == ["0-10:share", "0-100:share"]
    with pytest.raises(UnknownFormat, match="of how many units") as refused:
        read(path)
    assert refused.value.questions == (question,)
    labels = read(path, Mapping(conversion="0-10:share"))
    # Nine of ten is a score here, although nine is the code of "not scorable" elsewhere.
    assert [one.score for one in labels.observations] == pytest.approx([1.6, 1.8])
    assert labels.notes == ("Scores from 0 to 10 are read as shares of that range.",)


def test_a_rule_that_does_not_reach_the_scores_is_asked_for_again(sheet: Sheet) -> None:
    path = sheet("animal,day,MGS total\nm1,0,60\nm1,1,75\n")
    with pytest.raises(UnknownFormat, match="The highest is 75"):
        read(path, Mapping(conversion="0-8:share"))
    assert read(path, Mapping(conversion="0-100:share")).observations[1].score == 1.5


def test_percent_signs_are_read_where_percent_was_confirmed(sheet: Sheet) -> None:
    path = sheet("animal;day;score\nm1;0;12,5%\nm1;1;50 %\n")
    labels = read(path, Mapping(conversion="0-100:share"))
    assert [one.score for one in labels.observations] == [0.25, 1.0]


def test_units_of_observations_keep_their_fractions(sheet: Sheet) -> None:
    unit = load_scale().unit_keys[0]
    labels = read(sheet(f"mouse,session,{unit},nose\nm1,a,0.4,1.3\n"))
    assert [(one.unit, one.score) for one in labels.observations] == [
        (unit, 0.4),
        (load_scale().unit_keys[1], 1.3),
    ]


def test_a_score_of_a_whole_file_is_an_observation_and_no_grade(sheet: Sheet) -> None:
    labels = read(sheet("filename,mean MGS\nm1.mp4,0.8\n,1\n"))
    assert [(one.file, one.score) for one in labels.observations] == [("m1.mp4", 0.8)]
    assert labels.rows == ()
    assert [problem.row for problem in labels.problems] == [3]


def test_a_score_of_unnamed_kind_is_never_taken_for_a_mean(sheet: Sheet) -> None:
    path = sheet("animal,day,MGS\nm1,0,1\nm1,1,2\n")
    with pytest.raises(UnknownFormat, match="does not say what its scores are"):
        read(path)
    assert [one.score for one in read(path, Mapping(conversion="0-2:share")).observations] == [1, 2]

"""What only file names say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.labels import Mapping, UnknownFormat, read
from curation.labels.names import parts_of_names

PATTERN = "{animal}_w{week}_{phase}_{minute}min"


def test_fields_are_read_out_of_names() -> None:
    files = ["v/m1_w3_before_20min.png", "m10_w12_after_5min", "other.png", "m1_w3_a_b_20min.png"]
    assert parts_of_names(PATTERN, files) == {
        files[0]: {"animal": "m1", "week": "3", "phase": "before", "minute": "20"},
        files[1]: {"animal": "m10", "week": "12", "phase": "after", "minute": "5"},
    }


@pytest.mark.parametrize("pattern", ["", "plain", "{a}{b}", "{a}_{a}", "{a}_{", "{A}", "{9}"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(UnknownFormat):
        parts_of_names(pattern, ["x"])


def test_names_that_do_not_fit_are_named(sheet: Callable[..., Path]) -> None:
    path = sheet("filename,ot1\nm1_w3_before_20min.png,1\nother.png,0\n")
    labels = read(path, Mapping(names=PATTERN))
    assert labels.named == {
        "m1_w3_before_20min.png": {"animal": "m1", "week": "3", "phase": "before", "minute": "20"}
    }
    assert [problem.sentence for problem in labels.problems] == [
        f"The names of other.png do not fit the pattern {PATTERN}."
    ]
    assert len(labels.rows) == 2


@given(st.text(alphabet="{}ab_-.x1", max_size=20), st.text(max_size=20))
def test_any_pattern_is_followed_or_refused(pattern: str, file: str) -> None:
    try:
        parts_of_names(pattern, [file])
    except UnknownFormat:
        return

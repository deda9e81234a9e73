"""Embargo: which days are taken, what may be learned from, what may be shown."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import embargo
from curation.dataset_version import LIFECYCLE

TODAY = date(2026, 11, 26)
days = st.one_of(
    st.none(), st.integers(-400, 3000).map(lambda count: TODAY + timedelta(days=count))
)
states = st.sampled_from(LIFECYCLE.states)


@pytest.mark.parametrize(
    ("state", "until", "taken"),
    [
        ("draft", TODAY + timedelta(days=1), True),
        ("accepted", date(2031, 11, 26), True),
        ("accepted", date(2031, 11, 27), False),
        ("draft", TODAY, False),
        ("draft", None, True),
        ("published", TODAY + timedelta(days=9), False),
        ("withdrawn", None, False),
    ],
)
def test_a_day_is_taken_where_it_can_hide_anything(state, until, taken) -> None:
    sentence = embargo.refusal(state, until, TODAY)
    assert (sentence is None) == taken
    assert sentence is None or sentence.endswith(".")


def test_an_embargo_ends_on_its_day() -> None:
    assert not embargo.is_over(TODAY + timedelta(days=1), TODAY)
    assert embargo.is_over(TODAY, TODAY)
    assert embargo.is_over(None, TODAY)


@given(state=states, until=days, train=st.booleans(), ticked=st.booleans())
def test_training_uses_what_is_public_or_ticked_and_nothing_without_permission(
    state: str, until: date | None, train: bool, ticked: bool
) -> None:
    used = embargo.may_train(state, until, TODAY, train=train, before_the_end=ticked)
    if used:
        assert train
        assert state in {"published", "accepted"}
        assert state == "published" or ticked
    if state in {"withdrawn", "retracted", "draft"} or not train:
        assert not used


@given(state=states, until=days, frames=st.booleans(), download=st.booleans(), ticked=st.booleans())
def test_what_training_may_use_early_is_shown_to_nobody(
    state: str, until: date | None, frames: bool, download: bool, ticked: bool
) -> None:
    shown = embargo.may_be_shown(state, show_frames=frames, download=download)
    early = embargo.may_train(state, until, TODAY, train=True, before_the_end=ticked)
    if early and state != "published":
        assert not shown
    assert shown == (state == "published" and (frames or download))

"""Decisions move a state once, say who and why, and hang together."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amgs.core import policy
from amgs.core.base import PUBLIC, SYSTEM
from amgs.core.decisions import _plain, broken_links, decide, history, record
from amgs.core.errors import Conflict, NotAllowed, Refused
from amgs.core.models import ChainHead, Decision
from amgs.repository.models import Dataset, Version

pytestmark = pytest.mark.django_db


@pytest.fixture
def version(harbour, alice):
    dataset = Dataset.objects.create(number=1, lab=harbour, created_by=alice)
    return Version.objects.create(dataset=dataset, title="Laparotomy in white mice")


def test_a_decision_moves_the_state_and_says_who_from_to_and_why(version, alice):
    row = decide(version, "submit", by=alice, why=" ready ", facts={"frames": 12})
    version.refresh_from_db()
    assert version.state == "submitted"
    assert (row.from_state, row.to_state, row.action) == ("draft", "submitted", "submit")
    assert (row.actor_id, row.actor_name) == (alice.public_id, "Alice Arber")
    assert (row.why, row.facts) == ("ready", {"frames": 12})
    assert list(history(version)) == [row]


def test_a_step_that_does_not_follow_is_refused_with_a_sentence(version, cora):
    with pytest.raises(Refused, match="possible only while"):
        decide(version, "accept", by=cora, why="good")
    assert not Decision.objects.exists()


def test_whoever_may_not_is_refused_and_nothing_is_written(version, bob):
    with pytest.raises(NotAllowed):
        decide(version, "submit", by=bob)
    version.refresh_from_db()
    assert version.state == "draft"
    assert not Decision.objects.exists()


def test_a_step_that_needs_a_reason_is_refused_without_one(version, cora):
    Version.objects.filter(pk=version.pk).update(state="in_review")
    version.refresh_from_db()
    with pytest.raises(Refused, match="reason") as refused:
        decide(version, "reject", by=cora, why="  ")
    assert refused.value.field == "why"


def test_who_decides_on_what_somebody_changed_is_told(version, alice):
    stale = Version.objects.get(pk=version.pk)
    decide(version, "submit", by=alice)
    with pytest.raises(Conflict, match="before you"):
        decide(stale, "submit", by=alice)
    assert Decision.objects.count() == 1


def test_a_remark_changes_no_state(version, alice):
    row = record(version, "remark", by=alice, why="the third animal moved")
    version.refresh_from_db()
    assert (version.state, row.from_state, row.to_state) == ("draft", "", "")


def test_numbers_grow_and_the_chain_holds(version, alice):
    rows = [record(version, "remark", by=alice, why=str(number)) for number in range(5)]
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.previous for row in rows[1:]] == [row.digest for row in rows[:-1]]
    assert list(broken_links()) == []


@pytest.mark.parametrize(
    ("tamper", "sentence"),
    [
        (lambda: Decision.objects.filter(number=2).update(why="forged"), "Entry 2 was changed"),
        (lambda: Decision.objects.filter(number=2).delete(), "Entry 2 is missing"),
        (lambda: Decision.objects.filter(number=3).delete(), "Entries after 2 were removed"),
        (lambda: Decision.objects.filter(number=2).update(previous="0" * 64), "does not follow"),
        (lambda: ChainHead.objects.update(digest="f" * 64), "the chain ends at 3"),
    ],
)
def test_tampering_shows(version, alice, tamper, sentence):
    for number in range(3):
        record(version, "remark", by=alice, why=str(number))
    tamper()
    assert any(sentence in told for _, told in broken_links())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(json_values)
def test_facts_are_kept_as_every_database_gives_them_back(value):
    plain = _plain(value)
    assert _plain(plain) == plain

    def check(inner):
        if isinstance(inner, float):
            assert math.isfinite(inner)
            assert math.copysign(1, inner) == 1 or inner != 0
            assert abs(inner) < 1e15 or not inner.is_integer()
        elif isinstance(inner, str):
            assert "\x00" not in inner
        elif isinstance(inner, dict):
            for key, entry in inner.items():
                check(key)
                check(entry)
        elif isinstance(inner, list):
            for entry in inner:
                check(entry)

    check(plain)


def test_facts_with_odd_numbers_keep_the_chain_whole(version, alice):
    facts = {"big": 1e22, "small": 5e-324, "minus": -0.0, "nan": math.nan, "nul": "a\x00b"}
    record(version, "remark", by=alice, why="\x00odd", facts=facts)
    assert list(broken_links()) == []
    assert Decision.objects.get().facts["nul"] == "ab"


def test_an_act_without_a_rule_is_refused_to_everybody(mia):
    assert not policy.may(mia, "core.nothing")
    assert not policy.may(SYSTEM, "core.nothing")
    with pytest.raises(NotAllowed, match="no rule allows it"):
        policy.require(PUBLIC, "core.nothing")


def test_one_act_has_one_rule():
    with pytest.raises(RuntimeError, match="two rules"):
        policy.rule("core.job.cancel")(lambda actor, subject: None)


def test_every_step_of_both_lifecycles_has_a_rule():
    from amgs.core.checks import every_step_has_a_rule

    assert every_step_has_a_rule() == []
    assert "repository.version.submit" in policy.acts()
    assert "registry.modelversion.promote" in policy.acts()

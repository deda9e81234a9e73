"""Every (state, role, action) triple of both lifecycles, against tables written by hand."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation import dataset_version, model_version
from curation.lifecycle import Lifecycle, NotAllowed, Transition
from curation.roles import ROLES

# What each role may do in each state, and where it leads. Whatever is not listed is forbidden.
DATASET: dict[str, dict[str, dict[str, str]]] = {
    "draft": {"contributor": {"submit": "submitted"}},
    "submitted": {"system": {"screen": "screened", "request_changes": "changes_requested"}},
    "screened": {
        "curator": {"start_review": "in_review"},
        "system": {"request_changes": "changes_requested"},
    },
    "in_review": {
        "curator": {
            "accept": "accepted",
            "request_changes": "changes_requested",
            "reject": "rejected",
        }
    },
    "changes_requested": {"contributor": {"reopen": "draft"}},
    "rejected": {"contributor": {"reopen": "draft"}},
    "accepted": {
        "curator": {"publish": "published"},
        "system": {"publish": "published", "request_changes": "changes_requested"},
    },
    "published": {
        role: {"retract": "retracted", "withdraw": "withdrawn"}
        for role in ("contributor", "curator", "maintainer")
    },
    "retracted": {
        role: {"withdraw": "withdrawn"} for role in ("contributor", "curator", "maintainer")
    },
    "withdrawn": {},
}
MODEL: dict[str, dict[str, dict[str, str]]] = {
    "candidate": {"system": {"evaluate": "evaluated", "refuse": "rejected"}},
    "evaluated": {
        "system": {"submit_for_review": "in_review", "refuse": "rejected"},
        "maintainer": {"submit_for_review": "in_review"},
    },
    "in_review": {
        "maintainer": {"approve": "approved", "reject": "rejected"},
        "system": {"ship": "serving"},
    },
    "approved": {"maintainer": {"promote": "serving", "withdraw": "withdrawn"}},
    "serving": {
        "maintainer": {"retire": "retired", "withdraw": "withdrawn"},
        "system": {"retire": "retired"},
    },
    "retired": {
        "maintainer": {"promote": "serving", "rollback": "serving", "withdraw": "withdrawn"}
    },
    "rejected": {},
    "withdrawn": {},
}
FOUR_EYES = {"start_review", "accept", "reject", "request_changes", "publish"}
NEEDS_REASON = {
    ("dataset version", "request_changes"),
    ("dataset version", "accept"),
    ("dataset version", "reject"),
    ("dataset version", "retract"),
    ("dataset version", "withdraw"),
    ("model version", "refuse"),
    ("model version", "approve"),
    ("model version", "reject"),
    ("model version", "ship"),
    ("model version", "promote"),
    ("model version", "rollback"),
    ("model version", "retire"),
    ("model version", "withdraw"),
}
BOTH = [(dataset_version.LIFECYCLE, DATASET), (model_version.LIFECYCLE, MODEL)]
TRIPLES = [
    pytest.param(
        lifecycle, table, state, role, action, id=f"{lifecycle.name}-{state}-{role}-{action}"
    )
    for lifecycle, table in BOTH
    for state, role, action in product(lifecycle.states, ROLES, lifecycle.actions)
]


@pytest.mark.parametrize(("lifecycle", "table", "state", "role", "action"), TRIPLES)
def test_a_role_may_do_in_a_state_exactly_what_the_table_says(
    lifecycle: Lifecycle,
    table: dict[str, dict[str, dict[str, str]]],
    state: str,
    role: str,
    action: str,
) -> None:
    expected = table[state].get(role, {}).get(action)
    rows = [row for row in lifecycle.allowed(state, {role}) if row.action == action]
    sentence = lifecycle.refusal(state, action, {role}, why="because it is so")
    if expected is None:
        assert rows == []
        assert sentence is not None
        assert sentence.endswith(".")
    else:
        assert [row.target for row in rows] == [expected]
        assert lifecycle.next(state, action).target == expected
        assert sentence is None


@pytest.mark.parametrize(("lifecycle", "table"), BOTH, ids=lambda value: getattr(value, "name", ""))
def test_the_table_knows_every_state(lifecycle: Lifecycle, table: dict[str, object]) -> None:
    assert set(table) == set(lifecycle.states)


@pytest.mark.parametrize("lifecycle", [pair[0] for pair in BOTH], ids=lambda one: one.name)
def test_every_state_can_be_reached(lifecycle: Lifecycle) -> None:
    reached = {lifecycle.initial}
    for _ in lifecycle.states:
        reached |= {row.target for row in lifecycle.transitions if row.source in reached}
    assert reached == set(lifecycle.states)


@pytest.mark.parametrize("lifecycle", [pair[0] for pair in BOTH], ids=lambda one: one.name)
def test_every_transition_is_a_button_and_tells_known_roles(lifecycle: Lifecycle) -> None:
    titles = {}
    for row in lifecycle.transitions:
        assert 4 <= len(row.title) <= 40
        assert row.title[0].isupper()
        assert not row.title.endswith(".")
        assert titles.setdefault(row.action, row.title) == row.title
        assert set(row.tells) <= set(ROLES)
        assert row.roles <= set(ROLES)


@pytest.mark.parametrize("lifecycle", [pair[0] for pair in BOTH], ids=lambda one: one.name)
def test_decisions_that_others_have_to_live_with_need_a_reason(lifecycle: Lifecycle) -> None:
    needing = {(lifecycle.name, row.action) for row in lifecycle.transitions if row.needs_reason}
    assert needing == {pair for pair in NEEDS_REASON if pair[0] == lifecycle.name}
    for row in lifecycle.transitions:
        refused = lifecycle.refusal(row.source, row.action, row.roles, why="  ")
        assert (refused is not None) == row.needs_reason
        assert refused is None or "reason" in refused


def test_a_curator_cannot_decide_on_data_of_their_own_lab() -> None:
    lifecycle = dataset_version.LIFECYCLE
    for row in lifecycle.transitions:
        guarded = row.action in FOUR_EYES and "curator" in row.roles
        assert row.own_lab_forbidden == guarded, row
        if guarded:
            assert row not in lifecycle.allowed(row.source, {"curator"}, own_lab=True)
            sentence = lifecycle.refusal(row.source, row.action, {"curator"}, True, "fine")
            assert sentence is not None
            assert "another lab" in sentence


def test_leaving_is_the_right_of_the_lab_that_gave_the_data() -> None:
    lifecycle = dataset_version.LIFECYCLE
    assert (
        lifecycle.refusal("published", "withdraw", {"contributor"}, True, "consent ended") is None
    )


def test_a_refusal_says_what_the_state_is_and_what_can_follow() -> None:
    with pytest.raises(NotAllowed) as refused:
        dataset_version.LIFECYCLE.next("draft", "publish")
    assert refused.value.sentence == (
        "“Publish” is possible only while the dataset version is “accepted”; it is “a draft” now, "
        "and what can follow is: Submit for review."
    )
    with pytest.raises(NotAllowed, match="this is final"):
        model_version.LIFECYCLE.next("withdrawn", "promote")
    with pytest.raises(NotAllowed, match="no act called"):
        model_version.LIFECYCLE.next("serving", "explode")
    with pytest.raises(NotAllowed, match="never in a state"):
        model_version.LIFECYCLE.next("nowhere", "promote")


def test_a_person_is_told_that_the_checks_run_by_themselves() -> None:
    sentence = dataset_version.LIFECYCLE.refusal("submitted", "screen", {"curator"})
    assert sentence == "“Pass the checks” happens by itself; wait until it has finished."


@pytest.mark.parametrize("lifecycle", [pair[0] for pair in BOTH], ids=lambda one: one.name)
@given(data=st.data())
def test_random_actors_never_leave_the_drawn_paths(
    lifecycle: Lifecycle, data: st.DataObject
) -> None:
    table = {one.name: table for one, table in BOTH}[lifecycle.name]
    state = lifecycle.initial
    for _ in range(data.draw(st.integers(1, 25))):
        roles = data.draw(st.sets(st.sampled_from(sorted(ROLES)), max_size=3))
        action = data.draw(st.sampled_from(lifecycle.actions))
        own_lab = data.draw(st.booleans())
        if lifecycle.refusal(state, action, roles, own_lab, "why") is None:
            step = lifecycle.next(state, action)
            assert step in lifecycle.allowed(state, roles, own_lab)
            assert any(table[state].get(role, {}).get(action) == step.target for role in roles)
            assert not (own_lab and step.own_lab_forbidden)
            state = step.target
        else:
            assert action not in {row.action for row in lifecycle.allowed(state, roles, own_lab)}
        assert state in lifecycle.states


def test_nothing_is_published_that_no_curator_of_another_lab_accepted() -> None:
    lifecycle = dataset_version.LIFECYCLE
    without = [row for row in lifecycle.transitions if row.action != "accept"]
    reached = {lifecycle.initial}
    for _ in lifecycle.states:
        reached |= {row.target for row in without if row.source in reached}
    assert reached.isdisjoint({"accepted", "published"})
    accept = lifecycle.next("in_review", "accept")
    assert accept.roles == {"curator"}
    assert accept.own_lab_forbidden


def _row(action: str, source: str, target: str, roles: frozenset[str]) -> Transition:
    return Transition(action, source, target, roles, False, action.title())


@pytest.mark.parametrize(
    ("initial", "rows"),
    [
        ("nowhere", ()),
        ("a", (_row("go", "a", "nowhere", frozenset({"curator"})),)),
        ("a", (_row("go", "a", "b", frozenset()),)),
        ("a", (_row("go", "a", "b", frozenset({"x"})), _row("go", "a", "a", frozenset({"y"})))),
    ],
)
def test_a_contradictory_lifecycle_cannot_be_built(
    initial: str, rows: tuple[Transition, ...]
) -> None:
    with pytest.raises(ValueError, match="thing"):
        Lifecycle("thing", ("a", "b"), initial, rows)

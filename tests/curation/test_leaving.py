"""What leaving does, told in numbers; what it rests on; notes on what depended on it."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.dataset_version import LIFECYCLE
from curation.leaving import (
    ACTS,
    UNDO_FOR,
    Counts,
    consequences,
    dependent_models,
    keeps_files,
    may_be_deleted,
    note,
    reopen_refusal,
    undo_refusal,
)

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
numbers = st.integers(0, 10**7)
counts = st.builds(
    Counts,
    **{field.name: numbers for field in fields(Counts) if field.type == "int"},
    serving_models=st.lists(st.sampled_from(["mouse-v1", "mouse-v2"]), unique=True).map(tuple),
)


@pytest.mark.parametrize("state", LIFECYCLE.states)
def test_only_what_was_never_public_can_be_deleted(state) -> None:
    refused = may_be_deleted(state)
    assert (refused is None) == (state not in {"published", "withdrawn", "retracted"})
    assert refused is None or refused.endswith(".")


def test_a_deleted_draft_comes_back_within_thirty_days_and_not_beside_another() -> None:
    assert undo_refusal(NOW - UNDO_FOR, NOW) is None
    assert undo_refusal(NOW - UNDO_FOR - timedelta(seconds=1), NOW)
    assert "AMGS-000001/3" in (undo_refusal(NOW, NOW, "AMGS-000001/3") or "")


@given(
    state=st.sampled_from(LIFECYCLE.states),
    ago=st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=90))),
)
def test_files_stay_for_all_that_is_alive_or_can_come_back(
    state: str, ago: timedelta | None
) -> None:
    kept = keeps_files(state, None if ago is None else NOW - ago, NOW)
    assert kept == (state != "withdrawn" and (ago is None or ago <= UNDO_FOR))


@given(act=st.sampled_from(ACTS), found=counts)
def test_every_act_is_told_in_sentences_that_hold_their_numbers(act: str, found: Counts) -> None:
    told = consequences(act, found)
    assert len({row.key for row in told}) == len(told)
    for row in told:
        assert row.sentence.endswith(".")
        assert "  " not in row.sentence
        counted = {"files", "no_snapshot", "ratings", "raters", "pictures"}
        if row.number and row.key in counted and (act, row.key) != ("retract", "files"):
            assert f"{row.number:,}" in row.sentence
    assert any(not row.stays for row in told)


@given(found=counts)
def test_a_withdrawal_deletes_and_a_retraction_keeps_and_flags(found: Counts) -> None:
    withdrawn = {row.key: row for row in consequences("withdraw", found)}
    retracted = {row.key: row for row in consequences("retract", found)}
    assert not withdrawn["files"].stays
    assert retracted["files"].stays
    past = {"manifests": found.snapshots, "models": found.models, "scores": found.scores}
    for key, number in past.items():
        assert (withdrawn[key].number if key in withdrawn else 0) == number
    assert ("flags" in retracted) == any(past.values())
    if "flags" in retracted:
        assert retracted["flags"].number == sum(past.values())
        assert ("retrain" in retracted) == bool(found.serving_models)
    for told in (withdrawn, retracted):
        assert "licensed" in told
        assert ("untouched" in told) == (not any(past.values()))
        assert ("shared" in told) == bool(found.shared_recordings)
        assert ("runs" in told) == bool(found.runs_under_way)
        assert not told["no_snapshot"].stays


def test_one_is_told_in_the_singular() -> None:
    told = {
        row.key: row.sentence for row in consequences("withdraw", Counts(files=1, recordings=1))
    }
    assert told["files"].startswith("1 file (0 bytes of originals) is deleted")
    assert "1 recording stop" in told["downloads"]


def test_an_unknown_act_has_no_consequences() -> None:
    with pytest.raises(KeyError):
        consequences("forget", Counts())
    with pytest.raises(KeyError):
        consequences("take_back_everything", Counts())


def test_a_note_says_what_happened_to_what_and_whether_to_rely_on_it() -> None:
    gone = note("This score", "AMGS-000001/1", "withdrawn", "The consent ended.")
    wrong = note("This model", "AMGS-000001/1", "retracted")
    assert gone is not None
    assert wrong is not None
    assert "stay valid" in gone.sentence
    assert "The consent ended." in gone.sentence
    assert not gone.grave
    assert "Do not rely" in wrong.sentence
    assert wrong.grave
    assert note("This model", "AMGS-000001/1", "published") is None


graphs = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh"))


@given(snapshots=st.sets(st.sampled_from("xyz")), starts=graphs, data=st.data())
def test_a_model_depends_through_every_chain_of_starts_and_through_nothing_else(
    snapshots: set[str], starts: dict[str, str], data: st.DataObject
) -> None:
    learned = data.draw(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("wxyz")))
    found = dependent_models(snapshots, learned, starts)
    for model in "abcdefgh":
        chain: list[str] = []
        step: str | None = model
        while step is not None and step not in chain:
            chain.append(step)
            step = starts.get(step)
        depends = any(learned.get(one) in snapshots for one in chain)
        assert (model in found) == depends


def test_a_rejected_version_is_kept_and_opened_until_its_day() -> None:
    day = timedelta(days=1)
    assert reopen_refusal(None, NOW) is None
    assert reopen_refusal(NOW, NOW) is None
    assert "90 days" in str(reopen_refusal(NOW - day, NOW))
    assert keeps_files("rejected", None, NOW, NOW + day)
    assert keeps_files("rejected", None, NOW)
    assert not keeps_files("rejected", None, NOW, NOW - day)
    assert keeps_files("draft", None, NOW, NOW - day)

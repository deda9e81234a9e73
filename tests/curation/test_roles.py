"""Acts that are no transition: who may do them, and on whose data."""

from __future__ import annotations

import pytest

from curation.roles import ACTS, ROLES, Act


@pytest.mark.parametrize("act", ACTS.values(), ids=list(ACTS))
@pytest.mark.parametrize("role", ROLES)
def test_an_act_is_refused_with_a_sentence_to_all_but_its_roles(act: Act, role: str) -> None:
    refused = act.refusal({role}, own_lab=act.scope != "other_labs")
    assert (refused is None) == (role in act.roles)
    if refused:
        assert refused.endswith(".")
        assert act.title in refused


def test_acts_name_known_roles() -> None:
    assert {role for act in ACTS.values() for role in act.roles} <= set(ROLES)


def test_a_rater_never_grades_frames_of_their_own_lab() -> None:
    sentence = ACTS["rate_frames"].refusal({"rater", "curator"}, own_lab=True)
    assert sentence == "You may not grade frames from your own lab: raters must be blind to it."
    assert ACTS["rate_frames"].refusal({"rater"}) is None


def test_a_contributor_edits_drafts_of_their_own_lab_only() -> None:
    assert ACTS["edit_draft"].refusal({"contributor"}, own_lab=True) is None
    assert ACTS["edit_draft"].refusal({"contributor"}) == (
        "You may edit a draft only in a lab you belong to; ask that lab to add you."
    )
    assert ACTS["edit_draft"].refusal({"contributor", "curator"}) is not None


def test_a_curator_sees_unpublished_datasets_of_every_lab() -> None:
    assert ACTS["see_dataset"].refusal({"curator"}) is None
    assert ACTS["see_dataset"].refusal({"contributor"}) is not None

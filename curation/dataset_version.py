"""The life of a dataset version, from a lab's draft to a cited, published record."""

from __future__ import annotations

from curation.lifecycle import Lifecycle, Transition
from curation.roles import CONTRIBUTOR, CURATOR, MAINTAINER, SYSTEM

DRAFT = "draft"
SUBMITTED = "submitted"
SCREENED = "screened"
IN_REVIEW = "in_review"
CHANGES_REQUESTED = "changes_requested"
ACCEPTED = "accepted"
PUBLISHED = "published"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"
RETRACTED = "retracted"


def _step(
    action: str,
    source: str,
    target: str,
    roles: set[str],
    title: str,
    *,
    tells: tuple[str, ...] = (),
    reason: bool = False,
    four_eyes: bool = False,
) -> Transition:
    return Transition(
        action, source, target, frozenset(roles), reason, title, tells, own_lab_forbidden=four_eyes
    )


_OWNER_OR_OFFICE = {CONTRIBUTOR, CURATOR, MAINTAINER}

LIFECYCLE = Lifecycle(
    name="dataset version",
    initial=DRAFT,
    states=(
        DRAFT,
        SUBMITTED,
        SCREENED,
        IN_REVIEW,
        CHANGES_REQUESTED,
        ACCEPTED,
        PUBLISHED,
        REJECTED,
        WITHDRAWN,
        RETRACTED,
    ),
    titles={DRAFT: "a draft"},
    transitions=(
        _step("submit", DRAFT, SUBMITTED, {CONTRIBUTOR}, "Submit for review"),
        _step("screen", SUBMITTED, SCREENED, {SYSTEM}, "Pass the checks", tells=(CURATOR,)),
        # The checks refuse without a curator, so that a missing licence costs nobody's time.
        _step(
            "request_changes",
            SUBMITTED,
            CHANGES_REQUESTED,
            {SYSTEM},
            "Ask for changes",
            tells=(CONTRIBUTOR,),
            reason=True,
        ),
        # Inputs may change after the checks: a recording is read again, a twin comes in.
        _step(
            "request_changes",
            SCREENED,
            CHANGES_REQUESTED,
            {SYSTEM},
            "Ask for changes",
            tells=(CONTRIBUTOR,),
            reason=True,
        ),
        _step(
            "start_review",
            SCREENED,
            IN_REVIEW,
            {CURATOR},
            "Start the review",
            tells=(CONTRIBUTOR,),
            four_eyes=True,
        ),
        _step(
            "request_changes",
            IN_REVIEW,
            CHANGES_REQUESTED,
            {CURATOR},
            "Ask for changes",
            tells=(CONTRIBUTOR,),
            reason=True,
            four_eyes=True,
        ),
        _step(
            "accept",
            IN_REVIEW,
            ACCEPTED,
            {CURATOR},
            "Accept",
            tells=(CONTRIBUTOR,),
            reason=True,
            four_eyes=True,
        ),
        _step(
            "reject",
            IN_REVIEW,
            REJECTED,
            {CURATOR},
            "Reject",
            tells=(CONTRIBUTOR,),
            reason=True,
            four_eyes=True,
        ),
        _step("reopen", CHANGES_REQUESTED, DRAFT, {CONTRIBUTOR}, "Open as a draft again"),
        _step("reopen", REJECTED, DRAFT, {CONTRIBUTOR}, "Open as a draft again"),
        # The system publishes when an embargo ends; a date is not a state.
        _step(
            "publish",
            ACCEPTED,
            PUBLISHED,
            {CURATOR, SYSTEM},
            "Publish",
            tells=(CONTRIBUTOR, MAINTAINER),
            four_eyes=True,
        ),
        # The checks run once more when an embargo ends; what they refuse goes back to the lab.
        _step(
            "request_changes",
            ACCEPTED,
            CHANGES_REQUESTED,
            {SYSTEM},
            "Ask for changes",
            tells=(CONTRIBUTOR,),
            reason=True,
        ),
        # Leaving is the owner's right, so four eyes do not apply.
        _step(
            "retract",
            PUBLISHED,
            RETRACTED,
            _OWNER_OR_OFFICE,
            "Retract: the data are wrong",
            tells=(CONTRIBUTOR, CURATOR, MAINTAINER),
            reason=True,
        ),
        _step(
            "withdraw",
            PUBLISHED,
            WITHDRAWN,
            _OWNER_OR_OFFICE,
            "Withdraw: we may not share it",
            tells=(CONTRIBUTOR, CURATOR, MAINTAINER),
            reason=True,
        ),
        _step(
            "withdraw",
            RETRACTED,
            WITHDRAWN,
            _OWNER_OR_OFFICE,
            "Withdraw: we may not share it",
            tells=(CONTRIBUTOR, CURATOR, MAINTAINER),
            reason=True,
        ),
    ),
)

"""The life of a model version, from a finished training run to the model that serves."""

from __future__ import annotations

from curation.lifecycle import Lifecycle, Transition
from curation.roles import MAINTAINER, SYSTEM

CANDIDATE = "candidate"
EVALUATED = "evaluated"
IN_REVIEW = "in_review"
APPROVED = "approved"
SERVING = "serving"
RETIRED = "retired"
REJECTED = "rejected"
WITHDRAWN = "withdrawn"
FOUR_EYES = (
    "You approved this version, so another maintainer has to promote it: two people look at a "
    "model before it serves."
)
"""Asked wherever there is a second maintainer; a site with one is not locked out."""


def _step(
    action: str,
    source: str,
    target: str,
    roles: set[str],
    title: str,
    *,
    tells: tuple[str, ...] = (MAINTAINER,),
    reason: bool = True,
) -> Transition:
    return Transition(action, source, target, frozenset(roles), reason, title, tells)


LIFECYCLE = Lifecycle(
    name="model version",
    initial=CANDIDATE,
    states=(CANDIDATE, EVALUATED, IN_REVIEW, APPROVED, SERVING, RETIRED, REJECTED, WITHDRAWN),
    titles={CANDIDATE: "a candidate"},
    transitions=(
        _step("evaluate", CANDIDATE, EVALUATED, {SYSTEM}, "Evaluate", tells=(), reason=False),
        # A bundle that cannot even be loaded never gets as far as an evaluation.
        _step("refuse", CANDIDATE, REJECTED, {SYSTEM}, "Refuse by the gates"),
        _step("refuse", EVALUATED, REJECTED, {SYSTEM}, "Refuse by the gates"),
        _step(
            "submit_for_review",
            EVALUATED,
            IN_REVIEW,
            {SYSTEM, MAINTAINER},
            "Put before the maintainers",
            reason=False,
        ),
        _step("approve", IN_REVIEW, APPROVED, {MAINTAINER}, "Approve"),
        _step("reject", IN_REVIEW, REJECTED, {MAINTAINER}, "Reject"),
        # A fresh site has no maintainer yet and begins with the model that comes with the program.
        _step("ship", IN_REVIEW, SERVING, {SYSTEM}, "Begin with the shipped model", tells=()),
        _step("promote", APPROVED, SERVING, {MAINTAINER}, "Promote: let it serve"),
        _step("promote", RETIRED, SERVING, {MAINTAINER}, "Promote: let it serve"),
        # The same step as promoting a retired version; the ledger keeps the two intents apart.
        _step("rollback", RETIRED, SERVING, {MAINTAINER}, "Roll back to this version"),
        # The system retires the old version in the transaction that promotes the new one.
        _step("retire", SERVING, RETIRED, {MAINTAINER, SYSTEM}, "Retire"),
        _step("withdraw", APPROVED, WITHDRAWN, {MAINTAINER}, "Withdraw for a fault"),
        _step("withdraw", SERVING, WITHDRAWN, {MAINTAINER}, "Withdraw for a fault"),
        _step("withdraw", RETIRED, WITHDRAWN, {MAINTAINER}, "Withdraw for a fault"),
    ),
)

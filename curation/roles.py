"""The roles, and the acts each role may do that move nothing through a lifecycle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CONTRIBUTOR = "contributor"
RATER = "rater"
CURATOR = "curator"
MAINTAINER = "maintainer"
SYSTEM = "system"

ROLES: dict[str, str] = {
    CONTRIBUTOR: "Contributor: brings the videos and scores of a lab",
    RATER: "Rater: grades frames blind",
    CURATOR: "Curator: reviews what labs submit",
    MAINTAINER: "Maintainer: decides which model serves",
    SYSTEM: "The platform itself",
}
"""Role key → what it means. `system` is never given to a person."""

GIVEN = (RATER, CURATOR, MAINTAINER)
"""What a maintainer gives to a person; contributors are whoever belongs to a lab."""

Scope = Literal["any", "own_lab", "other_labs"]


@dataclass(frozen=True)
class Act:
    """Something one may do that is no transition; `scope` says on whose data."""

    title: str
    roles: frozenset[str]
    scope: Scope = "any"
    """`own_lab`: only for data of the actor's lab; `other_labs`: never for it (blindness)."""

    def refusal(self, roles: frozenset[str] | set[str], own_lab: bool = False) -> str | None:
        """Return the sentence that refuses this act, or None when nothing speaks against it."""
        if self.roles.isdisjoint(roles):
            who = " or a ".join(sorted(self.roles - {SYSTEM})) or "platform itself"
            return f"Only a {who} may {self.title}; ask a maintainer for that role."
        everywhere = not roles.isdisjoint({CURATOR, MAINTAINER, SYSTEM} & self.roles)
        if self.scope == "own_lab" and not own_lab and not everywhere:
            return f"You may {self.title} only in a lab you belong to; ask that lab to add you."
        if self.scope == "other_labs" and own_lab:
            return f"You may not {self.title} from your own lab: raters must be blind to it."
        return None


def _act(title: str, *roles: str, scope: Scope = "any") -> Act:
    return Act(title, frozenset(roles), scope)


_PEOPLE = (CONTRIBUTOR, RATER, CURATOR, MAINTAINER)

ACTS: dict[str, Act] = {
    "create_dataset": _act("create a dataset", CONTRIBUTOR, scope="own_lab"),
    "edit_draft": _act("edit a draft", CONTRIBUTOR, scope="own_lab"),
    "upload": _act("upload files", CONTRIBUTOR, scope="own_lab"),
    "import_labels": _act("import score sheets", CONTRIBUTOR, scope="own_lab"),
    "set_permissions": _act("set what others may do with the data", CONTRIBUTOR, scope="own_lab"),
    "answer_check": _act("answer a warning of the checks", CONTRIBUTOR, scope="own_lab"),
    "check_now": _act("run the checks", CONTRIBUTOR, CURATOR, MAINTAINER, SYSTEM, scope="own_lab"),
    "delete_draft": _act("delete an unpublished version", CONTRIBUTOR, scope="own_lab"),
    "new_draft": _act("begin a new version", CONTRIBUTOR, scope="own_lab"),
    "set_embargo": _act("set an embargo", CONTRIBUTOR, scope="own_lab"),
    "see_dataset": _act(
        "see an unpublished dataset", CONTRIBUTOR, CURATOR, MAINTAINER, scope="own_lab"
    ),
    "see_ratings": _act("see who graded what", CONTRIBUTOR, CURATOR, MAINTAINER, scope="own_lab"),
    "rate_frames": _act("grade frames", RATER, CURATOR, scope="other_labs"),
    "remark": _act("write a remark", *_PEOPLE, scope="own_lab"),
    "assign_audit": _act("draw an audit sample", CURATOR, SYSTEM),
    "set_gold": _act("say which grades of a frame are agreed", CURATOR),
    "hand_over": _act("hand a review over", CURATOR),
    "grant_role": _act("give or take roles", MAINTAINER),
    "edit_policy": _act("edit the training policy", MAINTAINER),
    "freeze_snapshot": _act("freeze a snapshot", MAINTAINER, SYSTEM),
    "set_lab_aside": _act("set a lab aside as independent", MAINTAINER),
    "start_run": _act("start a training run", MAINTAINER, SYSTEM),
    "cancel_run": _act("cancel a training run", MAINTAINER),
    "see_runs": _act("see training runs", CURATOR, MAINTAINER),
    "validate_model": _act("make a validation page", MAINTAINER, SYSTEM),
    "see_watch": _act("see what the public scorer saw", CURATOR, MAINTAINER),
    "call_for_data": _act("call for data", CURATOR, MAINTAINER, SYSTEM),
}
"""Act key → its title ("You may not … "), the roles that may do it and on whose data."""

"""Who may stop a job and begin it again: whoever asked for it, and the maintainers."""

from __future__ import annotations

from amgs.core.base import Actor
from amgs.core.models import Job
from amgs.core.policy import rule


@rule("core.job.cancel", "core.job.retry")
def _steer(actor: Actor, job: Job) -> str | None:
    if not actor.roles.isdisjoint({"maintainer", "system"}) or job.actor_id == actor.public_id:
        return None
    return "Only the person who asked for this work, or a maintainer, may steer it."

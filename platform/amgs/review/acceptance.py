"""What review adds to the steps of a dataset version: checks, audit, agreement, consensus."""

from __future__ import annotations

from typing import Any

from amgs.core.errors import Refused
from amgs.core.jobs import enqueue
from amgs.core.models import Decision, Job
from amgs.repository.models import Permission, Version
from amgs.repository.steps import Insist, Step, follower, guard
from amgs.review.facts import has_grades
from amgs.review.models import Audit, Screening
from amgs.review.services.audits import close_audit, progress, ratings_of, start_audit
from amgs.review.services.checks import WAITING_STATES, ask_for_checks, facts_digest
from amgs.review.services.reviewers import not_yours, take_review
from curation.dataset_version import ACCEPTED
from curation.permissions import KINDS

CONSENSUS = "review.update_consensus"


@follower("submit")
def _screen(step: Step, decision: Decision) -> None:
    ask_for_checks(step.version, step.by)


@follower(*(f"{verb}_{kind}" for verb in ("give", "take_back") for kind in KINDS))
def _screen_again(step: Step, decision: Decision) -> None:
    """What others may do is among the facts that the checks rest on."""
    if step.version.state in WAITING_STATES:
        ask_for_checks(step.version, step.by)


@follower("start_review")
def _audit(step: Step, decision: Decision) -> None:
    take_review(by=step.by, version=step.version)
    start_audit(version=step.version)


@guard("request_changes", "accept", "reject")
def _has_the_review(step: Step) -> None:
    if refusal := not_yours(step.by, step.version):
        raise Refused(refusal)


@follower("request_changes", "accept", "reject")
def _close(step: Step, decision: Decision) -> None:
    close_audit(version=step.version)


@follower("take_in_again", "adjudicate")
def _combine_anew(step: Step, decision: Decision) -> None:
    if step.version.state == ACCEPTED:
        _combine(step, decision)


@follower("accept")
def _combine(step: Step, decision: Decision) -> None:
    version = step.version
    enqueue(
        CONSENSUS, by=step.by, subject=version, key=version.public_id, version=version.public_id
    )


@guard("accept")
def _is_checked(step: Step) -> dict[str, Any]:
    """Acceptance rests on passed checks and, where there are grades, on a finished audit."""
    version = step.version
    screening = Screening.objects.filter(version=version).order_by("-pk").first()
    if screening is None or not screening.passed:
        raise Refused(
            f"{version.identifier} has not passed the checks; it has to be submitted again."
        )
    # The facts stay with the screening: they name animals and twins that not everybody may read.
    facts: dict[str, Any] = {
        "screening": screening.public_id,
        "facts_sha256": screening.facts_sha256 or facts_digest(screening.facts),
        "answers": {row.check_name: row.answer for row in screening.results.exclude(answer="")},
    }
    if not has_grades(version):
        return facts
    objection = _objection(version)
    audit = Audit.objects.filter(version=version).first()
    if audit is not None:
        facts |= {"audit": progress(audit), "agreement": audit.agreement}
    if objection and not step.without_audit:
        raise Insist(objection)
    if objection:
        facts["accepted_although"] = objection
    return facts


def _objection(version: Version) -> str | None:
    audit = Audit.objects.filter(version=version).first()
    if audit is None or not audit.tasks.exists():
        allowed = version.permissions.filter(kind=Permission.Kind.OUTSIDE_RATERS).exists()
        why = (
            "the review began without one"
            if allowed
            else "the lab does not let raters outside it see frames"
        )
        return (
            f"Nobody from another lab has rated these frames ({why}). Accept without an audit "
            "only if you state why that is right."
        )
    told = progress(audit)
    if told["ratings"] < told["ratings_wanted"]:
        return (
            f"The audit is not finished: {told['ratings']} of {told['ratings_wanted']} ratings "
            "are in. Wait for the raters, or accept without it and state why."
        )
    if audit.agreement_ratings != ratings_of(audit).count():
        return "The agreement of the last ratings is still being computed; try again in a moment."
    return None


@guard("publish")
def _rests_on_facts(step: Step) -> dict[str, Any]:
    """Publication keeps the facts of the passed screening verbatim, and needs the consensus."""
    version = step.version
    screening = Screening.objects.filter(version=version, passed=True).order_by("-pk").first()
    facts = screening.facts if screening is not None else {}
    if has_grades(version):
        job = Job.objects.filter(kind=CONSENSUS, subject=version.public_id).order_by("-pk").first()
        if job is None or job.state != Job.State.DONE:
            broken = job is not None and job.state == Job.State.FAILED
            raise Refused(
                f"The grades could not be combined: {job.error} Let the work begin again."
                if broken and job is not None
                else "The grades are still being combined; publish in a moment."
            )
    return {
        "version_facts": facts,
        "facts_sha256": facts_digest(facts),
        "screening": screening.public_id if screening is not None else "",
    }

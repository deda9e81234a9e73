"""Answers of contributors to what the checks warned of."""

from __future__ import annotations

from django.db import transaction

from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Refused
from amgs.review.models import CheckResult


@transaction.atomic
def answer_check(*, by: Actor, result: CheckResult, answer: str) -> CheckResult:
    """Answer a warning with a reason; the curator reads both."""
    version = result.screening.version
    policy.require(by, "answer_check", version)
    if result.passed or result.severity != "warns":
        raise Refused("Only a warning can be answered; what blocks has to be mended.")
    if not answer.strip():
        raise Refused("Please write the reason why the warning is no fault.", field="answer")
    CheckResult.objects.filter(pk=result.pk).update(answer=answer.strip())
    result.answer = answer.strip()
    decisions.record(version, "answer_check", by=by, why=answer, facts={"check": result.check_name})
    return result

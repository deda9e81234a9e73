"""The desk of the curators: which versions wait, narrowed down and page by page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone

from amgs.accounts.models import Lab
from amgs.core import vocabulary
from amgs.core.errors import Refused
from amgs.repository.finding import Facet
from amgs.repository.lookup import LARGE
from amgs.repository.models import Version
from amgs.repository.queries import version_row
from amgs.review.models import CheckResult, Screening, Task
from curation.asking import UNITS
from curation.dataset_version import (
    ACCEPTED,
    CHANGES_REQUESTED,
    IN_REVIEW,
    LIFECYCLE,
    SCREENED,
    SUBMITTED,
)
from curation.metadata import BY_KEY

STATES = (SUBMITTED, SCREENED, IN_REVIEW, CHANGES_REQUESTED, ACCEPTED)
CHECKS = {"passed": "passed", "warned": "passed, with something to look at", "failed": "to mend"}
WHO = {"me": "mine", "nobody": "nobody’s yet", "others": "of other curators"}
AUDIT = {"none": "no audit", "running": "being rated", "finished": "rated"}
DAYS = {"3": "3 days", "7": "a week", "14": "two weeks", "30": "a month"}
FIRST = {"": "longest wait", "newest": "newest"}
Choices = dict[str, str]
TITLES = {
    "state": "State",
    "who": "Review",
    "checks": "Checks",
    "audit": "Audit",
    "since": "Waits at least",
    "assay": "Assay",
    "coat": "Coat",
    "lab": "Lab",
    "first": "First",
}
"""Every way to narrow the desk down."""


@dataclass(frozen=True)
class Filter:
    """One way to narrow the desk down, and what may be chosen."""

    key: str
    title: str
    choices: Choices


def filters(user: Any) -> list[Filter]:
    """Return every filter; labs are those that have something on the desk (one query)."""
    labs = Lab.objects.filter(
        pk__in=Version.objects.visible_to(user).filter(state__in=STATES).values("dataset__lab")
    ).order_by("name")
    choices = {
        "state": {state: LIFECYCLE.title(state) for state in STATES},
        "who": WHO,
        "checks": CHECKS,
        "audit": AUDIT,
        "since": DAYS,
        "assay": dict(BY_KEY["assay"].terms),
        "coat": dict(vocabulary.coats()),
        "lab": {row.public_id: row.name for row in labs},
        "first": FIRST,
    }
    return [Filter(key, title, choices[key]) for key, title in TITLES.items()]


def check(given: Mapping[str, str], known: list[Filter]) -> Choices:
    """Return the choices made; raises ``Refused`` where one is none."""
    chosen = {}
    for row in known:
        value = str(given.get(row.key) or "").strip()
        if not value:
            continue
        if value not in row.choices:
            raise Refused(f"'{row.title}' cannot be '{value[:60]}'; choose anew.", field=row.key)
        chosen[row.key] = value
    return chosen


def waiting(user: Any) -> QuerySet[Version]:
    """Return what is on the desk with what its rows show; constant queries, none per row."""
    newest = Screening.objects.filter(version=OuterRef("pk")).order_by("-pk")
    asked = (
        Task.objects.filter(audit__version=OuterRef("pk"), kind=UNITS)
        .order_by()
        .values("audit")
        .annotate(wanted_sum=Sum("wanted"), finished_sum=Sum("finished"))
    )
    return (
        Version.objects.visible_to(user)
        .filter(state__in=STATES)
        .select_related("dataset__lab", "reviewer__user")
        .defer(*LARGE)
        .annotate(
            waits_since=Coalesce("submitted_at", "created_at"),
            screening_pk=Subquery(newest.values("pk")[:1]),
            checks_passed=Subquery(newest.values("passed")[:1]),
            warned=Exists(
                CheckResult.objects.filter(
                    screening=OuterRef("screening_pk"), passed=False, severity="warns"
                )
            ),
            ratings_wanted=Subquery(asked.values("wanted_sum")[:1]),
            ratings_given=Subquery(asked.values("finished_sum")[:1]),
        )
    )


def narrowed(rows: QuerySet[Version], user: Any, chosen: Mapping[str, str]) -> QuerySet[Version]:
    """Return those of some versions that fit all choices."""
    if state := chosen.get("state"):
        rows = rows.filter(state=state)
    if lab := chosen.get("lab"):
        rows = rows.filter(dataset__lab__public_id=lab)
    for key in ("assay", "coat"):
        if value := chosen.get(key):
            rows = rows.filter(
                Exists(Facet.objects.filter(version=OuterRef("pk"), key=key, value=value))
            )
    if who := chosen.get("who"):
        rows = rows.filter(
            {
                "me": Q(reviewer__user=user),
                "nobody": Q(reviewer=None),
                "others": Q(reviewer__isnull=False) & ~Q(reviewer__user=user),
            }[who]
        )
    if checks := chosen.get("checks"):
        rows = rows.filter(checks_passed=checks != "failed")
        rows = rows if checks == "failed" else rows.filter(warned=checks == "warned")
    if audit := chosen.get("audit"):
        rows = rows.filter(
            {
                "none": Q(ratings_wanted=None),
                "running": Q(ratings_given__lt=F("ratings_wanted")),
                "finished": Q(ratings_given__gte=F("ratings_wanted")),
            }[audit]
        )
    if days := chosen.get("since"):
        rows = rows.filter(waits_since__lte=timezone.now() - timedelta(days=int(days)))
    return rows


def page(
    user: Any, chosen: Mapping[str, str], *, after: str = "", limit: int = 25
) -> tuple[list[Version], str]:
    """Return one page of the desk and the ``after`` of the next (empty at the end).

    Two that were submitted at the same moment keep their order by primary key.
    """
    rows = narrowed(waiting(user), user, chosen)
    newest = chosen.get("first") == "newest"
    if after:
        since = Coalesce("submitted_at", "created_at")
        anchor = Version.objects.filter(public_id=after).values_list(since, "pk").first()
        if anchor is None:
            raise Refused("This page of the list no longer exists; begin at its first page.")
        side = "lt" if newest else "gt"
        rows = rows.filter(
            Q(**{f"waits_since__{side}": anchor[0]})
            | Q(waits_since=anchor[0], **{f"pk__{side}": anchor[1]})
        )
    order = ("-waits_since", "-pk") if newest else ("waits_since", "pk")
    found = list(rows.order_by(*order)[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return found, found[-1].public_id if more else ""


def row(user: Any, version: Version) -> dict[str, Any]:
    """Return a version of `page` as the queue shows it; asks the database for nothing."""
    reviewer = getattr(version, "reviewer", None)
    told: Any = version  # what `waiting` added
    return version_row(user, version) | {
        "checks_passed": told.checks_passed,
        "warned": told.warned,
        "ratings": told.ratings_given,
        "ratings_wanted": told.ratings_wanted,
        "reviewer": reviewer.user.name if reviewer else "",
        "is_mine": reviewer is not None and reviewer.user_id == user.pk,
        "since": told.waits_since,
    }

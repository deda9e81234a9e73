"""Have DOIs registered when versions are published, and changed when they leave."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings

from amgs.core import decisions, jobs
from amgs.core.base import SYSTEM
from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Decision, Job
from amgs.repository import search
from amgs.repository.citing import cited, wanted_doi
from amgs.repository.datacite import put_doi
from amgs.repository.models import Version
from amgs.repository.rules import PUBLIC_STATES
from amgs.repository.steps import Step, follower
from curation.citing import datacite


@follower("publish", "withdraw", "retract")
def _register(step: Step, decision: Decision) -> None:
    ask_for_doi(step.version)


def ask_for_doi(version: Version) -> None:
    """Have DataCite told what is true of a version, where DOIs are registered here."""
    if settings.DATACITE:
        jobs.enqueue(
            register_doi, subject=version, key=version.public_id, version=version.public_id
        )


@job("quick", limit=timedelta(minutes=2), attempts=8)
def register_doi(context: Context, version: str) -> Finish:
    """Register the DOI of a version, or tell DataCite what became of the version."""
    row = (
        Version.objects.filter(public_id=version, state__in=PUBLIC_STATES)
        .select_related("dataset__lab")
        .first()
    )
    if row is None or not settings.DATACITE:
        return Finish({"gone": True})
    doi = wanted_doi(row)
    put_doi(doi, datacite(cited(row), doi), known=bool(row.doi))

    def apply() -> None:
        fresh = Version.objects.select_for_update().get(pk=row.pk)
        if fresh.doi != doi:
            Version.objects.filter(pk=row.pk).update(doi=doi)
            fresh.doi = doi
            search.refresh(fresh)
            decisions.record(row, "register_doi", by=SYSTEM, facts={"doi": doi})
        if fresh.state != row.state:  # it left while DataCite was told that it is there
            ask_for_doi(fresh)

    return Finish({"doi": doi, "state": row.state}, apply)


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=1))
def register_missing_dois(context: Context) -> Mapping[str, int]:
    """Ask for the DOIs of published versions that have none; those that failed wait for people."""
    if not settings.DATACITE:
        return {"asked": 0}
    failed = Job.objects.filter(kind=register_doi.kind, state=Job.State.FAILED)  # type: ignore[attr-defined]
    rows = (
        Version.objects.published().filter(doi="").exclude(public_id__in=failed.values("subject"))
    )
    asked = 0
    for row in rows.order_by("pk")[:1000]:
        ask_for_doi(row)
        asked += 1
    return {"asked": asked}

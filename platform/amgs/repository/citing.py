"""What a version is cited by, and how far its DOI is."""

from __future__ import annotations

from typing import Any

from django.conf import settings

from amgs.core.models import Decision, Job
from amgs.repository.models import Animal, Version
from amgs.repository.rules import PUBLIC_STATES
from curation.citing import LEFT, Cited, doi_of
from curation.contributors import kept
from curation.metadata import BY_KEY

REGISTER = "repository.register_doi"
_KEYWORDS = (("dataset", "assay"), ("dataset", "procedure"), ("animal", "strain"))
COMMON = ("mouse", "grimace scale", "pain", "action units")


def page_of(version: Version) -> str:
    """Return the address of a version's page, which stays whatever becomes of the data."""
    return f"{settings.SITE_URL}/datasets/{version.identifier.replace('/', '.')}/"


def cited(version: Version) -> Cited:
    """Return what a citation says of a version (with its dataset and lab); three queries."""
    dataset = version.dataset
    left = None
    if version.state in LEFT:
        left = (
            Decision.objects.filter(subject=version.public_id, to_state=version.state)
            .order_by("-number")
            .first()
        )
    before = (
        Version.objects.filter(dataset=dataset, number__lt=version.number, state__in=PUBLIC_STATES)
        .select_related("dataset")
        .order_by("-number")
        .first()
    )
    return Cited(
        identifier=version.identifier,
        number=version.number,
        title=version.title,
        lab=dataset.lab.name,
        institution=dataset.lab.institution,
        url=page_of(version),
        description=version.description,
        published=version.published_at.date() if version.published_at else None,
        licence=version.licence,
        doi=version.doi,
        funder=version.funder,
        keywords=_keywords(version),
        contributors=kept(version.contributors),
        phantom=dataset.phantom,
        previous=(before.doi or page_of(before)) if before else "",
        state=version.state,
        left=left.at.date() if left else None,
        why_left=left.why if left else "",
    )


def _keywords(version: Version) -> tuple[str, ...]:
    found = [*COMMON, *(["phantom"] if version.dataset.phantom else [])]
    for key in ("assay", "procedure"):
        if value := version.metadata.get(key):
            found.append(dict(BY_KEY[key].terms).get(value, str(value)))
    found += sorted(strain for strain in _strains(version) if strain != "unknown")[:20]
    return tuple(dict.fromkeys(found))


def _strains(version: Version) -> set[str]:
    """Return the strains of a version's animals, as it keeps them once it is published."""
    if version.design:
        said = [row["metadata"].get("strain") for row in version.design["animals"]]
    else:
        rows = Animal.objects.filter(dataset=version.dataset_id, dropped=False).order_by()
        said = list(rows.values_list("metadata__strain", flat=True).distinct())
    return {str(strain) for strain in said if strain}


def wanted_doi(version: Version) -> str:
    """Return the DOI a version has or would get; nothing where no DOIs are registered here."""
    if version.doi or not settings.DATACITE:
        return version.doi
    return doi_of(settings.DATACITE["prefix"], version.identifier)


def doi_state(version: Version) -> dict[str, Any]:
    """Return ``{doi, state, sentence, job}``; ``state`` is registered, waiting, failed or none.

    ``job`` is the public id of the work that waits or failed.
    """
    found = {"doi": version.doi, "state": "none", "sentence": "", "job": None}
    if version.state not in PUBLIC_STATES:
        return found
    job = Job.objects.filter(subject=version.public_id, kind=REGISTER).order_by("-pk").first()
    if job is not None and job.state == Job.State.FAILED:
        return found | {"state": "failed", "sentence": job.error, "job": job.public_id}
    if job is not None and not job.is_over:
        why = f" Last time: {job.error}" if job.error else ""
        sentence = f"The DOI is being registered.{why}"
        return found | {"state": "waiting", "sentence": sentence, "job": job.public_id}
    return found | ({"state": "registered"} if version.doi else {})

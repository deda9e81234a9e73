"""Begin the next version of a dataset; delete an unpublished one, and bring it back."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from amgs.core import decisions, jobs, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.repository import consequences, frozen, search, steps
from amgs.repository.models import Dataset, Exclusion, LabelImport, Recording, Version
from curation.dataset_version import PUBLISHED, RETRACTED
from curation.leaving import DELETE, UNDO_FOR, may_be_deleted, undo_refusal

CLEAR = "repository.clear_deleted"
EXCLUSION = ("recording_id", "frame_id", "reason", "why", "by_id", "by_name", "at")
COPIED = ("title", "description", "licence", "ethics", "funder", "metadata", "contributors")


def unfinished(dataset: Dataset) -> Version | None:
    """Return the version of a dataset that is on its way to publication, if there is one."""
    return dataset.versions.filter(deleted_at=None, published_at=None).order_by("-number").first()


@transaction.atomic
def new_draft(*, by: Actor, version: Version) -> Version:
    """Begin the next version from the newest published (or retracted) one; return the draft.

    It holds the same recordings and score sheets: the rows and their files are shared, nothing
    is copied. Permissions are signed anew, because they are given for what a version holds.
    """
    policy.require(by, "new_draft", version)
    # Of two that begin at once the second sees the first.
    dataset = Dataset.objects.select_for_update().get(pk=version.dataset_id)
    if (open_one := unfinished(dataset)) is not None:
        raise Refused(
            f"{open_one.identifier} is {open_one.lifecycle.title(open_one.state)}; a dataset has "
            "one unpublished version at a time. Go on with that one."
        )
    if version.state not in {PUBLISHED, RETRACTED}:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)}; a new version "
            "begins from a published one."
        )
    newest = (
        dataset.versions.filter(deleted_at=None, published_at__isnull=False)
        .exclude(state="withdrawn")
        .order_by("-number")
        .first()
    )
    if newest is not None and newest.pk != version.pk:
        raise Refused(f"A new version begins from the newest one, {newest.identifier}.")
    last = dataset.versions.aggregate(last=Max("number"))["last"] or 0
    draft = Version.objects.create(
        dataset=dataset,
        number=last + 1,
        **{name: getattr(version, name) for name in COPIED},
    )
    draft.recordings.set(Recording.objects.filter(versions=version))
    draft.sheets.set(LabelImport.objects.filter(versions=version, status=LabelImport.Status.DONE))
    # What was wrong with a recording is wrong with it still; the next review may take it in.
    Exclusion.objects.bulk_create(
        [
            Exclusion(
                version=draft,
                **{name: getattr(row, name) for name in EXCLUSION},
            )
            for row in version.exclusions.order_by("pk")
        ],
        batch_size=500,
    )
    if version.design:
        frozen.restore(draft, version.design)
    search.refresh(draft)
    decisions.record(draft, "create", by=by, facts={"from": version.identifier})
    return draft


@transaction.atomic
def delete_draft(*, by: Actor, version: Version, why: str = "") -> None:
    """Delete an unpublished version; for 30 days its lab can bring it back as it was."""
    policy.require(by, "delete_draft", version)
    if sentence := may_be_deleted(version.state):
        raise Refused(sentence)
    told = consequences.told(DELETE, version)
    # Another draft may change the rows of the design meanwhile; this is what comes back.
    design = frozen.freeze(version)
    changed = Version.objects.filter(pk=version.pk, state=version.state, deleted_at=None).update(
        deleted_at=timezone.now(), design=design
    )
    if not changed:
        raise Conflict("Somebody decided or deleted before you; reload the page.")
    version.refresh_from_db()
    decision = decisions.record(version, DELETE, by=by, why=why, facts={"consequences": told})
    steps.follow(steps.Step(version, DELETE, by), decision)
    jobs.enqueue(
        CLEAR,
        by=by,
        subject=version,
        key=version.public_id,
        after=UNDO_FOR + timedelta(hours=1),
        version=version.public_id,
    )


@transaction.atomic
def restore_draft(*, by: Actor, version: Version) -> Version:
    """Bring a deleted draft back with everything it held."""
    policy.require(by, "delete_draft", version)
    if version.deleted_at is None:
        raise Refused(f"{version.identifier} is not deleted.")
    dataset = Dataset.objects.select_for_update().get(pk=version.dataset_id)
    open_one = unfinished(dataset)
    sentence = undo_refusal(
        version.deleted_at, timezone.now(), open_one.identifier if open_one else ""
    )
    if sentence:
        raise Refused(sentence)
    frozen.restore(version, version.design)
    if not Version.objects.filter(pk=version.pk, deleted_at__isnull=False).update(
        deleted_at=None, design={}
    ):
        raise Conflict("It was brought back or cleared away meanwhile; reload the page.")
    version.refresh_from_db()
    search.refresh(version)
    decision = decisions.record(version, "restore", by=by)
    steps.follow(steps.Step(version, "restore", by), decision)
    return version

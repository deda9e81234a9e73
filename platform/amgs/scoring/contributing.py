"""Give the recording of a score to a draft: its bytes are stored already, so nothing is sent again.

Frames whose grades somebody corrected by hand are rated blind before others once the version is
published. Of a correction only the frame is read here, never what was said of it: raters are asked
anew, do not know that there is a correction, and whoever has seen the model's grades is not asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from amgs.accounts.models import User
from amgs.core import jobs, policy
from amgs.core.errors import NotFound, Refused
from amgs.core.jobs import Context, Finish, job
from amgs.files.services import known_upload
from amgs.repository import derived, inputs, media_files
from amgs.repository import services as repository
from amgs.repository.consequences import living
from amgs.repository.models import Dataset, Frame, Observation, Recording, Version
from amgs.review import asked_first
from amgs.review.services import mark_seen
from amgs.scoring.corrections import waiting_for_blind_rating
from amgs.scoring.models import Contribution, Correction, ToolRun
from curation.dataset_version import DRAFT, REJECTED

CONTRIBUTE = "scoring.contribute_score"
MOST_FRAMES = 200
"""So many corrected frames of one recording are named at most, those that come first in it."""
MOST_DRAFTS = 100


@transaction.atomic
def contribute(
    *,
    by: User,
    run: ToolRun,
    version: Version,
    name: str = "",
    animal: str | None = None,
    observation: str | None = None,
) -> tuple[Contribution, bool]:
    """Add the recording of one's score to a draft; return it, and whether it was not there before.

    ``animal`` and ``observation`` are names of the draft's design; ``name`` is that of the file
    where none is given. Raises ``Refused``, ``NotAllowed`` and ``TooMuch``.
    """
    policy.require(by, CONTRIBUTE, run)
    run = ToolRun.objects.select_for_update(of=("self",)).select_related("blob").get(pk=run.pk)
    if run.deleted_at is not None or run.delete_asked_at is not None:
        raise Refused("This score is deleted, and its file with it; send the file again.")
    if run.blob is None:
        raise Refused("The file is still being checked; wait a moment and try again.")
    if run.parameters.get("region"):
        raise Refused(
            "Several animals are in view here, and a recording of a dataset shows one animal; "
            "contribute recordings of one animal each."
        )
    held = Contribution.objects.select_related("recording").filter(run=run).first()
    known = version_of(held) if held is not None else None
    if held is not None and known is None:
        held.delete()
        held = None
    if held is not None and known is not None and held.recording.dataset_id != version.dataset_id:
        raise Refused(
            f"This recording was contributed to {known.identifier} already; take it out there "
            "first, then it can go elsewhere."
        )
    # The lab may have sent the same file itself: that recording it is, under the name it has.
    same = (
        Recording.objects.filter(dataset=version.dataset_id, blob=run.blob).order_by("pk").first()
    )
    name = same.name if same is not None else (name.strip() or run.name)
    policy.require(by, "edit_draft", version)
    upload = known_upload(
        by=by, lab=version.dataset.lab, blob=run.blob, name=name, purpose="recording"
    )
    recording, _ = repository.add_recording(
        by=by,
        version=version,
        upload=upload,
        name=name,
        animal=animal,
        observation=observation,
    )
    made, is_new = Contribution.objects.get_or_create(
        run=run, defaults={"recording": recording, "user": by, "by_name": by.name}
    )
    # Whoever scored this file here has seen what the model says of it.
    for person in User.objects.filter(tool_runs__blob=run.blob).distinct():
        mark_seen(user=person, dataset=version.dataset)
    _ask_for_frames([recording.pk])
    return made, is_new


@transaction.atomic
def take_out(*, by: User, run: ToolRun) -> None:
    """Take the recording out of its draft again; raises ``Refused`` where it is no draft more."""
    policy.require(by, CONTRIBUTE, run)
    held, version = standing(run) or (None, None)
    if held is None or version is None:
        raise NotFound("The recording of this score is in no dataset, so there is nothing to undo.")
    repository.remove_recording(by=by, version=version, recording=held.recording)
    Contribution.objects.filter(pk=held.pk).delete()


def standing(run: ToolRun) -> tuple[Contribution, Version] | None:
    """Return the contribution of a score with the newest version that holds it, if one does."""
    held = Contribution.objects.select_related("recording").filter(run=run).first()
    version = version_of(held) if held is not None else None
    return (held, version) if held is not None and version is not None else None


def version_of(held: Contribution) -> Version | None:
    """Return the newest version that holds a contributed recording and did not leave."""
    return (
        living()
        .filter(recordings=held.recording_id, deleted_at=None)
        .exclude(state=REJECTED)
        .select_related("dataset__lab")
        .order_by("-number")
        .first()
    )


def contribution_json(run: ToolRun) -> dict[str, Any] | None:
    """Return where the recording of a score is: for its owner, ``None`` where it is nowhere."""
    found = standing(run)
    if found is None:
        return None
    held, version = found
    observation = held.recording.observation
    return {
        "version": version.identifier,
        "state": version.state,
        "recording": held.recording.public_id,
        "name": held.recording.name,
        "animal": observation.animal.name if observation else None,
        "observation": observation.name if observation else None,
        "by": held.by_name,
        "at": held.created_at,
        "may_take_out": version.state == DRAFT,
    }


def drafts_of(user: User) -> list[Version]:
    """Return the drafts that a person may add recordings to, newest first."""
    rows = Version.objects.filter(
        state=DRAFT, deleted_at=None, dataset__lab__in=user.lab_ids
    ).select_related("dataset__lab")
    found = list(rows.order_by("-pk")[:MOST_DRAFTS])
    return [row for row in found if policy.may(user, "edit_draft", row)]


def observations_of(version: Version) -> QuerySet[Observation]:
    """Return the observations of a draft's design, animal by animal."""
    return (
        Observation.objects.filter(animal__dataset=version.dataset_id, dropped=False)
        .select_related("animal")
        .order_by("animal__pk", "pk")
    )


def looked_at(*, user: Any, run: ToolRun) -> None:
    """Remember that a person saw a score whose file was contributed: they rate none of it blind."""
    if not getattr(user, "is_authenticated", False) or run.blob_id is None:
        return
    given = Recording.objects.filter(blob=run.blob_id, contributions__isnull=False)
    for dataset in Dataset.objects.filter(pk__in=given.values("dataset")):
        mark_seen(user=user, dataset=dataset)


# Corrected frames ------------------------------------------------------------------------------


@asked_first.source
def _corrected(versions: Collection[int]) -> Iterable[int]:
    """Frames of contributed recordings whose grades the contributor corrected; one query."""
    marked = Correction.objects.filter(
        run__blob=OuterRef("recording__blob"),
        run__user=OuterRef("recording__contributions__run__user"),
        pts=OuterRef("pts"),
        undone_at=None,
        blind_first=True,
    )
    rows = Frame.objects.filter(
        Exists(marked),
        recording__versions__in=versions,
        recording__contributions__isnull=False,
    )
    return rows.values_list("pk", flat=True)


def frames_wait_in(run: ToolRun) -> None:
    """See to it that frames corrected after the recording was given are in the draft as well."""
    held = Contribution.objects.filter(run__blob=run.blob_id, run__user=run.user_id)
    if run.blob_id is not None and run.user_id is not None:
        _ask_for_frames(set(held.values_list("recording", flat=True)))


@inputs.on_change
def _read(versions: list[Version]) -> None:
    drafts = [row.pk for row in versions if row.state == DRAFT]
    given = Contribution.objects.filter(recording__versions__in=drafts) if drafts else ()
    if drafts:
        _ask_for_frames(set(given.values_list("recording", flat=True)))


def _ask_for_frames(recordings: Collection[int]) -> None:
    """Ask for the frames of recordings (primary keys) that are read and lack some."""
    ready = Recording.objects.filter(pk__in=recordings, status=Recording.Status.READY)
    for row in ready.filter(versions__state=DRAFT).distinct():
        if _missing(row):
            jobs.enqueue(name_frames, subject=row, key=row.public_id, recording=row.public_id)


def _missing(recording: Recording) -> set[int]:
    """Return timestamps of corrected frames that the repository does not know yet."""
    wanted: set[int] = set()
    for held in Contribution.objects.filter(recording=recording).select_related("run"):
        wanted.update(waiting_for_blind_rating(held.run))
    known = Frame.objects.filter(recording=recording).values_list("pts", flat=True)
    return set(sorted(wanted)[:MOST_FRAMES]) - set(known)


@job("ingest", limit=timedelta(minutes=10))
def name_frames(context: Context, recording: str) -> Finish:
    """Name frames of a contributed recording, as a score sheet of the lab could have.

    Only while its version is a draft: what was handed in has the frames it has.
    """
    from models.media import Unreadable, open_media

    row = Recording.objects.select_related("blob").filter(public_id=recording).first()
    missing = _missing(row) if row is not None else set()
    if row is None or row.blob is None or not missing:
        return Finish({"named": 0})
    rows: list[Frame] = []
    try:
        with media_files.named_copy(row.blob, row.name) as path, open_media(path) as media:
            for frame in media:
                if frame.index % derived.PROGRESS_EVERY == 0:
                    context.progress(len(rows) / len(missing), f"looking for frames of {row.name}")
                if frame.pts in missing:
                    rows.append(derived.frame_row(row, frame, drawn=False))
                if len(rows) == len(missing):
                    break
    except Unreadable as refusal:
        return Finish({"unreadable": refusal.sentence})

    def apply() -> None:
        drafts = Version.objects.filter(recordings=row, state=DRAFT, deleted_at=None)
        if not rows or not list(drafts.select_for_update(of=("self",))):
            return
        Frame.objects.bulk_create(rows, ignore_conflicts=True)
        inputs.changed(drafts.select_related("dataset"))
        if _missing(row) - missing:
            # Corrected meanwhile; without a key, a new job in any case.
            jobs.enqueue(name_frames, subject=row, recording=row.public_id)

    return Finish({"named": len(rows)}, apply)

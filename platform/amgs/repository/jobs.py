"""Long work on what people gave: reading recordings, and the copies that are made of them."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from amgs.core import jobs
from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.services import on_blob
from amgs.repository import (
    derived,
    label_jobs,  # noqa: F401  (its kinds of jobs are registered by loading it)
    media_files,
    rejection,  # noqa: F401  (importing registers its jobs and what follows a rejection)
    removal,  # noqa: F401  (importing registers its jobs and what it does after a withdrawal)
)
from amgs.repository.comparing import compare_recording
from amgs.repository.derived import PROGRESS_EVERY
from amgs.repository.inputs import changed_recordings
from amgs.repository.models import Frame, Recording
from amgs.repository.services.recordings import ask_for_labels, settle_copies, start_ingest


@on_blob("recording")
def _recording_arrived(upload: Upload, blob: Blob) -> None:
    for recording in Recording.objects.filter(upload=upload, blob=None):
        start_ingest(recording, blob)


def _settle(recording: Recording, **values: Any) -> None:
    """Write what became of a recording and wake the sheets that waited for it."""
    Recording.objects.filter(pk=recording.pk).update(**values)
    ask_for_labels(recording.dataset_id)
    changed_recordings([recording.pk])


def _set_aside(row: Job, sentence: str) -> None:
    recording = Recording.objects.filter(public_id=row.args["recording"]).first()
    if recording is not None:
        _settle(
            recording,
            status=Recording.Status.UNREADABLE,
            problem=f"'{recording.name}' could not be read ({sentence}); ask for it to be read "
            "again, or send it anew."[:1000],
        )


@job("ingest", limit=timedelta(minutes=5), on_failure=_set_aside)
def ingest_recording(context: Context, recording: str) -> Finish:
    """Measure a recording, draw frames from it uniformly at random, store their stills.

    An unreadable file is set aside with a sentence; its siblings are jobs of their own.
    """
    from models.media import Unreadable, open_media
    from models.media.facts import measure
    from models.media.likeness import Likening, signature

    row = Recording.objects.select_related("blob").filter(public_id=recording).first()
    if row is None or row.blob is None:
        return Finish({"gone": True})
    try:
        with media_files.named_copy(row.blob, row.name) as path:
            likening = Likening()

            def measured(frame: Any) -> None:
                likening.see(frame)
                if frame.index % PROGRESS_EVERY == 0:
                    # How many frames there are is only known at the end.
                    context.progress(0.05, f"measuring, frame {frame.index}")

            with open_media(path) as media:
                facts = measure(media, measured, derived.finder())
            looks = likening.likeness()
            likeness = derived.store_likeness(context, looks)
            context.progress(0.4, "drawing frames")
            with open_media(path) as media:
                drawn = derived.draw(context, row, row.blob, facts, media)
    except Unreadable as refusal:
        sentence = refusal.sentence
        return Finish(
            {"set_aside": sentence},
            lambda: _settle(row, status=Recording.Status.UNREADABLE, problem=sentence[:1000]),
        )

    def apply() -> None:
        Frame.objects.bulk_create(drawn.frames, ignore_conflicts=True)
        _settle(
            row,
            status=Recording.Status.READY,
            problem="",
            media=asdict(facts),
            poster_key=drawn.poster,
            contact_sheet_key=drawn.contact_sheet,
            evidence=drawn.evidence,
            likeness_key=likeness,
            signature=asdict(signature(looks)),
            compared_at=None,
        )
        jobs.enqueue(derive_recording, subject=row, key=row.public_id, recording=row.public_id)
        jobs.enqueue(compare_recording, subject=row, key=row.public_id, recording=row.public_id)

    return Finish({"frames": facts.frame_count, "drawn": len(drawn.frames)}, apply)


def _no_copies(row: Job, sentence: str) -> None:
    recording = Recording.objects.filter(public_id=row.args["recording"]).first()
    if recording is not None:
        refusal = f"No copy of '{recording.name}' for others could be made ({sentence})."
        settle_copies(recording, {"refusal": refusal}, recording.proxy_key)


@job("ingest", limit=timedelta(minutes=10), on_failure=_no_copies)
def derive_recording(context: Context, recording: str) -> Finish:
    """Make the copy that others may have, and a film that browsers play where it is needed."""
    from models.media import Unreadable
    from models.records import MediaFacts, from_json

    row = Recording.objects.select_related("blob").filter(public_id=recording).first()
    if row is None or row.blob is None or row.status != Recording.Status.READY:
        return Finish({"gone": True})
    proxy_key = ""
    with (
        media_files.named_copy(row.blob, row.name) as path,
        tempfile.TemporaryDirectory(prefix="amgs-derived-") as name,
    ):
        try:
            public = derived.copy_for_others(context, path, Path(name))
            facts = from_json(MediaFacts, row.media)
            proxy_key = derived.proxy(context, path, Path(name), facts)
        except Unreadable as refusal:
            public = {"refusal": refusal.sentence}
    return Finish(
        {"public": "key" in public, "proxy": bool(proxy_key)},
        lambda: settle_copies(row, public, proxy_key),
    )

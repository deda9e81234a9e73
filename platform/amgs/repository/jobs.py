"""Long work on what people gave: reading recordings, reading and clearing score sheets."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.db import transaction

from amgs.core import jobs
from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.services import on_blob
from amgs.repository import (
    derived,
    media_files,
    removal,  # noqa: F401  (importing registers its jobs and what it does after a withdrawal)
    sheets,
)
from amgs.repository.derived import PROGRESS_EVERY
from amgs.repository.models import Dataset, Frame, LabelImport, Rating, Recording
from amgs.repository.services.labels import start_reading
from amgs.repository.services.recordings import (
    ask_for_labels,
    pending_recordings,
    settle_copies,
    start_ingest,
)

# Rows written in one transaction at most.
CHUNK = 1000


@on_blob("recording")
def _recording_arrived(upload: Upload, blob: Blob) -> None:
    for recording in Recording.objects.filter(upload=upload, blob=None):
        start_ingest(recording, blob)


@on_blob("labels")
def _labels_arrived(upload: Upload, blob: Blob) -> None:
    for row in LabelImport.objects.filter(upload=upload, blob=None):
        start_reading(row, blob)


def _settle(recording: Recording, **values: Any) -> None:
    """Write what became of a recording and wake the sheets that waited for it."""
    Recording.objects.filter(pk=recording.pk).update(**values)
    ask_for_labels(recording.dataset_id)


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
    from models.media.likeness import Likening

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
            likeness = derived.store_likeness(context, likening.likeness())
            context.progress(0.4, "drawing frames")
            with open_media(path) as media:
                frames, poster, sheet = derived.draw(context, row, row.blob, facts, media)
    except Unreadable as refusal:
        sentence = refusal.sentence
        return Finish(
            {"set_aside": sentence},
            lambda: _settle(row, status=Recording.Status.UNREADABLE, problem=sentence[:1000]),
        )

    def apply() -> None:
        Frame.objects.bulk_create(frames, ignore_conflicts=True)
        _settle(
            row,
            status=Recording.Status.READY,
            problem="",
            media=asdict(facts),
            poster_key=poster,
            contact_sheet_key=sheet,
            likeness_key=likeness,
        )
        jobs.enqueue(derive_recording, subject=row, key=row.public_id, recording=row.public_id)

    return Finish({"frames": facts.frame_count, "drawn": len(frames)}, apply)


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


def _refuse_sheet(row: Job, sentence: str) -> None:
    LabelImport.objects.filter(
        public_id=row.args["label_import"], status=LabelImport.Status.PENDING
    ).update(status=LabelImport.Status.REFUSED, refusal=sentence[:1000])


@job("ingest", limit=timedelta(minutes=10), on_failure=_refuse_sheet)
def read_labels(context: Context, label_import: str) -> Finish:
    """Read a score sheet into ratings, from the beginning however often it is run.

    Ratings are written in chunks and count only when the sheet is marked as read, in the
    transaction that finishes the job. Waits for recordings that are still being read.
    """
    from curation.labels import UnknownFormat, read

    row = (
        LabelImport.objects.select_related("blob", "dataset")
        .filter(public_id=label_import, status=LabelImport.Status.PENDING)
        .first()
    )
    if row is None or row.blob is None:
        return Finish({"gone": True})
    dataset_id = row.dataset_id
    if pending_recordings(dataset_id):
        # The last recording that settles asks again; the row lock there makes sure of it.
        return Finish({"waits": True}, lambda: ask_for_labels(dataset_id))
    twin = (
        LabelImport.objects.filter(
            versions__in=row.versions.all(), blob=row.blob, status=LabelImport.Status.DONE
        )
        .exclude(pk=row.pk)
        .first()
    )
    if twin is not None:
        return _refusal(row, f"'{row.name}' is the same sheet as '{twin.name}', already read.")
    context.progress(0.02, "reading the sheet")
    try:
        with media_files.named_copy(row.blob, row.name) as path:
            labels = read(path)
    except UnknownFormat as refusal:
        return _refusal(row, refusal.sentence)
    if labels.counts and not labels.rows:
        return _refusal(
            row, f"'{row.name}' holds no grades of frames by raters, and only those are taken here."
        )
    clear(context, row)
    matched = sheets.match(labels, dataset_id, row.name)
    frames = _frames(context, matched)
    ratings = sheets.ratings(row, labels, matched, frames)
    for start in range(0, len(ratings), CHUNK):
        context.progress(0.8 + 0.2 * start / len(ratings), "writing ratings")
        with transaction.atomic():
            context.save_progress()
            Rating.objects.bulk_create(ratings[start : start + CHUNK])

    def apply() -> None:
        Dataset.objects.select_for_update().get(pk=dataset_id)
        LabelImport.objects.filter(pk=row.pk, status=LabelImport.Status.PENDING).update(
            status=LabelImport.Status.DONE,
            refusal="",
            format=labels.format,
            rows=len({cell.row for cell in labels.rows}),
            raters=list(labels.raters),
            problems=sheets.problems_json([*labels.problems, *matched.problems]),
            frames_matched=matched.count,
            frames_unmatched=matched.unmatched,
        )

    return Finish({"ratings": len(ratings), "frames": matched.count}, apply)


def _refusal(row: LabelImport, sentence: str) -> Finish:
    def apply() -> None:
        LabelImport.objects.filter(pk=row.pk, status=LabelImport.Status.PENDING).update(
            status=LabelImport.Status.REFUSED, refusal=sentence[:1000]
        )

    return Finish({"refused": sentence}, apply)


def _frames(context: Context, matched: sheets.Matched) -> Mapping[tuple[int, int], int]:
    """Make a row for every frame the sheet names; return (recording, number) → frame pk."""
    from models.media import open_media

    known: dict[tuple[int, int], int] = {}
    wanted = matched.numbers()
    for done, (recording, numbers) in enumerate(wanted.items()):
        context.progress(0.05 + 0.75 * done / len(wanted), f"frames of {recording.name}")
        held = dict(Frame.objects.filter(recording=recording).values_list("number", "pk"))
        missing = numbers - held.keys()
        if missing:
            rows = []
            with (
                media_files.named_copy(recording.blob, recording.name) as path,
                open_media(path) as media,
            ):
                for frame in media:
                    if frame.index % PROGRESS_EVERY == 0:
                        context.check()
                    if frame.index in missing:
                        rows.append(derived.frame_row(recording, frame, drawn=False))
                    if frame.index >= max(missing):
                        break
            for start in range(0, len(rows), CHUNK):
                with transaction.atomic():
                    context.save_progress()
                    Frame.objects.bulk_create(rows[start : start + CHUNK], ignore_conflicts=True)
            held = dict(Frame.objects.filter(recording=recording).values_list("number", "pk"))
        known |= {(recording.pk, number): held[number] for number in numbers if number in held}
    return known


def clear(context: Context, row: LabelImport) -> int:
    """Delete the ratings of a sheet in chunks; return how many there were."""
    count = 0
    while True:
        with transaction.atomic():
            context.save_progress()
            chunk = list(row.ratings.order_by("pk").values_list("pk", flat=True)[:CHUNK])
            Rating.objects.filter(pk__in=chunk).delete()
        count += len(chunk)
        if len(chunk) < CHUNK:
            return count


@job("quick", limit=timedelta(minutes=5))
def clear_labels(context: Context, label_import: str) -> Mapping[str, int]:
    """Delete what an undone sheet left: its ratings, which count no more already."""
    row = LabelImport.objects.filter(
        public_id=label_import, status=LabelImport.Status.UNDONE
    ).first()
    return {"ratings": clear(context, row) if row is not None else 0}

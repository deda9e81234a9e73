"""Long work on label files: look at them, read them, clear what an undone one left."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db import transaction

from amgs.core import jobs
from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.services import on_blob
from amgs.files.storage import get_storage
from amgs.repository import derived, inputs, looking, media_files, reading, search
from amgs.repository.derived import PROGRESS_EVERY
from amgs.repository.models import (
    IMPORTED,
    Dataset,
    Frame,
    LabelImport,
    LandmarkSet,
    Rating,
    Recording,
)
from amgs.repository.places import Places, Told
from amgs.repository.services.labels import (
    ask_to_look,
    digest_of,
    start_reading,
    twin_of,
    twin_sentence,
)
from amgs.repository.services.recordings import ask_for_labels, pending_recordings

# Rows written in one transaction at most.
CHUNK = 1000
Status = LabelImport.Status


@on_blob("labels")
def _labels_arrived(upload: Upload, blob: Blob) -> None:
    for row in LabelImport.objects.filter(upload=upload, blob=None):
        start_reading(row, blob)


def _refuse_look(row: Job, sentence: str) -> None:
    LabelImport.objects.filter(public_id=row.args["label_import"], status=Status.OPEN).update(
        status=Status.REFUSED, refusal=sentence[:1000]
    )


def _refuse(row: Job, sentence: str) -> None:
    LabelImport.objects.filter(public_id=row.args["label_import"], status=Status.PENDING).update(
        status=Status.REFUSED, refusal=sentence[:1000]
    )


@job("quick", limit=timedelta(minutes=5), on_failure=_refuse_look)
def look_at_labels(context: Context, label_import: str, answers: str) -> Finish:
    """Recognise a label file and show its first rows as they would be read; keep none of it.

    ``answers`` is the digest of what the lab had said by then: a look with older answers is
    dropped, because another one is on its way.
    """
    from curation.labels import Mapping as Columns

    row = LabelImport.objects.select_related("blob").filter(public_id=label_import).first()
    if row is None or row.blob is None or row.status not in (Status.OPEN, Status.REFUSED):
        return Finish({"gone": True})
    places = Places(row.dataset_id, Told.from_json(row.places), row.name)
    with media_files.named_copy(row.blob, row.name) as path:
        seen = looking.look(context, path, row.name, Columns.from_json(row.mapping), places)
    old = [line["picture"] for line in row.look.get("lines", [])]

    def apply() -> None:
        fresh = LabelImport.objects.select_related("blob").get(pk=row.pk)
        if digest_of(fresh) != answers:
            return
        known = seen["known"]
        LabelImport.objects.filter(pk=row.pk, status__in=[Status.OPEN, Status.REFUSED]).update(
            look=seen | {"answers": answers},
            status=Status.OPEN if known else Status.REFUSED,
            refusal="" if known else seen["refusal"][:1000],
            format=seen.get("format", ""),
        )

    for key in old:
        # Stills of frames and posters are others' too; only those of a look are its own.
        if "/row-" in key:
            get_storage().delete(key)
    return Finish({"known": seen["known"], "lines": len(seen.get("lines", []))}, apply)


@job("ingest", limit=timedelta(minutes=10), on_failure=_refuse)
def read_labels(context: Context, label_import: str) -> Finish:
    """Read a label file into rows, from the beginning however often it is run.

    Rows are written in chunks and count only when the file is marked as read, in the transaction
    that finishes the job. Waits for recordings that are still being read.
    """
    from curation.labels import Mapping as Columns
    from curation.labels import UnknownFormat, preview

    row = (
        LabelImport.objects.select_related("blob", "dataset")
        .filter(public_id=label_import, status=Status.PENDING)
        .first()
    )
    if row is None or row.blob is None:
        return Finish({"gone": True})
    dataset_id = row.dataset_id
    if pending_recordings(dataset_id):
        # The last recording that settles asks again; the row lock there makes sure of it.
        return Finish({"waits": True}, lambda: ask_for_labels(dataset_id))
    context.progress(0.02, "reading the file")
    places = Places(dataset_id, Told.from_json(row.places), row.name)
    told = Columns.from_json(row.mapping)
    try:
        with media_files.named_copy(row.blob, row.name) as path:
            shown = preview(path, told, name=row.name, pictures=places.sizes)
    except UnknownFormat as refusal:
        return _refusal(row, refusal.sentence)
    if shown.labels is None:
        return _questions(row, shown.refusal)
    row.mapping = shown.guess.mapping.to_json()
    digest = digest_of(row)
    if twin := twin_of(row):
        return _refusal(row, twin_sentence(row, twin))
    labels = shown.labels
    clear(context, row, Status.PENDING)
    context.progress(0.05, "looking for the recordings it names")
    reading.place_all(labels, places)
    frames = _frames(context, reading.numbers_to_keep(labels, places))
    rows = reading.Rows(row, labels, places, frames)
    written = _write(context, rows.all(context), sum(labels.counts.values()))

    def apply() -> None:
        Dataset.objects.select_for_update().get(pk=dataset_id)
        if late := twin_of(row):
            # Another job read the same file meanwhile; this one's rows are never seen.
            _refusal(row, twin_sentence(row, late)).apply()  # type: ignore[misc]
            return
        kinds = (labels.rows, labels.program_rows, labels.observations, labels.boxes)
        changed = LabelImport.objects.filter(pk=row.pk, status=Status.PENDING).update(
            status=Status.DONE,
            refusal="",
            format=labels.format,
            mapping=row.mapping,
            digest=digest,
            counts=labels.counts,
            notes=reading.notes_of(labels),
            rows=len({cell.row for kind in kinds for cell in kind})
            + len(labels.classes)
            + sum(len(table.frames) for table in labels.landmarks),
            raters=list(
                dict.fromkeys([*labels.raters, *(one.rater for one in labels.observations)])
            ),
            problems=reading.problems_json([*labels.problems, *places.problems, *rows.problems]),
            frames_matched=places.frames_matched,
            frames_unmatched=places.frames_unmatched,
            observations_matched=len(set(places.observations.values())),
            observations_unmatched=places.observations_unmatched,
        )
        if not changed:
            # Undone while it was read: what was written meanwhile has to go too.
            jobs.enqueue(
                clear_labels, subject=row, key=f"late:{row.public_id}", label_import=row.public_id
            )
        search.refresh_dataset(row.dataset)
        inputs.changed(row.versions.filter(deleted_at=None).select_related("dataset"))

    return Finish({"frames": places.frames_matched, **written}, apply)


def _refusal(row: LabelImport, sentence: str) -> Finish:
    def apply() -> None:
        LabelImport.objects.filter(pk=row.pk, status=Status.PENDING).update(
            status=Status.REFUSED, refusal=sentence[:1000]
        )

    return Finish({"refused": sentence}, apply)


def _questions(row: LabelImport, sentence: str) -> Finish:
    """Hand a file back to its lab that cannot be read before something is answered."""

    def apply() -> None:
        changed = LabelImport.objects.filter(pk=row.pk, status=Status.PENDING).update(
            status=Status.OPEN, refusal=sentence[:1000]
        )
        if changed:
            ask_to_look(LabelImport.objects.get(pk=row.pk))

    return Finish({"asks": sentence}, apply)


def _write(context: Context, rows: Iterable[Any], about: int) -> dict[str, int]:
    """Write rows in chunks, each kind into its table; return how many of each there were."""
    written: dict[str, int] = defaultdict(int)
    for chunk in _chunks(rows):
        share = sum(written.values()) / max(1, about)
        context.progress(0.8 + 0.2 * min(1.0, share), f"{sum(written.values()):,} rows written")
        by_kind: dict[type[Any], list[Any]] = defaultdict(list)
        for one in chunk:
            by_kind[type(one)].append(one)
        with transaction.atomic():
            context.save_progress()
            for kind, some in by_kind.items():
                kind.objects.bulk_create(some)
                written[str(kind._meta.verbose_name_plural)] += len(some)
    return dict(written)


def _chunks(rows: Iterable[Any]) -> Iterator[list[Any]]:
    going = iter(rows)
    while chunk := list(islice(going, CHUNK)):
        yield chunk


def _frames(
    context: Context, wanted: Mapping[Recording, set[int]]
) -> Mapping[tuple[int, int], int]:
    """Make a row for every frame that needs one; return (recording, number) → frame pk."""
    from models.media import open_media

    known: dict[tuple[int, int], int] = {}
    for done, (recording, numbers) in enumerate(wanted.items()):
        context.progress(0.1 + 0.7 * done / len(wanted), f"frames of {recording.name}")
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
            for some in _chunks(rows):
                with transaction.atomic():
                    context.save_progress()
                    Frame.objects.bulk_create(some, ignore_conflicts=True)
            held = dict(Frame.objects.filter(recording=recording).values_list("number", "pk"))
        known |= {(recording.pk, number): held[number] for number in numbers if number in held}
    return known


def clear(context: Context, row: LabelImport, while_it_is: str) -> int:
    """Delete all rows of an import in chunks, as long as its status stays; return how many."""
    count = 0
    for model in (Rating, *IMPORTED):
        going = True
        while going:
            with transaction.atomic():
                context.save_progress()
                fresh = LabelImport.objects.select_for_update().filter(pk=row.pk).first()
                if fresh is None or fresh.status != while_it_is:
                    return count
                rows = model.objects.filter(label_import=row).order_by("pk")
                chunk = list(rows.values_list("pk", flat=True)[:CHUNK])
                keys: list[str] = []
                if model is LandmarkSet:
                    keys = list(
                        LandmarkSet.objects.filter(pk__in=chunk).values_list("key", flat=True)
                    )
                model.objects.filter(pk__in=chunk).delete()
            for key in keys:
                get_storage().delete(key)
            count += len(chunk)
            going = len(chunk) == CHUNK
    return count


@job("quick", limit=timedelta(minutes=5))
def clear_labels(context: Context, label_import: str) -> Mapping[str, int]:
    """Delete what an undone label file left: its rows of every kind, which count no more."""
    row = LabelImport.objects.filter(public_id=label_import, status=Status.UNDONE).first()
    return {"rows": clear(context, row, Status.UNDONE) if row is not None else 0}

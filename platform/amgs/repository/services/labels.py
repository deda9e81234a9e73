"""Score sheets: have them read, and undo a reading as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from amgs.core import decisions, jobs
from amgs.core.base import Actor
from amgs.core.errors import Refused
from amgs.files.models import Blob, Upload
from amgs.repository.models import LabelImport, Version
from amgs.repository.services.datasets import check_metadata, require_draft
from amgs.repository.services.recordings import arrived, ask_for_labels, check_upload
from curation.metadata import BY_KEY

# What each sheet declares; the same fields may be given once for the whole dataset.
DECLARED = ("scored_from", "raters_blind", "frames_chosen", "raters_experience")


@transaction.atomic
def import_labels(
    *,
    by: Actor,
    version: Version,
    upload: Upload,
    name: str,
    declared: Mapping[str, Any] | None = None,
) -> LabelImport:
    """Have a score sheet read into ratings once the recordings of the draft are read.

    ``declared`` holds the fields of ``DECLARED``; what it leaves out is taken from the dataset.
    The same upload under the same name gives the import there is.
    """
    require_draft(by, "import_labels", version)
    check_upload(by, version, upload)
    declared = dict(declared or {})
    unknown = sorted(set(declared) - set(DECLARED))
    if unknown:
        raise Refused(
            f"A sheet declares nothing called '{unknown[0]}'; it declares {', '.join(DECLARED)}.",
            field=f"declared.{unknown[0]}",
        )
    check_metadata("dataset", declared, "declared")
    name = name.strip()
    if not name:
        raise Refused("Please give the sheet a name, such as its file name.", field="name")
    held = (
        LabelImport.objects.filter(versions=version, name=name)
        .exclude(status__in=[LabelImport.Status.UNDONE, LabelImport.Status.REFUSED])
        .first()
    )
    if held is not None:
        if held.upload_id == upload.pk:
            return held
        raise Refused(
            f"There is already a sheet called '{name}'; undo it first, so that no grade counts "
            "twice.",
            field="name",
        )
    row = LabelImport.objects.create(
        dataset=version.dataset, upload=upload, name=name, declared=declared
    )
    decisions.record(version, "import_labels", by=by, facts={"name": name, "declared": declared})
    arrived(upload, lambda blob: start_reading(row, blob))
    return row


def start_reading(row: LabelImport, blob: Blob) -> None:
    """Give a sheet its blob and ask for it to be read."""
    LabelImport.objects.filter(pk=row.pk).update(blob=blob)
    ask_for_labels(row.dataset_id)


@transaction.atomic
def undo_import(*, by: Actor, version: Version, label_import: LabelImport) -> None:
    """Undo the reading of a sheet as a whole; its ratings count no more from this moment."""
    require_draft(by, "import_labels", version)
    if not label_import.versions.filter(pk=version.pk).exists():
        raise Refused(f"'{label_import.name}' is not a sheet of {version.identifier}.")
    if label_import.versions.exclude(pk=version.pk).exists():
        # A published version rests on these grades; the draft only leaves them out.
        label_import.versions.remove(version)
        decisions.record(version, "undo_labels", by=by, facts={"name": label_import.name})
        return
    changed = (
        LabelImport.objects.filter(pk=label_import.pk)
        .exclude(status=LabelImport.Status.UNDONE)
        .update(status=LabelImport.Status.UNDONE)
    )
    if not changed:
        return
    label_import.status = LabelImport.Status.UNDONE
    decisions.record(version, "undo_labels", by=by, facts={"name": label_import.name})
    jobs.enqueue(
        "repository.clear_labels",
        by=by,
        subject=label_import,
        key=f"clear:{label_import.public_id}",
        label_import=label_import.public_id,
    )


def declares(label_import: LabelImport, metadata: Mapping[str, Any], field: str) -> str:
    """Return what a sheet says of itself, or else what the dataset's ``metadata`` says."""
    if field not in BY_KEY:
        raise KeyError(field)
    return str(label_import.declared.get(field) or metadata.get(field) or "")

"""Start a score, and say which model may give grades here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.errors import Refused, TooMuch
from amgs.files.models import Blob, Upload
from amgs.registry import services as registry
from amgs.registry.models import ModelVersion
from amgs.scoring import quota
from amgs.scoring.keeping import digest_of
from amgs.scoring.models import Batch, ToolRun

if TYPE_CHECKING:
    from models.animal_regions import AnimalRegion

PURPOSE = "score"
NO_MODEL = (
    "There is no validated model yet, so no grades are given here; come back when one was promoted."
)
ONLY_PHANTOM = (
    "There is no validated model yet: the one that serves learned from rendered phantom mice, "
    "which says nothing about real ones, so no grades are given here."
)


def grading_model(species: str = "mouse") -> ModelVersion:
    """Return the version that may give grades on this installation; raises ``Refused``.

    The honesty rule: grades come from a validated model. Where ``ALLOW_PHANTOM`` is set, for
    demonstration, a model that learned from phantoms is let through and marked.
    """
    version = registry.serving(species)
    if version is None:
        raise Refused(NO_MODEL)
    if version.phantom and not settings.ALLOW_PHANTOM:
        raise Refused(ONLY_PHANTOM)
    return version


def _size_allowed(size: int, user: Any) -> None:
    most = settings.UPLOAD_MOST_BYTES if user else settings.UPLOAD_MOST_BYTES_PUBLIC
    if size > most:
        way = "cut the video into shorter pieces" if user else "sign in, or cut the video"
        raise TooMuch(
            f"This file has {size / 1e6:.0f} MB, but at most {most / 1e6:.0f} MB can be scored at "
            f"once; {way}.",
            field="upload",
        )


@transaction.atomic
def start_score(
    *,
    user: Any = None,
    upload: Upload | None = None,
    blob: Blob | None = None,
    name: str = "",
    parameters: dict[str, Any] | None = None,
    region: Mapping[str, Any] | None = None,
    address: str = "",
    key: str = "",
    batch: Batch | None = None,
) -> ToolRun:
    """Ask for the grades of one video or picture; the upload may still be on its way.

    ``user`` is ``None`` for people without an account. ``region`` has the ``name`` of an animal
    and the ``box`` of its part of the picture (left, top, right, bottom in pixels). ``address`` is
    the network address on whose account files without one are counted, ``key`` that of the browser
    that owns the score. Raises ``Refused`` where no model may give grades here or the region
    cannot be one, ``TooMuch`` where the file is too large or the day's files are used up.
    """
    grading_model()
    if region is not None:
        found = _region(region["name"], region["box"])
        parameters = {
            **(parameters or {}),
            "region": {"name": found.name, "box": list(found.box)},
        }
    if upload is not None:
        if upload.purpose != PURPOSE:
            raise Refused(
                "This upload was opened for another purpose; upload the file again to score it.",
                field="upload",
            )
        if upload.user_id is not None and upload.user_id != getattr(user, "pk", None):
            raise Refused("This upload belongs to somebody else.", field="upload")
        if upload.state in {Upload.State.REFUSED, Upload.State.DISCARDED}:
            raise Refused(
                upload.refusal or "This upload was discarded; upload the file again.",
                field="upload",
            )
        # The finishing transaction of the upload and this one must not miss each other.
        upload = Upload.objects.select_for_update().get(pk=upload.pk)
        blob = upload.blob
        _size_allowed(upload.size, user)
    elif blob is not None:
        _size_allowed(blob.size, user)
    else:
        raise Refused("Please name the upload that is to be scored.", field="upload")
    use = quota.take(address) if user is None and address else None
    run = ToolRun.objects.create(
        user=user,
        owner="" if user else digest_of(key),
        batch=batch,
        use=use,
        name=(name or (upload.name if upload else "")).strip()[:400],
        upload=upload,
        blob=blob,
        parameters=parameters or {},
    )
    if blob is not None:
        begin(run)
    return run


def _region(name: str, box: Sequence[int]) -> AnimalRegion:
    from models.animal_regions import region_of
    from models.events import Refused as NoRegion

    try:
        return region_of(name, box)
    except NoRegion as refusal:
        raise Refused(refusal.sentence, field="region") from refusal


def region_in(run: ToolRun, path: Path) -> AnimalRegion | None:
    """Return the region a run is about, cut to the picture of its file; raises ``Refused``."""
    from models.animal_regions import AnimalRegion, within_picture
    from models.events import Refused as NoRegion

    given = run.parameters.get("region")
    if given is None:
        return None
    region = _region(given["name"], given["box"])
    try:
        return AnimalRegion(region.name, within_picture(region, path))
    except NoRegion as refusal:
        sentence = refusal.sentence.replace(path.name, run.name or "this file")
        raise Refused(sentence) from refusal


def begin(run: ToolRun) -> None:
    """Enqueue the job of a run whose file is there, in the caller's transaction."""
    from amgs.scoring.jobs import score_video

    run.job = jobs.enqueue(score_video, by=run.user or SYSTEM, subject=run, run=run.public_id)
    run.save(update_fields=["blob", "job"])

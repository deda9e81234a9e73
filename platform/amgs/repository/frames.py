"""Pages of the frames of a version, of which there may be a million."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from amgs.core import policy
from amgs.core.errors import Refused
from amgs.files.storage import get_storage
from amgs.repository.frozen import places_of
from amgs.repository.models import Frame, Recording, Version
from amgs.repository.rules import is_of_own_lab, may_see_pictures

_FIELDS = (
    "public_id",
    "recording__public_id",
    "recording__observation__animal__{name}",
    "recording__observation__name",
    "number",
    "pts",
    "tb_num",
    "tb_den",
    "time_s",
    "drawn",
    "still_key",
)


def frames_query(version: Version, *, after: str = "", recording: str = "") -> QuerySet[Frame]:
    """Return the frames of a version behind ``after``, recording by recording.

    The cost of a page is the same however deep it is: both the frames and the recordings they
    belong to are taken up where the page before ended.
    """
    held = Recording.versions.through.objects.filter(version=version)
    rows = Frame.objects.all()
    if after:
        anchor = Frame.objects.filter(public_id=after).values_list("recording_id", "pk").first()
        if anchor is None:
            raise Refused("'after' is not the `next` of any page.", field="after")
        held = held.filter(recording_id__gte=anchor[0])
        rows = rows.filter(
            Q(recording_id__gt=anchor[0]) | Q(pk__gt=anchor[1]), recording_id__gte=anchor[0]
        )
    rows = rows.filter(recording_id__in=held.values("recording_id"))
    if version.published_at is not None:
        # What a later draft named of shared recordings is not in it.
        rows = rows.filter(created_at__lte=version.published_at)
    if recording:
        rows = rows.filter(recording__public_id=recording)
    return rows.order_by("recording_id", "pk")


def frames_after(
    user: Any, version: Version, *, after: str, limit: int, recording: str = ""
) -> tuple[list[dict[str, Any]], str | None]:
    """Return some frames as lists show them, and the ``after`` of the next page.

    None of a version that was withdrawn, and pictures only for those who may see them.
    """
    if not policy.may(user, "see_recordings", version):
        return [], None
    pictures = may_see_pictures(user, version)
    rows = frames_query(version, after=after, recording=recording)
    own = is_of_own_lab(user, version)
    name = "name" if own else "pseudonym"
    kept = places_of(version, own)
    # Tuples, not objects: a page of rows is all that is wanted of them.
    found = list(rows.values_list(*(field.format(name=name) for field in _FIELDS))[: limit + 1])
    storage, seconds = get_storage(), settings.STORAGE_ADDRESS_SECONDS
    shown = [
        {
            "id": public_id,
            "recording": of,
            "animal": place[0],
            "observation": place[1],
            "number": number,
            "pts": pts,
            "time_base": f"{num}/{den}",
            "time_s": time_s,
            "drawn": drawn,
            "still": storage.sign_get(key, seconds, media_type="image/jpeg")
            if key and pictures
            else None,
        }
        for (
            public_id,
            of,
            animal,
            observation,
            number,
            pts,
            num,
            den,
            time_s,
            drawn,
            key,
        ) in found[:limit]
        for place in [(animal, observation) if kept is None else kept.get(of, (None, None))]
    ]
    return shown, shown[-1]["id"] if len(found) > limit else None

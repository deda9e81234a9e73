"""Pages of the frames of a version, of which there may be a million."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
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
    "recording_id",
    "pk",
)


_PLACE = re.compile(r"([0-9]{1,18})\.([0-9]{1,18})")


def frames_query(version: Version, *, after: str = "", recording: str = "") -> QuerySet[Frame]:
    """Return the frames of a version behind ``after``, recording by recording.

    ``after`` names the recording and the frame that the page before ended with, so that a page
    costs the same however deep it is: both are taken up there.
    """
    held = Recording.versions.through.objects.filter(version=version)
    rows = Frame.objects.all()
    if after:
        place = _PLACE.fullmatch(after)
        if place is None:
            raise Refused("'after' is not the `next` of any page.", field="after")
        ended, last = int(place[1]), int(place[2])
        held = held.filter(recording_id__gte=ended)
        rows = rows.filter(Q(recording_id__gt=ended) | Q(pk__gt=last), recording_id__gte=ended)
    rows = rows.filter(recording_id__in=held.values("recording_id"))
    if version.published_at is not None:
        # What a later draft named of shared recordings is not in it.
        rows = rows.filter(created_at__lte=version.published_at)
    if recording:
        rows = rows.filter(recording__public_id=recording)
    return rows.order_by("recording_id", "pk")


def still_address(frame: str, key: str) -> str:
    """Return an address from which the picture of a frame may be had for some minutes."""
    seconds = settings.STORAGE_ADDRESS_SECONDS
    return get_storage().sign_get(key, seconds, media_type="image/jpeg")


def still_of(user: Any, version: Version, frame: str) -> str:
    """Return the address of the picture of one frame of a version; raises ``NotFound``."""
    found = None
    if policy.may(user, "see_recordings", version) and may_see_pictures(user, version):
        found = frames_query(version).filter(public_id=frame).exclude(still_key="").first()
    if found is None:
        raise NotFound("There is no such frame in this version, or no picture of it for you.")
    return still_address(found.public_id, found.still_key)


def frames_after(
    user: Any,
    version: Version,
    *,
    after: str,
    limit: int,
    recording: str = "",
    address: Callable[[str, str], str] = still_address,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return some frames as lists show them, and the ``after`` of the next page.

    None of a version that was withdrawn, and pictures only for those who may see them; ``address``
    makes theirs of the id of the frame and the key of the picture.
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
            "still": address(public_id, key) if key and pictures else None,
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
            _,
            _,
        ) in found[:limit]
        for place in [(animal, observation) if kept is None else kept.get(of, (None, None))]
    ]
    if len(found) <= limit:
        return shown, None
    *_, in_recording, last = found[limit - 1]
    return shown, f"{in_recording}.{last}"

"""Pages of the frames of a version, of which there may be a million."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, FilteredRelation, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.tuple_lookups import TupleGreaterThan

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.core.prepared import Prepared
from amgs.files.storage import get_storage
from amgs.repository.frozen import places_of
from amgs.repository.models import Exclusion, Frame, Recording, Version
from amgs.repository.rules import is_of_own_lab, may_see_pictures

_FIELDS = (
    "public_id",
    "{of}__public_id",
    "{of}__observation__animal__{name}",
    "{of}__observation__name",
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


def frames_query(
    version: Any, *, after: tuple[Any, Any] | None = None, recording: str = "", until: Any = None
) -> QuerySet[Frame]:
    """Return the frames of a version (primary key), recording by recording.

    ``after`` names the recording and the frame (primary keys) that the page before ended with: a
    page costs the same however deep it is, for both are taken up there. ``until`` leaves out what
    was named later and what a curator left out, ``recording`` (public id) all other recordings.
    """
    held = Recording.versions.through.objects.filter(version_id=version)
    rows = Frame.objects.all()
    if until is not None:
        left = Exclusion.objects.filter(version=version)
        held = held.filter(~Exists(left.filter(recording=OuterRef("recording_id"))))
        rows = rows.filter(~Exists(left.filter(frame=OuterRef("pk"))))
    if after:
        ended, last = after
        held = held.filter(recording_id__gte=ended)
        # A comparison of rows is a place in the index; with "or" the recording is read anew.
        rows = rows.filter(TupleGreaterThan((F("recording_id"), F("pk")), (ended, last)))
    rows = rows.filter(recording_id__in=held.values("recording_id"))
    if until is not None:
        rows = rows.filter(created_at__lte=until)
    if recording:
        rows = rows.filter(recording__public_id=recording)
    return rows.order_by("recording_id", "pk")


def page_query(shape: Mapping[str, Any], values: Mapping[str, Any]) -> QuerySet[Frame, Any]:
    """Return the rows of one page as `Prepared` asks for them.

    The shape has ``name`` (the column that names an animal), ``limit`` and ``published``; the
    values are ``version`` and, where there are any, ``ended``, ``last`` and ``recording``.
    """
    after = (values["ended"], values["last"]) if "last" in values else None
    # What a later draft named of shared recordings is not in a published version.
    until = Subquery(Version.objects.filter(pk=values["version"]).values("published_at"))
    rows = frames_query(
        values["version"],
        after=after,
        recording=values.get("recording", ""),
        until=until if shape["published"] else None,
    )
    of = "recording"
    if after:
        # PostgreSQL does not see that the bound of the frames holds for the recordings as well,
        # and would read all recordings up to it.
        bound = Q(recording__pk__gte=values["ended"])
        rows = rows.alias(of=FilteredRelation("recording", condition=bound))
        rows, of = rows.filter(of__pk__gte=values["ended"]), "of"
    fields = (field.format(of=of, name=shape["name"]) for field in _FIELDS)
    return rows.values_list(*fields)[: shape["limit"]]


_ask = Prepared(page_query)


def still_address(frame: str, key: str) -> str:
    """Return an address from which the picture of a frame may be had for some minutes."""
    seconds = settings.STORAGE_ADDRESS_SECONDS
    return get_storage().sign_get(key, seconds, media_type="image/jpeg")


def still_of(user: Any, version: Version, frame: str) -> str:
    """Return the address of the picture of one frame of a version; raises ``NotFound``."""
    found = None
    if policy.may(user, "see_recordings", version) and may_see_pictures(user, version):
        rows = frames_query(version.pk, until=version.published_at)
        found = rows.filter(public_id=frame).exclude(still_key="").first()
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
    values: dict[str, str | int] = {"version": version.pk}
    if after:
        place = _PLACE.fullmatch(after)
        if place is None:
            raise Refused("'after' is not the `next` of any page.", field="after")
        values |= {"ended": int(place[1]), "last": int(place[2])}
    if recording:
        values["recording"] = recording
    own = is_of_own_lab(user, version)
    name = "name" if own else "pseudonym"
    kept = places_of(version, own)
    published = version.published_at is not None
    found = _ask(values, name=name, limit=limit + 1, published=published)
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

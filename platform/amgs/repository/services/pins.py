"""Remarks that are pinned to a recording or a frame, and the lab's replies to remarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import NotFound, Refused
from amgs.core.models import Decision
from amgs.repository import steps
from amgs.repository.models import Frame, Recording, Version

REMARK, REPLY = "remark", "reply"
MOST_REMARKS = 200
LONGEST = 5000


@dataclass(frozen=True)
class Place:
    """A recording of a version, or one frame of it, as somebody pointed at it."""

    recording: Recording
    frame: Frame | None
    given: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """Return what is kept of the place: ids, for names of files stay with the lab."""
        told: dict[str, Any] = {"recording": self.recording.public_id}
        if self.frame is not None:
            told |= {"frame": self.frame.public_id, "time_s": round(self.frame.time_s, 3)}
        return told


def places_of(version: Version, given: Sequence[Mapping[str, Any]], field: str) -> list[Place]:
    """Return the recordings and frames that entries name, in two queries; refuses unknown ones.

    Each entry has ``recording`` or ``frame`` with a public id; ``field`` is the list they are in.
    """
    frames = {str(row["frame"]) for row in given if row.get("frame")}
    recordings = {
        str(row["recording"]) for row in given if row.get("recording") and not row.get("frame")
    }
    known: dict[str, tuple[Recording, Frame | None]] = {}
    if recordings:
        for found in Recording.objects.filter(versions=version, public_id__in=recordings):
            known[found.public_id] = (found, None)
    if frames:
        of_frames = Frame.objects.filter(recording__versions=version, public_id__in=frames)
        for frame in of_frames.select_related("recording"):
            known[frame.public_id] = (frame.recording, frame)
    places, problems = [], []
    for number, row in enumerate(given):
        name = str(row.get("frame") or row.get("recording") or "")
        if name in known:
            places.append(Place(*known[name], row))
            continue
        sentence = (
            f"'{name[:40]}' is no recording or frame of {version.identifier}."
            if name
            else "It names neither a recording nor a frame."
        )
        problems.append({"sentence": sentence, "field": f"{field}.{number}"})
    if problems:
        raise Refused(
            f"{len(problems)} of the {len(given)} entries name nothing in {version.identifier}.",
            field=field,
            details=problems,
        )
    return places


@transaction.atomic
def pin_remarks(
    *, by: Actor, version: Version, remarks: Sequence[Mapping[str, Any]]
) -> list[Decision]:
    """Write remarks that each name a recording or a frame: ``{recording | frame, text}``."""
    policy.require(by, "remark", version)
    if len(remarks) > MOST_REMARKS:
        raise Refused(f"At most {MOST_REMARKS} remarks are written at once.", field="remarks")
    for number, row in enumerate(remarks):
        text = str(row.get("text") or "").strip()
        if not text or len(text) > LONGEST:
            raise Refused(
                f"Please write what is to be changed, in at most {LONGEST} letters.",
                field=f"remarks.{number}.text",
            )
    return [
        decisions.record(
            version, REMARK, by=by, why=str(place.given["text"]), facts={"pin": place.facts()}
        )
        for place in places_of(version, remarks, "remarks")
    ]


@transaction.atomic
def reply(*, by: Actor, version: Version, number: int, text: str) -> Decision:
    """Answer a remark; everybody who may see the version reads both."""
    policy.require(by, "remark", version)
    found = decisions.history(version).filter(number=number, action=REMARK).first()
    if found is None:
        raise NotFound("There is no such remark on this version.")
    if not text.strip() or len(text) > LONGEST:
        raise Refused(f"Please write a reply of at most {LONGEST} letters.", field="text")
    decision = decisions.record(version, REPLY, by=by, why=text, facts={"to": number})
    steps.follow(steps.Step(version, REPLY, by), decision)
    return decision

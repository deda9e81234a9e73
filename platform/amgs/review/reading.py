"""What the page of a review shows beside the checks.

Recordings by animal and time point, frames that raters flagged, disputed units, what changed since
the last version, and remarks pinned to pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db.models import Count, Q, QuerySet

from amgs.accounts.models import User
from amgs.core.decisions import history
from amgs.core.models import Decision
from amgs.files.storage import get_storage
from amgs.repository.models import (
    Animal,
    Exclusion,
    Frame,
    Group,
    Observation,
    Rating,
    Recording,
    Version,
)
from amgs.repository.rules import is_of_own_lab, may_see_pictures
from amgs.repository.services.pins import REMARK, REPLY
from amgs.review.models import Adjudication, Assignment, Screening
from amgs.review.services.adjudicating import (
    disputed_frames,
    disputed_units,
    disputes_of,
    has_rated,
)
from curation.adjudication import shuffled
from curation.difference import PARTS, counts, difference
from curation.exclusions import title
from models.scale import load_scale

Json = dict[str, Any]
ANIMALS = 40
"""Rows of one page of the grid."""
FLAGS = 100


def picture(key: str) -> str | None:
    """Return a signed address of a stored JPEG, ``None`` where there is none."""
    if not key:
        return None
    return get_storage().sign_get(key, settings.STORAGE_ADDRESS_SECONDS, media_type="image/jpeg")


# The grid: animals down, time points across ---------------------------------------------------


def grid(user: Any, version: Version, after: str = "") -> Json:
    """Return recordings by animal and time point, so many animals at a time; five queries.

    Time points are in the order of their hours after the procedure, where these are given.
    """
    own = is_of_own_lab(user, version)
    animals = Animal.objects.filter(observations__recordings__versions=version).distinct()
    if after:
        anchor = Animal.objects.filter(public_id=after).values_list("pk", flat=True).first()
        animals = animals.filter(pk__gt=anchor or 0)
    shown = list(animals.order_by("pk")[: ANIMALS + 1])
    more, shown = len(shown) > ANIMALS, shown[:ANIMALS]
    rows = Recording.objects.filter(versions=version, observation__animal__in=shown)
    cells: dict[tuple[int, str], list[Json]] = {}
    left = dict(
        Exclusion.objects.filter(version=version, recording__isnull=False).values_list(
            "recording_id", "reason"
        )
    )
    for row in rows.select_related("observation").order_by("pk"):
        cells.setdefault((row.observation.animal_id, row.observation.name), []).append(
            _cell(row, left)
        )
    loose = [
        _cell(row, left)
        for row in Recording.objects.filter(versions=version, observation=None).order_by("pk")
    ]
    times = _times(version)
    return {
        "times": times,
        "rows": [
            {
                "animal": animal.name if own else animal.pseudonym,
                "coat": animal.metadata.get("coat", ""),
                "cells": [cells.get((animal.pk, time), []) for time in times],
            }
            for animal in shown
        ],
        "loose": loose if not after else [],
        "next": shown[-1].public_id if more else "",
        "left_out": len(left),
    }


def _cell(row: Recording, left: Mapping[int, str]) -> Json:
    return {
        "id": row.public_id,
        "name": row.name,
        "status": row.status,
        "poster": picture(row.poster_key),
        "left_out": title(left[row.pk]) if row.pk in left else "",
    }


def _times(version: Version) -> list[str]:
    """Return the names of the time points of a version's recordings, earliest first."""
    found: dict[str, float] = {}
    for name, metadata in (
        Observation.objects.filter(recordings__versions=version)
        .order_by("pk")
        .values_list("name", "metadata")
        .distinct()
    ):
        try:
            hours = float(metadata.get("hours_after_procedure"))
        except (TypeError, ValueError):
            hours = float("inf")
        found[name] = min(found.get(name, float("inf")), hours)
    return sorted(found, key=lambda name: found[name])


def recording_page(user: Any, version: Version, row: Recording) -> Json:
    """Return one recording large: its contact sheet, its frames with what is said of each."""
    own = is_of_own_lab(user, version)
    observation = row.observation
    animal = observation.animal if observation else None
    frames = list(Frame.objects.filter(recording=row).order_by("pts")[:200])
    left = {
        each.frame_id or 0: each
        for each in Exclusion.objects.filter(
            Q(recording=row) | Q(frame__recording=row), version=version
        )
    }
    return {
        "id": row.public_id,
        "name": row.name,
        "animal": (animal.name if own else animal.pseudonym) if animal else None,
        "observation": observation.name if observation else None,
        "media": row.media,
        "status": row.status,
        "problem": row.problem,
        "sheet": picture(row.contact_sheet_key),
        "left_out": title(left[0].reason) if 0 in left else "",
        "frames": [
            {
                "id": frame.public_id,
                "number": frame.number,
                "time_s": frame.time_s,
                "still": picture(frame.still_key),
                "left_out": title(left[frame.pk].reason) if frame.pk in left else "",
            }
            for frame in frames
        ],
    }


# What raters pointed at, and what they disagree on --------------------------------------------


def flagged(version: Version) -> list[Json]:
    """Return the frames that raters of the audit want somebody to look at, without their names."""
    rows = (
        Assignment.objects.filter(task__audit__version=version)
        .exclude(flag="")
        .select_related("task__frame__recording")
        .order_by("pk")
    )
    return [
        {
            "frame": row.task.frame.public_id,
            "recording": row.task.frame.recording.public_id,
            "name": row.task.frame.recording.name,
            "time_s": row.task.frame.time_s,
            "still": picture(row.task.frame.still_key),
            "flag": row.flag,
        }
        for row in rows[:FLAGS]
        if row.task is not None
    ]


def disputed_count(version: Version) -> Json:
    """Return how many units are disputed, how many of them are open, and on how many frames."""
    units = set(disputed_units(version))
    decided = Adjudication.objects.filter(frame__recording__versions=version)
    left = units - set(decided.values_list("frame_id", "unit"))
    return {"units": len(units), "open": len(left), "frames": len({frame for frame, _ in units})}


def disputed_page(user: User, version: Version, after: str = "", limit: int = 10) -> Json:
    """Return disputed frames with grades and reasons under letters; six queries."""
    rows: QuerySet[Frame] = disputed_frames(version)
    if after:
        anchor = Frame.objects.filter(public_id=after).values_list("pk", flat=True).first()
        rows = rows.filter(pk__gt=anchor or 0)
    found = list(rows.order_by("pk")[: limit + 1])
    more, found = len(found) > limit, found[:limit]
    told = disputes_of(found, version)
    own = has_rated(user, found)
    decided = {
        (row.frame_id, row.unit): row for row in Adjudication.objects.filter(frame__in=found)
    }
    scale = load_scale()
    return {
        "next": found[-1].public_id if more else "",
        "frames": [
            {
                "id": frame.public_id,
                "still": picture(frame.still_key),
                "rated_by_you": frame.pk in own,
                "units": [
                    {
                        "unit": scale.unit(dispute.unit),
                        "sentence": dispute.sentence,
                        "votes": [
                            {
                                "letter": chr(ord("A") + place % 26),
                                "grade": vote.grade,
                                "reason": vote.reason,
                            }
                            for place, vote in enumerate(shuffled(dispute.votes, frame.public_id))
                        ],
                        "decided": decided.get((frame.pk, dispute.unit)),
                    }
                    for dispute in told.get(frame.pk, [])
                ],
            }
            for frame in found
        ],
    }


# What changed ---------------------------------------------------------------------------------


def changes(user: Any, version: Version) -> Json | None:
    """Return what is other than in the last version, or in the last submission of this one.

    Both sides are facts as they were measured; ``None`` where there is nothing to compare with.
    """
    screenings = list(Screening.objects.filter(version=version).order_by("-pk")[:2])
    if not screenings:
        return None
    earlier = (
        Version.objects.filter(
            dataset=version.dataset_id, number__lt=version.number, published_at__isnull=False
        )
        .order_by("-number")
        .first()
    )
    if len(screenings) > 1:
        before, since = screenings[1].facts, "the last submission"
    elif earlier is not None and earlier.facts:
        before, since = earlier.facts, earlier.identifier
    else:
        return None
    names: dict[str, str] = {}
    if not is_of_own_lab(user, version):
        for rows in (Animal.objects, Group.objects):
            of_dataset = rows.filter(dataset=version.dataset_id)
            names |= dict(of_dataset.values_list("public_id", "pseudonym"))
    found = difference(before, screenings[0].facts, names)
    return {
        "since": since,
        "counts": counts(found),
        "parts": [
            {"title": heading, "rows": rows}
            for part, heading in PARTS.items()
            if (rows := [row for row in found if row.part == part])
        ],
    }


# Remarks on pictures --------------------------------------------------------------------------


def pins(user: Any, version: Version) -> list[Json]:
    """Return the remarks pinned to recordings and frames with their replies; four queries.

    ``state`` is *answered* where the lab replied, *gone* where the recording is not in the version
    any more, else *open*. Pictures only for those who may see them.
    """
    rows = list(history(version).filter(action__in=[REMARK, REPLY]))
    pinned = [row for row in rows if row.action == REMARK and "pin" in row.facts]
    replies: dict[int, list[Decision]] = {}
    for row in rows:
        if row.action == REPLY:
            replies.setdefault(row.facts.get("to", 0), []).append(row)
    if not pinned:
        return []
    names = {row.facts["pin"]["recording"] for row in pinned}
    held = {
        row.public_id: row
        for row in Recording.objects.filter(versions=version, public_id__in=names).select_related(
            "observation__animal"
        )
    }
    keys = [row.facts["pin"].get("frame") for row in pinned]
    stills = dict(
        Frame.objects.filter(public_id__in=[key for key in keys if key]).values_list(
            "public_id", "still_key"
        )
    )
    shown = may_see_pictures(user, version)
    return [_pin(row, held, stills, replies.get(row.number, []), shown) for row in pinned]


def _pin(
    row: Decision,
    held: Mapping[str, Recording],
    stills: Mapping[str, str],
    replies: list[Decision],
    shown: bool,
) -> Json:
    pin = row.facts["pin"]
    recording = held.get(pin["recording"])
    key = stills.get(pin.get("frame", ""), "") or (recording.poster_key if recording else "")
    state = "answered" if replies else "open" if recording else "gone"
    return {
        "number": row.number,
        "at": row.at,
        "by": row.actor_name,
        "text": row.why,
        "recording": pin["recording"],
        "name": recording.name if recording else "",
        "frame": pin.get("frame"),
        "time_s": pin.get("time_s"),
        "still": picture(key) if shown and recording else None,
        "state": state,
        "replies": [{"by": each.actor_name, "at": each.at, "text": each.why} for each in replies],
    }


def open_pins(versions: list[Version]) -> dict[str, int]:
    """Return how many remarks on pictures of some versions have no reply, by public id."""
    names = [row.public_id for row in versions]
    found: dict[str, set[int]] = {}
    answered: set[int] = set()
    for row in Decision.objects.filter(subject__in=names, action__in=[REMARK, REPLY]):
        if row.action == REPLY:
            answered.add(row.facts.get("to", 0))
        elif "pin" in row.facts:
            found.setdefault(row.subject, set()).add(row.number)
    return {name: len(numbers - answered) for name, numbers in found.items()}


def grades_of(version: Version) -> list[Json]:
    """Return per unit how often the sheets give each grade, and how often none is possible."""
    counted = {
        (unit, grade): n
        for unit, grade, n in Rating.objects.of_version(version)
        .filter(source=Rating.Source.SHEET)
        .order_by()
        .values_list("unit", "grade")
        .annotate(n=Count("pk"))
    }
    rows = []
    for unit in load_scale().units:
        numbers = {
            f"g{grade}": counted.get((unit.key, grade), 0) for grade in range(len(unit.grades))
        }
        numbers["gn"] = counted.get((unit.key, None), 0)
        if total := sum(numbers.values()):
            rows.append({"title": unit.title, "counts": numbers, "total": total})
    return rows

"""Frames that are rated for training: which to ask about next, and which unit needs another rater.

A fifth of the queue is a uniform random share with its fixed number of raters. The others are
chosen, and stop where the model of the raters says that a unit is exact enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import F, Q

from amgs.repository.exclusions import frames_left_out
from amgs.repository.models import Frame, Permission, Rating, Version
from amgs.review import asked_first, opinions
from amgs.review.calls import is_called, open_calls
from amgs.review.models import Task
from amgs.review.services.audits import close
from amgs.review.services.blindness import counts_as_blind
from amgs.review.votes import Votes, vote_of
from curation.asking import UNITS
from models.records import Vote
from models.scale import Scale, load_scale

if TYPE_CHECKING:
    from curation.sampling import Candidate

WAITING = 400
"""The queue is filled up to so many frames that wait for a rater."""
CANDIDATES = 20_000
"""So many frames are looked at, those that came last first."""
LEAST = 2
"""Raters of a chosen frame before it is decided whether to ask another."""
FIRST, OTHERS = 1.0, 2.0
"""Where priorities begin: of frames that are asked about before others, and of these.

Audits have those below both: somebody waits for them.
"""
FIRST_WAITING = 100
"""About so many frames that are asked first wait at once, also where the queue is full."""
NEW_UNTIL = 50
"""A lab or a coat is half as new once so many of its frames have grades."""


def open_versions() -> dict[int, Version]:
    """Return the published versions whose labs let raters see frames and training use them.

    By dataset (primary key), the newest of each.
    """
    rows = Version.objects.published().filter(deleted_at=None)
    for kind in (Permission.Kind.OUTSIDE_RATERS, Permission.Kind.TRAIN):
        rows = rows.filter(permissions__kind=kind)
    ordered = rows.order_by("number").select_related("dataset__lab")
    return {row.dataset_id: row for row in ordered}


def fill(seed: str) -> int:
    """Put frames into the queue until `WAITING` wait; return how many were put there.

    Frames that are to be asked first (``asked_first``) are put there also where it is full.
    """
    from curation.sampling import places_for, training_queue

    outside = Task.objects.filter(audit=None, kind=UNITS)
    versions = open_versions()
    close(outside.filter(closed=False).exclude(dataset__in=versions))
    still = outside.filter(closed=False, taken__lt=F("wanted"))
    first = asked_first.frames(row.pk for row in versions.values())
    still.filter(frame__in=first, priority__gte=OTHERS).update(
        priority=F("priority") - OTHERS + FIRST
    )
    room = WAITING - still.count()
    if not versions or (room <= 0 and not first):
        return 0
    frames = could_be_asked(versions, first)
    places = max(0, FIRST_WAITING - still.filter(priority__lt=OTHERS).count())
    ahead = {frame.pk for frame in [one for one in frames if one.pk in first][:places]}
    n = max(room, places_for(len(ahead)))
    picks = training_queue(_candidates(frames, versions, ahead), n, seed) if n > 0 else []
    by_id = {frame.public_id: frame for frame in frames}
    last = max((at for at, pick in enumerate(picks) if by_id[pick.id].pk in ahead), default=-1)
    tasks = []
    for place, pick in enumerate(picks):
        frame = by_id[pick.id]
        dataset = frame.recording.dataset
        # Those of the random share among them come along, so that its share holds there, too.
        begin = FIRST if frame.pk in ahead or (pick.uniform and place < last) else OTHERS
        tasks.append(
            Task(
                frame=frame,
                lab_id=dataset.lab_id,
                dataset=dataset,
                kind=UNITS,
                purpose=Task.Purpose.RANDOM if pick.uniform else Task.Purpose.CHOSEN,
                why=pick.sentence[:200],
                priority=begin + place / len(picks),
                wanted=pick.raters or LEAST,
            )
        )
    Task.objects.bulk_create(tasks, ignore_conflicts=True)
    return len(tasks)


def could_be_asked(versions: Mapping[int, Version], first: Collection[int] = ()) -> list[Frame]:
    """Return the frames of these versions that no rater was asked about, the newest first.

    Those of ``first`` (primary keys) come before them, however old they are.
    """
    asked = Task.objects.filter(audit=None, kind=UNITS)
    rows = (
        Frame.objects.filter(recording__versions__in=versions.values())
        .exclude(Q(pk__in=asked.values("frame")) | Q(still_key=""))
        .exclude(pk__in=frames_left_out(versions.values()))
        .select_related("recording__observation__animal__group", "recording__dataset__lab")
        .order_by("-pk")
        .distinct()
    )
    ahead = list(rows.filter(pk__in=first)[:CANDIDATES]) if first else []
    known = {frame.pk for frame in ahead}
    return ahead + [frame for frame in rows[:CANDIDATES] if frame.pk not in known]


def groups_of(frames: Sequence[Frame]) -> dict[int, str]:
    """Return the lab × coat of frames, as models name it, by frame (primary key)."""
    from models.sets import group_of

    return {
        frame.pk: group_of(frame.recording.dataset.lab.name, _place(frame)[2]) for frame in frames
    }


def ask_again() -> dict[str, int]:
    """Ask one more rater for the units of chosen frames that are not exact enough yet.

    Looked at are frames whose raters are all done; the model of the raters is fitted to all votes
    on frames of the queue. Returns how many frames go on and how many are settled.
    """
    import numpy as np

    from curation.quorum import allocate
    from curation.rater_model import table_of

    scale = load_scale()
    queue = list(
        Task.objects.filter(audit=None, kind=UNITS, closed=False)
        .select_related("frame__recording")
        .order_by("pk")
    )
    votes = votes_on([task.frame_id for task in queue], open_versions())
    rated = [task for task in queue if votes.get(task.frame_id)]
    if not rated:
        return {"more": 0, "settled": 0}
    table = table_of({str(task.pk): votes[task.frame_id] for task in rated}, scale)
    uniform = np.array([task.purpose == Task.Purpose.RANDOM for task in rated])
    wants = allocate(table, uniform=uniform)
    more = settled = 0
    for task, row in zip(rated, wants, strict=True):
        if task.purpose != Task.Purpose.CHOSEN or task.finished < task.wanted:
            continue
        units = [unit.key for unit, asked in zip(scale.units, row, strict=True) if asked]
        if units:
            # Conditional, so that a rater who is faster is not undone.
            more += Task.objects.filter(pk=task.pk, finished=task.finished).update(
                units=units, wanted=F("finished") + 1
            )
        else:
            settled += 1
    return {"more": more, "settled": settled}


def votes_in_queue() -> Votes:
    """Return the votes on frames of the queue that somebody has rated, by frame (primary key)."""
    rated = Task.objects.filter(audit=None, kind=UNITS, finished__gt=0)
    return votes_on(list(rated.values_list("frame", flat=True)), open_versions())


def _candidates(
    frames: Sequence[Frame], versions: Mapping[int, Version], ahead: Collection[int]
) -> list[Candidate]:
    """Return what is known of frames that could be rated; ``ahead`` are asked about first."""
    from curation.sampling import Candidate

    scale = load_scale()
    votes = votes_on([frame.pk for frame in frames], versions)
    places = [_place(frame) for frame in frames]
    labs: dict[int, int] = defaultdict(int)
    coats: dict[str, int] = defaultdict(int)
    for frame, (_, _, coat) in zip(frames, places, strict=True):
        if votes.get(frame.pk):
            labs[frame.recording.dataset.lab_id] += 1
            coats[coat] += 1
    calls = list(open_calls())
    said = opinions.facts_of(frame.pk for frame in frames)
    return [
        Candidate(
            id=frame.public_id,
            animal=animal,
            observation=observation,
            time_s=frame.time_s,
            new_lab=1 / (1 + labs[frame.recording.dataset.lab_id] / NEW_UNTIL),
            new_coat=1 / (1 + coats[coat] / NEW_UNTIL),
            called=is_called(calls, frame.recording.dataset.lab_id, coat),
            first=frame.pk in ahead,
            **_facts(votes.get(frame.pk, []), said.get(frame.pk, {}), scale),
        )
        for frame, (animal, observation, coat) in zip(frames, places, strict=True)
    ]


def _facts(votes: Sequence[Vote], said: Mapping[str, float], scale: Scale) -> dict[str, float]:
    """Return what the votes on one frame say: missing share, disagreement, chance of a rare grade.

    Disagreement is the largest standard error of the mean of a unit's grades. ``said`` is what the
    models say of it; where raters have graded, a rare grade is for them to see.
    """
    grades: dict[str, list[int]] = defaultdict(list)
    given: dict[str, int] = defaultdict(int)
    for vote in votes:
        given[vote.unit] += 1
        if vote.grade is not None:
            grades[vote.unit].append(vote.grade)
    wanted = sum(unit.raters_needed for unit in scale.units)
    held = sum(min(given[unit.key], unit.raters_needed) for unit in scale.units)
    rare = max(
        (
            sum(grade == unit.top_grade for grade in grades[unit.key]) / len(grades[unit.key])
            for unit in scale.units
            if grades[unit.key]
        ),
        default=said.get("rare", 0.0),
    )
    return {
        **said,
        "gap": 1 - held / wanted,
        "disagreement": max((_error(some) for some in grades.values()), default=0.0),
        "rare": rare,
    }


def _error(grades: Sequence[int]) -> float:
    n = len(grades)
    if n < 2:
        return 0.0
    mean = sum(grades) / n
    variance = sum((grade - mean) ** 2 for grade in grades) / (n - 1)
    return float((variance / n) ** 0.5)


def _place(frame: Frame) -> tuple[str, str, str]:
    """Return animal, observation and coat of a frame; a recording without them is its own."""
    observation = frame.recording.observation
    if observation is None:
        return frame.recording.public_id, frame.recording.public_id, ""
    animal = observation.animal
    inherited: dict[str, Any] = animal.group.metadata if animal.group else {}
    coat = str((inherited | animal.metadata).get("coat") or "")
    return animal.public_id, observation.public_id, coat


def votes_on(frames: Sequence[int], versions: Mapping[int, Version]) -> Votes:
    """Return the votes that count on some frames (primary keys), whenever they were given.

    ``versions`` by dataset (primary key): what they declare of their sheets.
    """
    found: Votes = defaultdict(list)
    rows = (
        Rating.objects.visible()
        .filter(frame__in=list(frames))
        .select_related("label_import", "frame__recording")
        .order_by("pk")
    )
    for row in rows:
        version = versions.get(row.frame.recording.dataset_id)
        if counts_as_blind(row, version.metadata if version else {}):
            found[row.frame_id].append(vote_of(row))
    return found

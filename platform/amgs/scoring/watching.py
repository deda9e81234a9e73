"""What the public scorer sees and says, week by week, against the training snapshot.

Every recording adds one to the counts of its week, in the transaction that finishes its score;
nothing else of it is kept for this. Drift opens a call for data and never a training run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.core.jobs import Context, Finish, job
from amgs.files.models import Blob
from amgs.files.services import local_copy
from amgs.registry import services as registry
from amgs.registry.models import ModelVersion
from amgs.review.calls import open_call
from amgs.scoring.engine import scorer_of
from amgs.scoring.models import WatchedWeek, WatchReference
from amgs.training.models import Snapshot

WEEKS = 12
"""Weeks that the page shows."""
REFERENCE_RECORDINGS = 60
"""Recordings of the snapshot that are looked at, dealt over labs and coats."""
REFERENCE_FRAMES = 600
"""Frames of each that are looked at."""
# Not learned from, so that they are as strange to the network as a new recording; the benchmark
# and independent labs are left to what they are for.
REFERENCE_SPLITS = ("validation", "calibration", "test")


def monday(day: date) -> date:
    """Return the Monday of a day's week."""
    return day - timedelta(days=day.weekday())


def count_recording(version: ModelVersion, glance: Any, result: Mapping[str, Any]) -> None:
    """Add one recording to the counts of this week; call it where its score is finished."""
    from models.glance import added
    from models.scale import load_scale

    reference = WatchReference.objects.filter(model_version=version).first()
    counts = glance.counts(result, load_scale(), reference.centres if reference else None)
    with transaction.atomic():
        week, _ = WatchedWeek.objects.get_or_create(
            week=monday(timezone.localdate()), model_version=version
        )
        week = WatchedWeek.objects.select_for_update().get(pk=week.pk)
        week.recordings += 1
        week.counts = added(week.counts, counts)
        week.save(update_fields=["recordings", "counts"])


def reference_of(version: ModelVersion | None) -> WatchReference | None:
    """Return the counts of the snapshot's recordings, ``None`` where there are none yet."""
    return WatchReference.objects.filter(model_version=version).first() if version else None


def weeks_of(version: ModelVersion, last: int = WEEKS) -> list[WatchedWeek]:
    """Return the newest weeks of a version in order of time."""
    rows = WatchedWeek.objects.filter(model_version=version).order_by("-week")[:last]
    return sorted(rows, key=lambda row: row.week)


def watch_json(version: ModelVersion | None) -> dict[str, Any]:
    """Return what the page and the API show: per figure the reference and the weeks.

    Weeks of too few recordings are named without their counts.
    """
    from curation.watch import CHANCE, DRIFTED, JUDGED_FROM, SHOWN_FROM, judge_week
    from models.glance import features
    from models.scale import load_scale

    known = features(load_scale())
    reference = reference_of(version)
    rows = weeks_of(version) if version else []
    judged = {
        row.week: {one.feature: one for one in judge_week(known, reference.counts, row.counts)}
        for row in rows
        if reference and row.recordings >= SHOWN_FROM
    }
    return {
        "model": version.identifier if version else None,
        "phantom": version.phantom if version else None,
        "rules": {
            "shown_from": SHOWN_FROM,
            "judged_from": JUDGED_FROM,
            "drifted": DRIFTED,
            "chance": CHANCE,
        },
        "reference": {
            "recordings": reference.recordings,
            "made_at": reference.at,
            "coats_right": reference.coats_right,
        }
        if reference
        else None,
        "weeks": [
            {
                "week": row.week,
                "recordings": row.recordings if row.recordings >= SHOWN_FROM else None,
            }
            for row in rows
        ],
        "figures": [
            {
                "key": one.key,
                "title": one.title,
                "kind": one.kind,
                "edges": list(one.edges),
                "names": list(one.names),
                "missing": one.missing,
                "reference": reference.counts.get(one.key) if reference else None,
                "weeks": [
                    {
                        "week": row.week,
                        "counts": row.counts[one.key],
                        "drift": judged[row.week][one.key].to_json()
                        if one.key in judged.get(row.week, {})
                        else None,
                    }
                    for row in rows
                    if row.recordings >= SHOWN_FROM and one.key in row.counts
                ],
            }
            for one in known
        ],
    }


@job(queue="quick", limit=timedelta(minutes=2), every=timedelta(hours=1))
def watch(context: Context) -> Mapping[str, Any]:
    """Ask for the reference of the version that serves, and open calls for what has drifted."""
    version = registry.serving()
    if version is None:
        return {}
    reference = reference_of(version)
    if reference is None:
        if not version.snapshot or not Snapshot.objects.filter(public_id=version.snapshot).exists():
            return {"reference": "the snapshot of this version is not on this site"}
        jobs.enqueue(watch_reference, key=version.public_id, version=version.public_id)
        return {"reference": "asked for"}
    return {"calls": judge(version, reference, timezone.localdate())}


def judge(version: ModelVersion, reference: WatchReference, today: date) -> list[str]:
    """Open a call for data for every figure that drifted this week or the last; return its ids."""
    from curation.watch import call_sentence, judge_week
    from models.glance import COAT, NONE, features
    from models.scale import load_scale

    scale = load_scale()
    since = monday(today) - timedelta(days=7)
    opened = []
    for row in WatchedWeek.objects.filter(model_version=version, week__gte=since).order_by("week"):
        for drift in judge_week(features(scale), reference.counts, row.counts):
            if not drift.drifted:
                continue
            coat = drift.more if drift.feature == COAT and drift.more != NONE else ""
            title = next((one.title for one in scale.coats if one.key == coat), "")
            call = open_call(
                by=SYSTEM,
                reason=call_sentence(drift, f"{row.week:%-d %B %Y}", title.lower()),
                feature=drift.feature,
                coat=coat,
                facts={"model": version.identifier, "week": str(row.week), **drift.to_json()},
            )
            if call is not None:
                opened.append(call.public_id)
    return opened


@job(queue="train", limit=timedelta(minutes=10), attempts=3)
def watch_reference(context: Context, version: str) -> Finish:
    """Look at recordings of the training snapshot as the public scorer would, and count them."""
    from models.glance import centres_of, share_right

    row = ModelVersion.objects.get(public_id=version)
    snapshot = Snapshot.objects.select_related("manifest").filter(public_id=row.snapshot).first()
    if snapshot is None:
        raise Refused(f"The snapshot of {row.identifier} is not on this site.")
    chosen = _chosen(snapshot)
    blobs = Blob.objects.filter(sha256__in=chosen, deleted_at=None).in_bulk(field_name="sha256")
    seen = []
    for number, (sha256, coat) in enumerate(chosen.items(), start=1):
        context.progress(0.95 * number / max(len(chosen), 1), f"recording {number}")
        if sha256 in blobs and (told := _look(row, blobs[sha256])) is not None:
            seen.append((coat, *told))
    embeddings: dict[str, list[Any]] = {}
    for coat, glance, _ in seen:
        if coat and glance.embedding is not None:
            embeddings.setdefault(coat, []).append(glance.embedding)
    centres = centres_of(embeddings)
    counts = _summed(((glance, result) for _, glance, result in seen), centres)

    def apply() -> None:
        WatchReference.objects.update_or_create(
            model_version=row,
            defaults={
                "recordings": len(seen),
                "counts": counts,
                "centres": centres,
                "coats_right": share_right(embeddings),
            },
        )

    return Finish(result={"recordings": len(seen)}, apply=apply)


def _chosen(snapshot: Snapshot) -> dict[str, str]:
    """Return digest → coat of the recordings to look at: lab × coat in turn, always the same."""
    from models.manifest import read_manifest

    frames = read_manifest(local_copy(snapshot.manifest)).frames
    part = frames[frames["split"].isin(REFERENCE_SPLITS)].drop_duplicates("blob")
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for sha256, lab, coat in zip(part["blob"], part["lab"], part["coat"], strict=True):
        groups.setdefault((lab, coat), []).append((_ticket(sha256), sha256))
    turns = [
        (turn, ticket, sha256, coat)
        for (_, coat), rows in sorted(groups.items())
        for turn, (ticket, sha256) in enumerate(sorted(rows))
    ]
    return {sha256: coat for _, _, sha256, coat in sorted(turns)[:REFERENCE_RECORDINGS]}


def _ticket(sha256: str) -> str:
    return hashlib.sha256(f"watch:{sha256}".encode()).hexdigest()


def _look(version: ModelVersion, blob: Blob) -> tuple[Any, dict[str, Any]] | None:
    """Score the beginning of a recording; ``None`` where it cannot be read."""
    from models.glance import Glance
    from models.media import Unreadable
    from models.result import summarise

    scorer = scorer_of(version)
    glance, found = Glance(), []
    try:
        stream = scorer.score(
            local_copy(blob), should_stop=lambda: len(found) >= REFERENCE_FRAMES, glance=glance
        )
        for prediction in stream:
            found.append(prediction)  # the stream asks after each how many there are
    except Unreadable:
        return None
    return glance, summarise(found, scorer.bundle.scale).to_json()


def _summed(
    seen: Iterable[tuple[Any, Mapping[str, Any]]], centres: Mapping[str, Any]
) -> dict[str, list[float]]:
    from models.glance import added
    from models.scale import load_scale

    total: dict[str, list[float]] = {}
    for glance, result in seen:
        total = added(total, glance.counts(result, load_scale(), centres))
    return total

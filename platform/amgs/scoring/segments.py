"""Long recordings in parts: planned, scored by whichever workers are free, joined again.

A part is answered as in a reading of the whole, because what lies around it is read, too
(``models.looker.reading_span``), and parts begin where the temporal graph's chunks do. So the join
gives the predictions of a single pass, to the bit. The score's own job lies down while its parts
are scored; the last of them wakes it.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now

from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.core.jobs import ACTIVE, Context, Finish, Wait, job
from amgs.core.models import Job
from amgs.files.services import local_copy
from amgs.files.storage import get_storage
from amgs.registry.models import ModelVersion
from amgs.scoring import services
from amgs.scoring.engine import scorer_of
from amgs.scoring.models import Segment, ToolRun
from amgs.scoring.partial import Telling

if TYPE_CHECKING:
    from models.gallery import Shot
    from models.records import Prediction

SHORTEST_S = 25.0
"""Shortest part: reading around it costs 13 seconds of film, whatever its length."""
LONGEST_S = 600.0
"""Longest part: so much is scored again where a worker dies, and held in no more memory."""
HELD = 20_000
"""Predictions that are held in memory: 3 kB each."""
PREDICTIONS, GLANCE, SHOTS = "part.parquet", "glance.json", "shots.zip"


@dataclass(frozen=True)
class Part:
    """Where a part begins and ends, in seconds; ``None`` at the ends of the recording."""

    start_s: float | None
    end_s: float | None
    length_s: float


@dataclass(frozen=True)
class Seen:
    """What a recording was seen to be: its predictions, what was noted of it on the way, and the
    pictures that were kept, by timestamp."""

    predictions: Sequence[Prediction]
    census: Any
    glance: Any
    shots: Mapping[int, Shot]


def plan(length_s: float, begins_s: float, workers: int) -> list[Part]:
    """Return the parts of a recording so that ``workers`` are done with it at about one time.

    All read equally much: a part between two others reads the surroundings on both sides, the
    first and the last on one. A short recording is one part.
    """
    from models.context import CHUNK, TICK_S
    from models.looker import edge_of, reading_span

    edge = edge_of(1000)
    around = [edge - reading_span((edge, edge + 1))[0], reading_span((edge - 1, edge))[1] - edge]
    most = max(1, int((length_s + sum(around)) // (SHORTEST_S + sum(around))))
    count = min(max(1, workers), most)
    if (rounds := math.ceil(length_s / (LONGEST_S * max(1, workers)))) > 1:
        count = max(1, workers) * rounds
    elif length_s > LONGEST_S * count:
        count = math.ceil(length_s / LONGEST_S)
    if count == 1:
        return [Part(None, None, length_s)]
    reads = (length_s + sum(around) * (count - 1)) / count
    first = begins_s + reads - around[1]
    places = [first + number * (reads - sum(around)) for number in range(count - 1)]
    chunks = sorted({round(place / (CHUNK * TICK_S)) for place in places})
    edges = [edge_of(chunk) for chunk in chunks]
    ends = [begins_s, *edges, begins_s + length_s]
    return [
        Part(
            None if number == 0 else ends[number],
            None if number == len(edges) else ends[number + 1],
            ends[number + 1] - ends[number],
        )
        for number in range(len(edges) + 1)
    ]


def free_workers() -> int:
    """Return how many workers a score may count on now, itself included.

    What the clock starts (the probe, a look at frames nobody rated) is over soon and is not
    counted.
    """
    asked_for = [name for name, kind in jobs.kinds().items() if kind.every is None]
    busy = Job.objects.filter(
        Q(state=Job.State.QUEUED, due_at__lte=Now()) | Q(state=Job.State.RUNNING),
        queue="score",
        kind__in=asked_for,
    ).count()
    return max(1, settings.SCORE_WORKERS - max(0, busy - 1))


def planned(row: ToolRun, path: Path) -> list[Part]:
    """Return the parts of the file of a run."""
    from models.media import open_media

    with open_media(path) as media:
        length = getattr(media, "stated_s", None) or 0.0
        begins = getattr(media, "starts_s", 0.0)
    return plan(length, begins, free_workers()) if length else [Part(None, None, 0.0)]


def single(context: Context, row: ToolRun, version: ModelVersion, length_s: float) -> Segment:
    """Return the row of a recording that is scored in one go, for this attempt."""
    segment, _ = Segment.objects.update_or_create(
        run=row,
        number=0,
        defaults={
            "model_version": version,
            "job": row.job,
            "attempt": context.attempt,
            "length_s": length_s,
            "progress": 0.0,
            "course": {},
        },
    )
    return segment


def lie_down(row: ToolRun, version: ModelVersion, parts: Sequence[Part]) -> Wait:
    """Return what lets the workers score the parts while the score's own job waits."""

    def apply() -> None:
        row.segments.all().delete()
        for number, part in enumerate(parts):
            segment = Segment.objects.create(
                run=row,
                number=number,
                start_s=part.start_s,
                end_s=part.end_s,
                length_s=part.length_s,
                model_version=version,
            )
            segment.job = jobs.enqueue(
                score_segment,
                by=row.user or SYSTEM,
                subject=row,
                key=segment.public_id,
                segment=segment.public_id,
            )
            segment.save(update_fields=["job"])

    return Wait(apply)


def lie_down_again(row: ToolRun) -> Wait:
    """Return what lets the score's own job wait on, unless all parts ended just now."""

    def apply() -> None:
        run = ToolRun.objects.select_for_update().get(pk=row.pk)
        if run.job is not None and not run.segments.filter(done=False).exists():
            jobs.wake(run.job)

    return Wait(apply)


def in_parts(row: ToolRun) -> list[Segment]:
    """Return the parts of a run that was split, in order; none where it was not."""
    rows = list(
        row.segments.select_related("job", "model_version")
        .defer(*ModelVersion.heavy())
        .order_by("number")
    )
    return rows if len(rows) > 1 else []


def _part_failed(ended: Job, sentence: str) -> None:
    if ended.cancel_asked:
        return
    segment = Segment.objects.select_related("run__job").filter(job=ended).first()
    if segment is not None and segment.run.job is not None:
        jobs.wake(segment.run.job)


@job(queue="score", limit=timedelta(minutes=5), on_failure=_part_failed)
def score_segment(context: Context, segment: str) -> Finish:
    """Grade the frames of one part of a recording."""
    from models.animals import Census
    from models.exports import written_through
    from models.gallery import Gallery
    from models.glance import Glance
    from models.growing import width_for
    from models.media import Unreadable

    row = (
        Segment.objects.select_related("run__blob", "run__job", "model_version")
        .defer(*ModelVersion.heavy())
        .filter(public_id=segment)
        .first()
    )
    if row is None or row.done or row.run.job is None or row.run.job.is_over:
        return Finish()
    if row.run.blob is None:
        raise Refused("The file of this score is not there any more; upload it again.")
    Segment.objects.filter(pk=row.pk, attempt__lt=context.attempt).update(
        attempt=context.attempt, progress=0.0, course={}
    )
    path = local_copy(row.run.blob)
    scorer = scorer_of(row.model_version)
    census, glance, gallery = Census(), Glance(), Gallery()
    region = services.region_in(row.run, path)
    span = (
        -math.inf if row.start_s is None else row.start_s,
        math.inf if row.end_s is None else row.end_s,
    )
    whole_s = sum(row.run.segments.values_list("length_s", flat=True))
    telling = Telling(context, row, scorer.bundle.scale, width_for(whole_s))
    # Only the first part sees what a single pass would have seen by then.
    first = row.number == 0
    outputs: dict[str, str] = {}
    unreadable = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stream = scorer.score(
            path,
            on_progress=lambda _: context.check(),
            should_stop=(lambda: census.settled) if first else None,
            region=region.box if region else None,
            span=span,
            census=census,
            glance=glance,
            gallery=gallery,
            blob=row.run.blob.sha256,
        )
        start_s = row.start_s or 0.0
        try:
            for _ in written_through(
                folder / PREDICTIONS, telling.through(stream, start_s), scale=scorer.bundle.scale
            ):
                pass
        except Unreadable as problem:
            unreadable = problem.sentence
        (folder / GLANCE).write_text(json.dumps(glance.to_json()), encoding="utf-8")
        gallery.write(folder / SHOTS)
        storage = get_storage()
        if not unreadable:
            for file in sorted(folder.iterdir()):
                outputs[file.name] = context.key(file.name)
                with file.open("rb") as data:
                    storage.put(outputs[file.name], data, file.stat().st_size)
    return Finish(
        {"frames": telling.course["frames"]},
        lambda: _part_done(row, context, telling, census, unreadable, outputs),
    )


def _part_done(
    row: Segment,
    context: Context,
    telling: Telling,
    census: Any,
    unreadable: str,
    outputs: dict[str, str],
) -> None:
    # Locked, so that of two parts that end at once the later one sees the other.
    run = ToolRun.objects.select_for_update().get(pk=row.run_id)
    known = Segment.objects.filter(pk=row.pk).update(
        attempt=context.attempt,
        done=True,
        progress=1.0,
        course=telling.course,
        census="".join(census.noted),
        unreadable=unreadable,
        outputs=outputs,
    )
    if not known:  # the score ended without it
        _drop(run, list(outputs.values()))
        return
    waiting = run.segments.filter(done=False).exists()
    if run.job is not None and (not waiting or unreadable or (row.number == 0 and census.settled)):
        jobs.wake(run.job)


def outcome(parts: Sequence[Segment]) -> str:
    """Return what is to be done with parts: wait, join, or a reason to end before all are there.

    ``several`` and ``unreadable`` are what a single pass would have ended with. Raises ``Refused``
    where a part could not be scored.
    """
    for part in parts:
        if part.job is not None and part.job.state == Job.State.FAILED:
            raise Refused(part.job.error or "A part of this video could not be scored.")
        if part.job is not None and part.job.state == Job.State.CANCELLED and not part.done:
            raise Refused("The score of a part of this video was stopped; score it again.")
        if part.unreadable:
            return "unreadable"
    if parts[0].done and counted(parts[:1]).settled:
        return "several"
    return "join" if all(part.done for part in parts) else "wait"


def counted(parts: Sequence[Segment]) -> Any:
    """Return the census of the parts in their order."""
    from models.animals import Census

    census = Census()
    for part in parts:
        for look in part.census:
            census.note(look)
    return census


def fetch(parts: Sequence[Segment], folder: Path, census: Any) -> Seen:
    """Bring what the parts left into a folder.

    Few predictions are held, many are read from their files each time they are gone through.
    """
    from models.exports import StoredPredictions
    from models.gallery import read_shots
    from models.glance import Glance

    storage, paths = get_storage(), []
    shots: dict[int, Shot] = {}
    for part in parts:
        paths.append(storage.download(part.outputs[PREDICTIONS], folder / f"{part.number}.parquet"))
        if SHOTS in part.outputs:
            shots |= read_shots(storage.download(part.outputs[SHOTS], folder / "shots.zip"))

    def glances() -> Iterator[dict[str, Any]]:
        for part in parts:
            with storage.open(part.outputs[GLANCE]) as stream:
                yield json.load(stream)

    return Seen(StoredPredictions(paths, held=HELD), census, Glance.of(glances()), shots)


def stop_parts(run: ToolRun) -> None:
    """Cancel what is still to be done of the parts of a run, in the caller's transaction."""
    for part in run.segments.select_related("job").exclude(job=None).exclude(job=run.job_id):
        if part.job is not None and part.job.state in ACTIVE:
            try:
                jobs.cancel(part.job)
            except Refused:
                continue  # it ended just now


def forget_parts(run: ToolRun) -> None:
    """Forget the parts of a run and ask for the removal of what they left, in one transaction."""
    _drop(run, [key for part in run.segments.all() for key in part.outputs.values()])
    run.segments.all().delete()


def _drop(run: ToolRun, keys: list[str]) -> None:
    if keys:
        jobs.enqueue(drop_parts_of_score, subject=run, keys=keys)


@job("quick", limit=timedelta(minutes=5))
def drop_parts_of_score(context: Context, keys: list[str]) -> dict[str, int]:
    """Remove what the parts of a score left in storage, once the score is over."""
    storage = get_storage()
    for number, key in enumerate(keys, start=1):
        storage.delete(key)
        context.progress(number / len(keys), f"{number} removed")
    return {"objects_deleted": len(keys)}

"""What is seen of a score before it is over: a course that grows, kept with each of its parts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from django.db.models.functions import Now
from django.utils import timezone

from amgs.core.jobs import ACTIVE, Context
from amgs.core.models import Job
from amgs.files.models import Upload
from amgs.scoring.models import Segment, ToolRun

EVERY_S = 0.4
"""Least time between two writings of one part."""
SOON_S = 0.05
"""… and before the first one: graded frames are shown as soon as there are some."""


class Telling:
    """Hands predictions on, and writes now and then what came so far into the row of its part.

    Every write holds only for the attempt that does the work.
    """

    def __init__(self, context: Context, segment: Segment, scale: Any, width_s: float) -> None:
        from models.growing import Growing

        self._context, self._segment = context, segment
        self._growing = Growing(scale, width_s)
        self._next = 0.0

    def through(self, predictions: Iterable[Any], start_s: float) -> Iterator[Any]:
        """Hand each prediction on; ``start_s`` is where the part begins."""
        length = self._segment.length_s
        for prediction in predictions:
            self._growing.see(prediction)
            now = time.monotonic()
            if not self._next:
                self._next = now + SOON_S
            elif now >= self._next:
                done = min((prediction.time_s - start_s) / length, 1.0) if length else 0.5
                self.write(done)
                self._next = time.monotonic() + EVERY_S
            yield prediction

    def write(self, done: float) -> None:
        """Write what came so far; ``done`` is the share of the part."""
        self._context.progress(0.05 + 0.87 * done, f"{self._growing.frames} frames graded")
        Segment.objects.filter(
            pk=self._segment.pk, attempt=self._context.attempt, done=False
        ).update(progress=done, course=self._growing.to_json())

    @property
    def course(self) -> dict[str, Any]:
        """The course so far, as it is kept."""
        return self._growing.to_json()


def partial_json(run: ToolRun) -> dict[str, Any] | None:
    """Return the course of a score that is not over yet; ``None`` before there is any frame."""
    from models.growing import course
    from models.scale import load_scale

    parts = [row.course for row in run.segments.all() if row.course]
    if not parts:
        return None
    phantom = run.segments.filter(model_version__phantom=True).exists()
    return course(parts, load_scale()) | {"phantom": phantom}


def job_json(run: ToolRun) -> dict[str, Any]:
    """Return how far the job of a run is; one that waits for its parts runs with them."""
    row = run.job
    if row is None:
        raise ValueError("this run has no job yet")
    told = {
        "id": row.public_id,
        "state": str(row.state),
        "progress": row.progress,
        "note": row.note,
        "error": row.error,
    }
    if row.state not in ACTIVE:
        return told
    parts = list(run.segments.all())
    if len(parts) > 1 and any(part.attempt for part in parts):
        frames = sum(part.course.get("frames", 0) for part in parts)
        told["state"] = Job.State.RUNNING.value
        told["progress"] = 0.05 + 0.87 * share_done(parts)
        told["note"] = f"{frames} frames graded"
        if all(part.done for part in parts):
            told["note"] = row.note if row.state == Job.State.RUNNING else "joining the parts"
    elif parts and row.state == Job.State.RUNNING and parts[0].progress:
        # The row of the part is written more often than the lease is renewed.
        told["progress"] = max(row.progress, 0.05 + 0.87 * share_done(parts))
    return told


def share_done(segments: Iterable[Segment]) -> float:
    """Return how much of a recording its parts have behind them, 0–1."""
    rows = list(segments)
    whole = sum(row.length_s for row in rows)
    if not whole:
        return max((row.progress for row in rows), default=0.0)
    return sum(row.length_s * (1.0 if row.done else row.progress) for row in rows) / whole


def standing(run: ToolRun) -> dict[str, Any]:
    """Return how far a score is, as its page shows it.

    ``state``, ``stage`` (a sentence), ``progress`` (0–1), ``ahead`` (scores that wait before it,
    ``None`` where it does not wait), ``seconds_left`` (from the rate so far, ``None`` where
    unknown), ``partial`` as in the API, ``over`` and ``error``.
    """
    told = (
        job_json(run)
        if run.job is not None
        else {"state": Job.State.QUEUED.value, "progress": 0.0, "note": "", "error": ""}
    )
    refused = run.job is None and run.upload is not None and run.upload.state in _REFUSED
    state = Job.State.FAILED.value if refused else told["state"]
    over = state not in ACTIVE
    ahead = None
    stage = "Checking that the file arrived whole"
    if run.job is not None and state == Job.State.QUEUED:
        ahead = _ahead(run.job)
        stage = "Next in the queue" if not ahead else f"Waiting; {_scores(ahead)} before this one"
    elif state == Job.State.RUNNING:
        stage = (told["note"] or "being scored").capitalize()
    return {
        "state": state,
        "stage": stage,
        "progress": told["progress"],
        "ahead": ahead,
        "seconds_left": _seconds_left(run, told["progress"]) if state == "running" else None,
        "partial": None if over else partial_json(run),
        "over": over,
        "error": (run.upload.refusal if refused and run.upload else told["error"]),
    }


_REFUSED = {Upload.State.REFUSED, Upload.State.DISCARDED}


def _scores(count: int) -> str:
    return "1 score" if count == 1 else f"{count} scores"


def _ahead(row: Job) -> int:
    """Return how many jobs of the queue are served before this one."""
    return Job.objects.filter(
        queue=row.queue, state=Job.State.QUEUED, due_at__lte=Now(), pk__lt=row.pk
    ).count()


def _seconds_left(run: ToolRun, progress: float) -> float | None:
    """Return the time left from the rate since the first part was begun."""
    begun = [part.created_at for part in run.segments.all() if part.attempt]
    if not begun or progress < 0.08:
        return None
    passed = (timezone.now() - min(begun)).total_seconds()
    return round(passed / (progress - 0.05) * (1 - progress), 1)

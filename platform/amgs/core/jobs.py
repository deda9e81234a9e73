"""Long work and every effect outside the database, as rows with a lease.

A ``Job`` row written in a service's own transaction is the truth; the Celery message is only a
hint that makes it start at once. ``sweep`` (called by beat) gives the hint again to what is due
or whose lease ran out, and is the only retry there is.

A worker that takes a job raises ``attempt`` and holds a lease, which a thread renews while the
process lives; each renewal carries the progress. Every write a job makes through its ``Context``
is conditional on the attempt number, so a worker that was stopped and wakes late changes
nothing: ``LeaseLost`` ends it. Outputs go to attempt-named keys and become visible in the
transaction that finishes the job (``Finish.apply``).
"""

from __future__ import annotations

import os
import socket
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import (
    DatabaseError,
    IntegrityError,
    close_old_connections,
    connection,
    models,
    transaction,
)
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now

from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import NotFound, Problem, Refused
from amgs.core.models import Beat, Job

log = structlog.get_logger(__name__)

QUEUES = ("quick", "ingest", "score", "train")


class LeaseLost(Exception):
    """Another worker holds this job now (or it was cancelled); stop without a trace."""


class Cancelled(Exception):
    """Somebody asked for this job to be cancelled."""


@dataclass(frozen=True)
class Finish:
    """What a job hands back: a JSON result and what becomes visible when it is done.

    ``apply`` runs inside the transaction that marks the job done; it is not called when the
    lease was lost meanwhile.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    apply: Callable[[], None] | None = None


Work = Callable[..., "Finish | Mapping[str, Any] | None"]


@dataclass(frozen=True)
class Kind:
    """A registered kind of job.

    ``limit`` is the stall limit: a job whose progress stands still longer is not renewed.
    ``on_failure`` is called in the transaction that marks a job failed for good.
    """

    name: str
    work: Work
    queue: str
    limit: timedelta
    attempts: int
    every: timedelta | None
    on_failure: Callable[[Job, str], None] | None = None


_KINDS: dict[str, Kind] = {}


def job(
    queue: str,
    limit: timedelta,
    attempts: int = 3,
    every: timedelta | None = None,
    on_failure: Callable[[Job, str], None] | None = None,
) -> Callable[[Work], Work]:
    """Register a function ``work(context, **args)`` of an app's ``jobs.py`` as a kind of job."""
    if queue not in QUEUES:
        raise RuntimeError(f"'{queue}' is no queue; use one of {', '.join(QUEUES)}")

    def register(work: Work) -> Work:
        app = work.__module__.split(".")[-2]
        name = f"{app}.{work.__name__}"
        _KINDS[name] = Kind(name, work, queue, limit, attempts, every, on_failure)
        work.kind = name  # type: ignore[attr-defined]
        return work

    return register


def kinds() -> dict[str, Kind]:
    """Return every registered kind by name."""
    return dict(_KINDS)


def _later(delay: timedelta) -> ExpressionWrapper:
    """Return 'now plus delay' on the database's clock."""
    return ExpressionWrapper(
        Now() + Value(delay, output_field=DurationField()), output_field=models.DateTimeField()
    )


def enqueue(
    work: Work | str,
    *,
    by: Actor = SYSTEM,
    subject: models.Model | None = None,
    key: str = "",
    after: timedelta = timedelta(0),
    **args: Any,
) -> Job:
    """Write a job row in the caller's transaction and hint at it after the commit.

    With a ``key``, a job of the same kind and key that still waits or runs is returned instead
    of a second one.
    """
    name = work if isinstance(work, str) else work.kind  # type: ignore[attr-defined]
    kind = _KINDS[name]
    if key:
        active = Job.objects.filter(
            kind=name, key=key, state__in=[Job.State.QUEUED, Job.State.RUNNING]
        ).first()
        if active:
            return active
    row = Job(
        kind=name,
        queue=kind.queue,
        args=args,
        subject=subject.public_id if subject is not None else "",
        actor_id=by.public_id,
        actor_name=by.name,
        key=key,
        attempts=kind.attempts,
        due_at=_later(after) if after else Now(),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        active = Job.objects.filter(
            kind=name, key=key, state__in=[Job.State.QUEUED, Job.State.RUNNING]
        ).first()
        if active is None:
            raise
        return active
    row.refresh_from_db()
    if not after:
        transaction.on_commit(lambda: _hint(row), robust=True)
    return row


def _hint(row: Job) -> None:
    """Tell the broker about a job; a broker that is down only delays it until the sweep."""
    from amgs.core.celery_tasks import run_job_task

    try:
        run_job_task.apply_async(args=[row.public_id], queue=row.queue, retry=False)
    except Exception as error:
        log.warning("the broker took no hint", job=row.public_id, error=str(error))
        return
    Job.objects.filter(pk=row.pk).update(hinted_at=Now())


class Context:
    """What a running job may do to itself; handed to the work as its first argument."""

    def __init__(self, row: Job, kind: Kind) -> None:
        self.job = row
        self.attempt = row.attempt
        self._kind = kind
        self._mine = Job.objects.filter(
            pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING, cancel_asked=False
        )
        self._lock = threading.Lock()
        self._progress: tuple[float, str] | None = None
        self._lost = threading.Event()

    def key(self, name: str) -> str:
        """Return the storage key of an output of this attempt."""
        return f"jobs/{self.job.public_id}/{self.attempt}/{name}"

    def progress(self, fraction: float, note: str = "") -> None:
        """Say how far the work is (0–1) and what it does; written with the next renewal.

        Raises ``LeaseLost`` or ``Cancelled`` where the work should stop.
        """
        with self._lock:
            self._progress = (min(max(fraction, 0.0), 1.0), note[:300])
        self.check()

    def check(self) -> None:
        """Raise ``LeaseLost`` or ``Cancelled`` where the work should stop."""
        if self._lost.is_set():
            raise LeaseLost

    def save_progress(self) -> None:
        """Write the progress now and prove that the lease is still held."""
        self._renew()
        self.check()

    def _renew(self) -> bool:
        """Renew the lease with the progress made; return whether it is still held."""
        with self._lock:
            told, self._progress = self._progress, None
        values: dict[str, Any] = {"lease_until": _later(settings.JOB_LEASE)}
        if told is not None:
            values |= {"progress": told[0], "note": told[1], "progressed_at": Now()}
        rows = self._mine
        if told is None:
            # Progress that stands still longer than the limit is no life: let the lease run out.
            rows = rows.filter(progressed_at__gt=_later(-self._kind.limit))
        if not rows.update(**values):
            self._lost.set()
            return False
        return True


class _Renewer(threading.Thread):
    """Renews a lease every third of its length while the process lives."""

    def __init__(self, context: Context) -> None:
        super().__init__(name=f"lease-{context.job.public_id}", daemon=True)
        self._context = context
        self._stop_asked = threading.Event()

    def run(self) -> None:
        pause = min(settings.JOB_LEASE.total_seconds() / 3, 5.0)
        try:
            while not self._stop_asked.wait(pause):
                try:
                    if not self._context._renew():
                        return
                except DatabaseError as error:
                    log.warning(
                        "lease not renewed", job=self._context.job.public_id, error=str(error)
                    )
                    connection.close()
        finally:
            connection.close()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop_asked.set()
        if self.is_alive():
            self.join()


def _take(public_id: str) -> Job | None:
    """Take a job that waits or whose lease ran out; ``None`` where another worker has it."""
    free = Q(state=Job.State.QUEUED, due_at__lte=Now()) | Q(
        state=Job.State.RUNNING, lease_until__lt=Now()
    )
    with transaction.atomic():
        row = Job.objects.filter(free, public_id=public_id).first()
        if row is None:
            return None
        taken = Job.objects.filter(free, pk=row.pk, attempt=row.attempt).update(
            state=Job.State.RUNNING,
            attempt=F("attempt") + 1,
            lease_until=_later(settings.JOB_LEASE),
            started_at=Now(),
            progressed_at=Now(),
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )
        if not taken:
            return None
        row.refresh_from_db()
        return row


def run(public_id: str) -> bool:
    """Run one job if it can be taken; return whether this call finished it.

    Called by the Celery task; tests may call it directly.
    """
    row = _take(public_id)
    if row is None:
        return False
    kind = _KINDS.get(row.kind)
    if kind is None:
        _fail(row, None, f"This version of the platform knows no job '{row.kind}'.", "")
        return False
    if row.cancel_asked:
        _cancelled(row)
        return False
    if row.attempt > row.attempts:
        _fail(row, kind, row.error or "The work was begun too often without an end.", row.trace)
        return False
    context = Context(row, kind)
    renewer = _Renewer(context)
    if not connection.in_atomic_block:  # else no other connection could see the row anyway
        renewer.start()
    try:
        outcome = kind.work(context, **row.args)
    except LeaseLost:
        renewer.stop()
        if Job.objects.filter(pk=row.pk, attempt=row.attempt, cancel_asked=True).exists():
            _cancelled(row)
        else:
            log.info("the lease was lost; nothing was changed", job=row.public_id)
        return False
    except Cancelled:
        renewer.stop()
        _cancelled(row)
        return False
    except Problem as problem:
        # A refusal is an answer: trying again would give the same one.
        renewer.stop()
        _fail(row, kind, problem.sentence, "")
        return False
    except Exception as error:
        renewer.stop()
        _again_or_fail(row, kind, error, traceback.format_exc())
        return False
    renewer.stop()
    return _finish(context, outcome)


def _finish(context: Context, outcome: Finish | Mapping[str, Any] | None) -> bool:
    finish = outcome if isinstance(outcome, Finish) else Finish(result=outcome or {})
    row = context.job
    try:
        with transaction.atomic():
            done = context._mine.update(
                state=Job.State.DONE,
                result=dict(finish.result),
                progress=1.0,
                error="",
                trace="",
                lease_until=None,
                finished_at=Now(),
            )
            if not done:
                raise LeaseLost
            if finish.apply is not None:
                finish.apply()
    except LeaseLost:
        log.info("the lease was lost; the outputs stay unseen", job=row.public_id)
        return False
    except Problem as problem:
        _fail(row, _KINDS[row.kind], problem.sentence, "")
        return False
    except Exception as error:
        _again_or_fail(row, _KINDS[row.kind], error, traceback.format_exc())
        return False
    return True


def _again_or_fail(row: Job, kind: Kind, error: Exception, trace: str) -> None:
    """Give a job that broke back to the sweep, or fail it after its last attempt."""
    sentence = f"{type(error).__name__}: {error}"[:1000]
    log.error("a job broke", job=row.public_id, kind=row.kind, attempt=row.attempt, error=sentence)
    if row.attempt >= row.attempts:
        _fail(row, kind, sentence, trace)
        return
    delay = settings.JOB_LEASE * min(2 ** (row.attempt - 1), 32)
    Job.objects.filter(pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING).update(
        state=Job.State.QUEUED,
        due_at=_later(delay),
        lease_until=None,
        hinted_at=None,
        error=sentence,
        trace=trace,
    )


def _fail(row: Job, kind: Kind | None, sentence: str, trace: str) -> None:
    with transaction.atomic():
        failed = Job.objects.filter(pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING).update(
            state=Job.State.FAILED,
            error=sentence[:1000],
            trace=trace,
            lease_until=None,
            finished_at=Now(),
        )
        if failed and kind is not None and kind.on_failure is not None:
            kind.on_failure(row, sentence)


def _cancelled(row: Job) -> None:
    Job.objects.filter(pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING).update(
        state=Job.State.CANCELLED, lease_until=None, finished_at=Now()
    )


def cancel(row: Job) -> None:
    """Cancel a waiting job at once, or ask a running one to stop."""
    if Job.objects.filter(pk=row.pk, state=Job.State.QUEUED).update(
        state=Job.State.CANCELLED, cancel_asked=True, finished_at=Now()
    ):
        return
    if not Job.objects.filter(pk=row.pk, state=Job.State.RUNNING).update(cancel_asked=True):
        raise Refused("This work is already over, so there is nothing to cancel.")


def retry(row: Job) -> None:
    """Let a failed job begin again, with its attempts counted anew from here."""
    if not Job.objects.filter(pk=row.pk, state=Job.State.FAILED).update(
        state=Job.State.QUEUED,
        attempts=F("attempt") + _KINDS[row.kind].attempts,
        due_at=Now(),
        hinted_at=None,
        finished_at=None,
        error="",
        trace="",
    ):
        raise Refused("Only work that failed can be begun again.")
    fresh = Job.objects.get(pk=row.pk)
    transaction.on_commit(lambda: _hint(fresh), robust=True)


def get(public_id: str) -> Job:
    """Return a job by its public id; raises ``NotFound``."""
    try:
        return Job.objects.get(public_id=public_id)
    except Job.DoesNotExist:
        raise NotFound("There is no such job.") from None


def sweep() -> int:
    """Hint again at what is due and unhinted for a lease, or whose lease ran out; count them.

    Also asks for the periodic kinds that are due, each once however many beats run.
    """
    close_old_connections()
    for kind in _KINDS.values():
        if kind.every is not None:
            _ask_periodic(kind)
    stale = Q(hinted_at__isnull=True) | Q(hinted_at__lt=_later(-settings.JOB_LEASE))
    due = Job.objects.filter(
        Q(state=Job.State.QUEUED, due_at__lte=Now()) & stale
        | Q(state=Job.State.RUNNING, lease_until__lt=Now())
    ).order_by("due_at")[:500]
    count = 0
    for row in due:
        _hint(row)
        count += 1
    return count


def _ask_periodic(kind: Kind) -> None:
    assert kind.every is not None  # noqa: S101  (narrowing for the type checker; the caller asked)
    with transaction.atomic():
        if Beat.objects.filter(kind=kind.name, last_at__gt=_later(-kind.every)).exists():
            return
        changed = Beat.objects.filter(kind=kind.name).update(last_at=Now())
        if not changed:
            try:
                with transaction.atomic():
                    Beat.objects.create(kind=kind.name, last_at=Now())
            except IntegrityError:
                return  # another beat was faster
        enqueue(kind.name, key=f"every:{kind.name}")

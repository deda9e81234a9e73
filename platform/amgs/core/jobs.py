"""Long work and every effect outside the database, as rows with a lease.

A ``Job`` row written in a service's own transaction is the truth; the Celery message is only a
hint that makes it start at once. ``core.sweep`` (called by beat) gives the hint again to what is
due or whose lease ran out, and is the only retry there is.

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
    IntegrityError,
    connection,
    models,
    transaction,
)
from django.db.models import DurationField, ExpressionWrapper, F, Q, Value
from django.db.models.functions import Now

from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import NotFound, Problem, Refused
from amgs.core.models import Job
from amgs.core.renewing import Renewer

log = structlog.get_logger(__name__)

QUEUES = ("quick", "ingest", "score", "train")
ACTIVE = (Job.State.QUEUED, Job.State.RUNNING)


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


@dataclass(frozen=True)
class Wait:
    """What a job hands back that waits for others: no worker is kept busy meanwhile.

    ``apply`` runs in the transaction that lays the job down, and enqueues what is waited for; the
    last of that calls ``wake``. Where nobody does, the job begins again ``at_most`` later, and
    looks for itself. A wait is no failed attempt.
    """

    apply: Callable[[], None] | None = None
    at_most: timedelta = timedelta(minutes=5)


Work = Callable[..., "Finish | Wait | Mapping[str, Any] | None"]


@dataclass(frozen=True)
class Kind:
    """A registered kind of job.

    ``limit`` is the stall limit: a job whose progress stands still longer is not renewed.
    ``on_failure(job, sentence)`` is called in the transaction that ends a job undone: failed for
    good (``job.trace`` is empty where it was refused, not broken) or cancelled
    (``job.cancel_asked``).
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


def later(delay: timedelta) -> ExpressionWrapper:
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
    active = Job.objects.filter(kind=name, key=key, state__in=ACTIVE)
    if key and (found := active.first()):
        return found
    row = Job(
        kind=name,
        queue=kind.queue,
        args=args,
        subject=subject.public_id if subject is not None else "",
        actor_id=by.public_id,
        actor_name=by.name,
        key=key,
        attempts=kind.attempts,
        due_at=later(after) if after else Now(),
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        if key and (found := active.first()):
            return found
        raise
    row.refresh_from_db()
    if not after:
        transaction.on_commit(lambda: hint(row), robust=True)
    return row


def hint(row: Job) -> bool:
    """Tell the broker about a job; a broker that is down only delays it until the sweep."""
    from amgs.core.celery_tasks import run_job_task

    try:
        run_job_task.apply_async(args=[row.public_id], queue=row.queue, retry=False)
    except Exception as error:
        log.warning("the broker took no hint", job=row.public_id, error=str(error))
        return False
    Job.objects.filter(pk=row.pk).update(hinted_at=Now())
    return True


def check_broker() -> None:
    """Raise unless the broker answers."""
    from amgs.celery import app

    with app.connection_for_write() as link:
        link.ensure_connection(max_retries=1, interval_start=0.1, timeout=3)
        link.default_channel.close()


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

    @property
    def stall_limit(self) -> timedelta:
        """How long the progress may stand still."""
        return self._kind.limit

    def save_progress(self) -> None:
        """Write the progress now and prove that the lease is still held."""
        self.renew()
        self.check()

    def renew(self) -> bool:
        """Renew the lease with the progress made; return whether it is still held."""
        with self._lock:
            told, self._progress = self._progress, None
        values: dict[str, Any] = {"lease_until": later(settings.JOB_LEASE)}
        if told is not None:
            values |= {"progress": told[0], "note": told[1], "progressed_at": Now()}
        rows = self._mine
        if told is None:
            # Progress that stands still longer than the limit is no life: let the lease run out.
            rows = rows.filter(progressed_at__gt=later(-self._kind.limit))
        if not rows.update(**values):
            self._lost.set()
            return False
        return True


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
            lease_until=later(settings.JOB_LEASE),
            started_at=Now(),
            progressed_at=Now(),
            worker=f"{socket.gethostname()}:{os.getpid()}",
        )
        if not taken:
            return None
        row.refresh_from_db()
        return row


def run(public_id: str, *, exit_when_stuck: bool = False) -> bool:
    """Run one job if it can be taken; return whether this call finished it.

    Called by the Celery task (``exit_when_stuck``: see ``Renewer``); tests may call it directly.
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
        sentence = row.error or "The work was begun too often without an end."
        _fail(row, kind, sentence, row.trace or sentence)
        return False
    context = Context(row, kind)
    renewer = Renewer(context, exit_when_stuck)
    if not connection.in_atomic_block:  # else no other connection could see the row anyway
        renewer.start()
    try:
        outcome = kind.work(context, **row.args)
    except (LeaseLost, Cancelled):
        renewer.stop()
        return _ended_early(row)
    except Problem as problem:
        # A refusal is an answer: trying again would give the same one.
        renewer.stop()
        _fail(row, kind, problem.sentence, "")
        return False
    except Exception as error:
        renewer.stop()
        _again_or_fail(row, kind, error, traceback.format_exc())
        return False
    finally:
        renewer.stop()
    return _finish(context, outcome)


def _wait(context: Context, wait: Wait) -> None:
    with transaction.atomic():
        laid_down = context._mine.update(
            state=Job.State.QUEUED,
            attempts=F("attempts") + 1,
            due_at=later(wait.at_most),
            lease_until=None,
            hinted_at=None,
        )
        if not laid_down:
            raise LeaseLost
        if wait.apply is not None:
            wait.apply()


def wake(row: Job) -> None:
    """Let a job that waits for others go on, in the caller's transaction."""
    if Job.objects.filter(pk=row.pk, state=Job.State.QUEUED).update(due_at=Now()):
        transaction.on_commit(lambda: hint(row), robust=True)


def _finish(context: Context, outcome: Finish | Wait | Mapping[str, Any] | None) -> bool:
    if isinstance(outcome, Wait):
        try:
            _wait(context, outcome)
        except LeaseLost:
            return _ended_early(context.job)
        except Exception as error:
            _again_or_fail(context.job, context._kind, error, traceback.format_exc())
        return False
    finish = outcome if isinstance(outcome, Finish) else Finish(result=outcome or {})
    row, kind = context.job, context._kind
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
        return _ended_early(row)
    except Problem as problem:
        _fail(row, kind, problem.sentence, "")
        return False
    except Exception as error:
        _again_or_fail(row, kind, error, traceback.format_exc())
        return False
    return True


def _ended_early(row: Job) -> bool:
    """End a cancelled job; leave alone one that another worker holds now."""
    if Job.objects.filter(pk=row.pk, attempt=row.attempt, cancel_asked=True).exists():
        _cancelled(row)
    else:
        log.info("the lease was lost; the outputs stay unseen", job=row.public_id)
    return False


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
        due_at=later(delay),
        lease_until=None,
        hinted_at=None,
        error=sentence,
        trace=trace,
    )


def _fail(row: Job, kind: Kind | None, sentence: str, trace: str) -> None:
    _end(
        Job.objects.filter(pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING),
        row,
        kind,
        sentence,
        {"state": Job.State.FAILED, "error": sentence[:1000], "trace": trace},
    )


def _cancelled(row: Job) -> None:
    _end(
        Job.objects.filter(pk=row.pk, attempt=row.attempt, state=Job.State.RUNNING),
        row,
        _KINDS.get(row.kind),
        "It was cancelled.",
        {"state": Job.State.CANCELLED, "cancel_asked": True},
    )


def _end(
    mine: models.QuerySet[Job], row: Job, kind: Kind | None, sentence: str, values: dict[str, Any]
) -> bool:
    """End a job undone and tell its kind, in one transaction; return whether it was ours to end.

    A kind that breaks while it is told must not keep its job from ending.
    """
    over = values | {"lease_until": None, "finished_at": Now()}
    for name, value in values.items():
        setattr(row, name, value)
    if kind is not None and kind.on_failure is not None:
        try:
            with transaction.atomic():
                if not mine.update(**over):
                    return False
                kind.on_failure(row, sentence)
                return True
        except Exception:
            log.exception("a job's failure could not be told", job=row.public_id)
            over["trace"] = f"{row.trace}\n{traceback.format_exc()}".strip()
    return bool(mine.update(**over))


def cancel(row: Job) -> None:
    """Cancel a waiting job at once, or ask a running one to stop."""
    waiting = Job.objects.filter(pk=row.pk, state=Job.State.QUEUED)
    values = {"state": Job.State.CANCELLED, "cancel_asked": True}
    if _end(waiting, row, _KINDS.get(row.kind), "It was cancelled.", values):
        return
    if not Job.objects.filter(pk=row.pk, state=Job.State.RUNNING).update(cancel_asked=True):
        raise Refused("This work is already over, so there is nothing to cancel.")


def retry(row: Job) -> None:
    """Let a failed job begin again, with its attempts counted anew from here."""
    kind = _KINDS.get(row.kind)
    if kind is None:
        raise Refused(f"This version of the platform knows no job '{row.kind}'.")
    try:
        with transaction.atomic():
            changed = Job.objects.filter(pk=row.pk, state=Job.State.FAILED).update(
                state=Job.State.QUEUED,
                attempts=F("attempt") + kind.attempts,
                due_at=Now(),
                hinted_at=None,
                finished_at=None,
                error="",
                trace="",
            )
    except IntegrityError:
        raise Refused("The same work was asked for again meanwhile and goes on.") from None
    if not changed:
        raise Refused("Only work that failed can be begun again.")
    fresh = Job.objects.get(pk=row.pk)
    transaction.on_commit(lambda: hint(fresh), robust=True)


def get(public_id: str) -> Job:
    """Return a job by its public id; raises ``NotFound``."""
    try:
        return Job.objects.get(public_id=public_id)
    except Job.DoesNotExist:
        raise NotFound("There is no such job.") from None

"""The only retry there is: hint again at what is due or lost, and ask for periodic work.

Beat calls it every ``JOB_SWEEP``. Two beats at once do no harm.
"""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from amgs.core.jobs import QUEUES, Context, Kind, enqueue, hint, job, kinds, later
from amgs.core.models import Beat, Job

log = structlog.get_logger(__name__)

MOST_HINTS = 500
"""How many hints one sweep gives per queue."""
PERIODIC_KEPT = timedelta(days=1)
"""How long the finished rows of periodic work are kept; all others stay."""


def sweep() -> int:
    """Ask for periodic work that is due; hint again at what is due or lost; count the hints."""
    for kind in kinds().values():
        if kind.every is not None:
            _ask_periodic(kind, kind.every)
    return sum(_hint_again(queue) for queue in QUEUES)


def _hint_again(queue: str) -> int:
    """Hint at as many due jobs of a queue as its hints in the broker fall short of them.

    A hint may be lost (a worker died with it in its hand, a broker without a disk was restarted)
    or only wait behind others. Counting what the broker holds tells the two apart; hinting at
    everything again would fill a queue that nobody serves without end.
    """
    unhinted = Q(hinted_at__isnull=True) | Q(hinted_at__lt=later(-settings.JOB_LEASE))
    waiting = Q(state=Job.State.QUEUED, due_at__lte=Now())
    lost = Q(state=Job.State.RUNNING, lease_until__lt=Now())
    due = Job.objects.filter(waiting | lost, queue=queue)
    # A lost job is hinted at as soon as its lease ran out, whenever its last hint was.
    stale = list(
        due.filter(unhinted | lost & Q(hinted_at__lt=F("lease_until"))).order_by("due_at")[
            :MOST_HINTS
        ]
    )
    if not stale:
        return 0
    held = _held(queue)
    if held is None:
        return 0
    never = [row for row in stale if row.hinted_at is None]
    others = [row for row in stale if row.hinted_at is not None]
    short = max(0, due.count() - held - len(never))
    count = 0
    for row in [*never, *others[:short]]:
        if not hint(row):
            break  # the broker is down; the next sweep goes on
        count += 1
    return count


def _held(queue: str) -> int | None:
    """Return how many hints the broker holds for a queue; ``None`` where it does not answer."""
    from amgs.celery import app

    try:
        with app.connection_or_acquire() as link, link.channel() as channel:
            try:
                return int(channel.queue_declare(queue, passive=True).message_count)
            except link.channel_errors:  # nobody has used the queue yet
                return 0
    except Exception as error:
        log.warning("the broker does not answer", queue=queue, error=str(error))
        return None


def _ask_periodic(kind: Kind, every: timedelta) -> None:
    """Enqueue a periodic kind once per period, however many beats run."""
    mine = Beat.objects.filter(kind=kind.name)
    if mine.filter(last_at__gt=later(-every)).exists():
        return
    with transaction.atomic():
        # The condition is asked again under the row's lock: one of two beats wins.
        if not mine.filter(last_at__lte=later(-every)).update(last_at=Now()):
            try:
                with transaction.atomic():
                    Beat.objects.create(kind=kind.name, last_at=Now())
            except IntegrityError:
                return
        enqueue(kind.name, key=f"{PERIODIC}{kind.name}")


PERIODIC = "every:"


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=1))
def forget_periodic(context: Context) -> dict[str, int]:
    """Remove the finished rows of periodic work, a thousand at a time."""
    old = Job.objects.filter(
        key__startswith=PERIODIC,
        state__in=[Job.State.DONE, Job.State.CANCELLED],
        finished_at__lt=later(-PERIODIC_KEPT),
    ).order_by("pk")
    count = 0
    while batch := list(old.values_list("pk", flat=True)[:1000]):
        count += Job.objects.filter(pk__in=batch).delete()[0]
        context.progress(0.5, f"{count} rows removed")
    return {"removed": count}

"""Celery beat's scheduler, which sweeps in its own process.

Sent to a queue, a sweep would wait behind the very work it has to bring back: on one machine all
worker processes may be busy for minutes.
"""

from __future__ import annotations

import time
from typing import Any

import structlog
from celery.beat import ScheduleEntry, Scheduler

log = structlog.get_logger(__name__)


class SweepHere(Scheduler):
    """Runs every entry of the schedule here and now; needs no broker and keeps no file."""

    producer = None
    max_interval = 1.0

    def apply_async(
        self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **_: Any
    ) -> None:
        """Run the task of one entry; a failure (the database is away) is logged and forgotten."""
        if advance:
            self.reserve(entry)
        began = time.monotonic()
        try:
            self.app.tasks[entry.task]()
        except Exception:
            log.exception("the sweep broke", seconds=time.monotonic() - began)

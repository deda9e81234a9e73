"""The thread that renews a running job's lease."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

if TYPE_CHECKING:
    from amgs.core.jobs import Context

log = structlog.get_logger(__name__)

STUCK_EXIT = 70
"""Exit status of a worker process that ended itself because its work was stuck."""


class Renewer(threading.Thread):
    """Renews a lease every third of its length while the process lives.

    In a worker process (``exit_when_stuck``), work that goes on for another stall limit after
    its lease was lost is stuck for good, and no thread can be stopped from outside: the process
    ends itself, and the pool starts a fresh one.
    """

    def __init__(self, context: Context, exit_when_stuck: bool) -> None:
        super().__init__(name=f"lease-{context.job.public_id}", daemon=True)
        self._context = context
        self._exit_when_stuck = exit_when_stuck
        self._stop_asked = threading.Event()

    def run(self) -> None:
        pause = min(settings.JOB_LEASE.total_seconds() / 3, 5.0)
        try:
            while not self._stop_asked.wait(pause):
                try:
                    if not self._context.renew():
                        break
                except DatabaseError as error:
                    log.warning(
                        "lease not renewed", job=self._context.job.public_id, error=str(error)
                    )
                    connection.close()
        finally:
            connection.close()
        grace = self._context.stall_limit.total_seconds()
        if self._exit_when_stuck and not self._stop_asked.wait(grace):
            log.error("stuck work ends its process", job=self._context.job.public_id)
            os._exit(STUCK_EXIT)

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stop_asked.set()
        if self.is_alive():
            self.join()

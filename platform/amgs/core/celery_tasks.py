"""The two Celery tasks there are: run one job, and sweep."""

from __future__ import annotations

import time

from celery import shared_task
from django.db import close_old_connections

from amgs.core import jobs
from amgs.core.memory import LONG_S, give_back
from amgs.core.sweep import sweep


@shared_task(name="amgs.run_job", ignore_result=True)
def run_job_task(public_id: str) -> None:
    """Run the job with this public id if it is free. Only a hint: the row is the truth."""
    close_old_connections()
    began = time.monotonic()
    try:
        jobs.run(public_id, exit_when_stuck=True)
    finally:
        close_old_connections()
        if time.monotonic() - began > LONG_S:
            give_back()


@shared_task(name="amgs.sweep", ignore_result=True)
def sweep_task() -> None:
    """Re-issue what is due or lost; the only retry."""
    close_old_connections()
    try:
        sweep()
    finally:
        close_old_connections()

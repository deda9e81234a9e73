"""The two Celery tasks there are: run one job, and sweep."""

from __future__ import annotations

from celery import shared_task
from celery.signals import worker_process_init
from django.db import close_old_connections, connections

from amgs.core import jobs


@shared_task(name="amgs.run_job", ignore_result=True)
def run_job_task(public_id: str) -> None:
    """Run the job with this public id if it is free. Only a hint: the row is the truth."""
    close_old_connections()
    try:
        jobs.run(public_id)
    finally:
        close_old_connections()


@shared_task(name="amgs.sweep", ignore_result=True)
def sweep_task() -> None:
    """Re-issue what is due or lost; the only retry."""
    jobs.sweep()


@worker_process_init.connect
def _fresh_connections(**_: object) -> None:
    """A forked child must not share its parent's database connections."""
    connections.close_all()

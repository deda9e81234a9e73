"""The Celery application. One task exists (``run_job``); the job row is the truth."""

from __future__ import annotations

import gc
import os

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from amgs.processes import die_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amgs.settings.base")

app = Celery("amgs")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["amgs.core"], related_name="celery_tasks")


@setup_logging.connect
def _leave_logging_to_django(**_: object) -> None:
    """Keep Celery from replacing the log configuration of the settings."""


@worker_process_init.connect
def _end_with_the_worker(**_: object) -> None:
    """Let a pool process die with its worker: what it would finish then belongs to another.

    What it was born with is left out of collections, which would write to every page that it
    shares with the worker and so make it a copy.
    """
    die_with_parent()
    gc.freeze()

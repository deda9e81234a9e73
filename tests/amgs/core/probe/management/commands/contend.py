"""Write to one database as one of four kinds of process would, and say how long each write took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from django.db.models.functions import Now

from amgs.accounts.models import Lab, User
from amgs.core.base import SYSTEM
from amgs.core.decisions import record
from amgs.core.jobs import later
from amgs.core.models import Job
from amgs.core.vocabulary import unit_keys
from amgs.repository.models import Dataset, Frame, Rating, Recording

FRAMES = 1000
"""Rows of one transaction of an ingest: as many as a transaction may have."""


class Command(BaseCommand):
    """``contend prepare | ingest | rater | renewer | decider --seconds N``."""

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role")
        parser.add_argument("--seconds", type=float, default=6.0)

    def handle(self, *args: Any, **options: Any) -> None:
        if options["role"] == "prepare":
            _prepare()
            return
        steps: Iterator[Callable[[], None]] = getattr(self, options["role"])()
        took, errors = [], []
        end = time.monotonic() + options["seconds"]
        while time.monotonic() < end:
            step = next(steps)
            began = time.perf_counter()
            try:
                step()
            except Exception as error:
                errors.append(repr(error))
            took.append(time.perf_counter() - began)
        took.sort()
        self.stdout.write(
            json.dumps(
                {
                    "writes": len(took),
                    "errors": errors,
                    "p50_ms": 1000 * took[len(took) // 2],
                    "p95_ms": 1000 * took[int(len(took) * 0.95)],
                    "max_ms": 1000 * took[-1],
                }
            )
        )

    def ingest(self) -> Iterator[Callable[[], None]]:
        """A thousand frames of a recording in one transaction, again and again.

        Between two of them a real one decodes a thousand frames, for seconds; a tenth of one here.
        """
        dataset, number = Dataset.objects.get(), 0
        while True:
            recording = Recording.objects.create(dataset=dataset, name=f"ingest-{number}")
            rows = [_frame(recording, n) for n in range(FRAMES)]
            time.sleep(0.1)
            yield lambda rows=rows: Frame.objects.bulk_create(rows)
            number += 1

    def rater(self) -> Iterator[Callable[[], None]]:
        """Five grades of one frame, as fast as a person on a keyboard could at most."""
        frames = list(Frame.objects.filter(recording__name="rated")[:10_000])
        for frame in frames:

            def rate(frame: Frame = frame) -> None:
                with transaction.atomic():
                    for unit in unit_keys():
                        Rating.objects.create(
                            frame=frame, unit=unit, grade=1, rater_name="probe", source="audit"
                        )

            time.sleep(0.03)
            yield rate

    def renewer(self) -> Iterator[Callable[[], None]]:
        """The lease of a running job with its progress."""
        row = Job.objects.create(kind="probe.walk", queue="score", due_at=Now())
        mine = Job.objects.filter(pk=row.pk)
        while True:
            time.sleep(0.03)
            yield lambda: mine.update(lease_until=later(_lease()), progressed_at=Now())

    def decider(self) -> Iterator[Callable[[], None]]:
        """An entry in the chain of decisions."""
        user = User.objects.get()
        while True:
            time.sleep(0.03)
            yield lambda: record(user, "remark", by=SYSTEM, why="as seen")


def _lease():
    from django.conf import settings

    return settings.JOB_LEASE


def _frame(recording: Recording, number: int) -> Frame:
    return Frame(
        recording=recording, pts=number, tb_num=1, tb_den=25, number=number, time_s=number / 25
    )


def _prepare() -> None:
    lab = Lab.objects.create(name="Probe")
    User.objects.create(email="probe@example.org", full_name="Probe")
    dataset = Dataset.objects.create(number=1, lab=lab)
    recording = Recording.objects.create(dataset=dataset, name="rated")
    for start in range(0, 10_000, FRAMES):
        Frame.objects.bulk_create(
            [_frame(recording, number) for number in range(start, start + FRAMES)]
        )

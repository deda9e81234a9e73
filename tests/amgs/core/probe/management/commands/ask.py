"""Enqueue walks and print their public ids."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import transaction
from probe.jobs import walk

from amgs.core import jobs


class Command(BaseCommand):
    """``ask LABEL… --steps N --pause S``."""

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("labels", nargs="+")
        parser.add_argument("--steps", type=int, default=10)
        parser.add_argument("--pause", type=float, default=0.1)

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            for label in options["labels"]:
                row = jobs.enqueue(
                    walk, label=label, steps=options["steps"], pause=options["pause"]
                )
                self.stdout.write(row.public_id)

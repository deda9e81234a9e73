"""Make the validation page of a model version anew from its snapshot."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.core.errors import Problem
from amgs.registry import queries
from amgs.scoring.models import Validation
from amgs.scoring.validations import ask_for_validation


class Command(BaseCommand):
    """``manage.py validation_page mouse-v3``."""

    help = "Make the validation page of a model version anew from its snapshot."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the version."""
        parser.add_argument("version", help="identifier (mouse-v3) or id")
        parser.add_argument(
            "--later", action="store_true", help="leave the work to the workers and return at once"
        )

    def handle(self, *args: Any, version: str, later: bool, **options: Any) -> None:
        """Ask for the page and, unless told otherwise, make it in this process."""
        try:
            row = ask_for_validation(by=SYSTEM, version=queries.version(version))
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        if row.job is not None and not later:
            jobs.run(row.job.public_id)
        made = Validation.objects.select_related("job").get(pk=row.pk)
        state = made.job.state if made.job else "queued"
        if state == "failed":
            raise CommandError(made.job.error if made.job else "It failed.")
        if state != "done":
            self.stdout.write(
                f"Asked for; job {made.job.public_id if made.job else ''} is {state}."
            )
            return
        for claim in made.content["claims"]:
            self.stdout.write(f"{claim['title']}: {claim['sentence']}")
        self.stdout.write(f"Digest of the figures: {made.digest}")

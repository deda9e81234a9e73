"""Let the model version serve again that served before."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.accounts.models import User
from amgs.core.errors import Problem
from amgs.registry import services


class Command(BaseCommand):
    """``manage.py rollback --by grace@example.org --why "scores jumped"``."""

    help = "Let the version serve again that served before the present one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the person and the reason."""
        parser.add_argument("--by", required=True, help="e-mail address of the maintainer")
        parser.add_argument("--why", required=True, help="the reason, for the ledger")
        parser.add_argument("--species", default="mouse")

    def handle(self, *args: Any, by: str, why: str, species: str, **options: Any) -> None:
        """Roll back as the API and the page do."""
        person = User.objects.filter(email__iexact=by).first()
        if person is None:
            raise CommandError(f"Nobody here has the e-mail address {by}.")
        try:
            row = services.roll_back(by=person, why=why, species=species)
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"{row.identifier} serves again.")

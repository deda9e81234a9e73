"""Let an approved model version serve."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.accounts.models import User
from amgs.core.errors import Problem
from amgs.registry import queries, services


class Command(BaseCommand):
    """``manage.py promote mouse-v3 --by grace@example.org --why "better on black mice"``."""

    help = "Let an approved (or retired) model version serve; the old one retires."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the version, the person and the reason."""
        parser.add_argument("version", help="identifier (mouse-v3) or public id")
        parser.add_argument("--by", required=True, help="e-mail address of the maintainer")
        parser.add_argument("--why", required=True, help="the reason, for the ledger")

    def handle(self, *args: Any, version: str, by: str, why: str, **options: Any) -> None:
        """Promote as the API and the page do."""
        person = User.objects.filter(email__iexact=by).first()
        if person is None:
            raise CommandError(f"Nobody here has the e-mail address {by}.")
        try:
            row = queries.version(version)
            services.decide_model(by=person, version=row, action="promote", why=why)
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"{row.identifier} serves.")

"""Approve a model version that waits for the maintainers."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.accounts.models import User
from amgs.core.errors import Problem
from amgs.registry import queries, services


class Command(BaseCommand):
    """``manage.py approve mouse-v3 --by … --why … --tick "GATE=why it may serve all the same"``."""

    help = "Approve a model version, with a reason for each gate that was not assessed."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the version, the person, the reason and the ticks."""
        parser.add_argument("version", help="identifier (mouse-v3) or public id")
        parser.add_argument("--by", required=True, help="e-mail address of the maintainer")
        parser.add_argument("--why", required=True, help="the reason, for the ledger")
        parser.add_argument(
            "--tick",
            action="append",
            default=[],
            metavar="GATE=WHY",
            help="the reason for a gate that was not assessed; once per gate",
        )

    def handle(
        self, *args: Any, version: str, by: str, why: str, tick: list[str], **options: Any
    ) -> None:
        """Approve as the API and the page do."""
        person = User.objects.filter(email__iexact=by).first()
        if person is None:
            raise CommandError(f"Nobody here has the e-mail address {by}.")
        ticks = {gate: reason for gate, _, reason in (one.partition("=") for one in tick)}
        try:
            row = queries.version(version)
            services.decide_model(by=person, version=row, action="approve", why=why, ticks=ticks)
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"{row.identifier} is approved.")

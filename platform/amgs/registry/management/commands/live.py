"""Say which model version served at a moment."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.registry import queries


class Command(BaseCommand):
    """``manage.py live --at 2026-03-01T12:00``: read from the decision log alone."""

    help = "Say which model version served at a moment (now, where none is given)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the moment."""
        parser.add_argument("--at", default="", help="ISO time; UTC where it names no zone")
        parser.add_argument("--species", default="mouse")

    def handle(self, *args: Any, at: str, species: str, **options: Any) -> None:
        """Print the version and the decision."""
        try:
            when = datetime.fromisoformat(at) if at else datetime.now(UTC)
        except ValueError as error:
            raise CommandError(
                f"'{at}' is no ISO time; write it like 2026-03-01T12:00+00:00."
            ) from error
        if when.tzinfo is None:
            when = when.replace(tzinfo=UTC)
        found = queries.serving_at(when, species)
        if found is None:
            self.stdout.write(f"No model version served at {when.isoformat()}.")
            return
        version, decision = found
        self.stdout.write(
            f"{version.identifier} served at {when.isoformat()}: {decision.actor_name} decided "
            f"'{decision.action}' at {decision.at.isoformat()}, because: {decision.why}"
        )

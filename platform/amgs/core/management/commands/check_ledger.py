"""Verify the decision log: every entry digests to what was written, and follows the one before."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from amgs.core import decisions
from amgs.core.models import Decision


class Command(BaseCommand):
    """``manage.py check_ledger``: fails, naming each entry that was changed or removed."""

    help = "Verify that no decision was changed, removed or forged after it was written."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Walk the whole chain."""
        broken = list(decisions.broken_links())
        for _, sentence in broken:
            self.stderr.write(sentence)
        if broken:
            raise CommandError(
                "The decision log was changed by something other than a decision; compare it with "
                "the last backup."
            )
        self.stdout.write(f"All {Decision.objects.count():,} decisions are as they were written.")

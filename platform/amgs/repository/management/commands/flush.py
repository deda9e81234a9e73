"""Empty every table, the published versions too: the guard of the database is lifted for it."""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush

from amgs.repository import immutable


class Command(flush.Command):
    """Django's own command between taking the triggers away and making them anew."""

    def handle(self, **options: Any) -> None:
        """Empty the tables of one database."""
        using = options["database"]
        immutable.remove(using)
        try:
            super().handle(**options)
        finally:
            immutable.install(using)

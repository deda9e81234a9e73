"""Let a site that has no model version yet begin with a bundle that lies in a folder."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from amgs.core.errors import Problem
from amgs.files.storage import Unavailable
from amgs.registry.shipped import register_shipped

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    """``manage.py register_shipped [FOLDER]``; ``serve`` asks for it at every start."""

    help = "Register a bundle as version 1 and let it serve, where there is no version yet."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the folder."""
        parser.add_argument("folder", nargs="?", type=Path, help="instead of AMGS_SHIPPED_MODEL")
        parser.add_argument(
            "--at-start",
            action="store_true",
            help="a site is starting: what stands in the way is logged and stops nothing",
        )

    def handle(
        self, *args: Any, folder: Path | None = None, at_start: bool = False, **options: Any
    ) -> None:
        """Register and say what came of it."""
        folder = folder or settings.SHIPPED_MODEL
        if folder is None:
            if at_start:
                return
            raise CommandError("Name the folder of a bundle, or set AMGS_SHIPPED_MODEL.")
        try:
            version = register_shipped(folder)
        except (Problem, Unavailable) as problem:
            sentence = problem.sentence if isinstance(problem, Problem) else str(problem)
            if not at_start:
                raise CommandError(sentence) from problem
            log.warning("the site begins without a model", reason=sentence)
            return
        if version is not None:
            log.info("registered", version=version.identifier, state=version.state)
            self.stdout.write(f"{version.identifier} is registered; it is {version.state}.")
        elif not at_start:
            self.stdout.write("This site has model versions already; nothing was done.")

"""Fetch all that a model version was made from, and say how to train it again."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from amgs.core.errors import Problem
from amgs.registry import queries
from amgs.training.reproducing import fetch


class Command(BaseCommand):
    """``manage.py reproduce mouse-v3 [--out DIR]``."""

    help = "Fetch bundle, manifests and recordings of a model version, to train it again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Name the version and the folder."""
        parser.add_argument("version", help="identifier (mouse-v3) or public id")
        parser.add_argument("--out", type=Path, help="folder; default var/reproduce/VERSION")

    def handle(self, *args: Any, version: str, out: Path | None, **options: Any) -> None:
        """Fetch, or say since when it is not possible."""
        try:
            row = queries.version(version)
            folder = out or Path(settings.VAR) / "reproduce" / row.identifier
            fetched = fetch(row, folder.resolve(), lambda line: self.stderr.write(line))
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"{row.identifier} is in {fetched.folder}. Train it again and compare:")
        self.stdout.write(f"python -m models {shlex.join(fetched.arguments)}")

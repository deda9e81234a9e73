"""Walk the whole loop on one machine, on phantom data, and serve what came of it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand
from rich.console import Console
from rich.table import Table

from amgs.demo import people, walk
from amgs.demo.show import Screen, Walk
from amgs.demo.site import Site, free_port

MARKER = "this-is-a-demo"
REAL = Path("..") / "shared" / "data"


class Command(BaseCommand):
    """``manage.py demo``: see docs/tutorial/the-whole-loop.md."""

    help = __doc__
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the options."""
        parser.add_argument("--no-serve", action="store_true", help="end when the loop is walked")
        parser.add_argument("--json", type=Path, help="write what happened to this file")
        parser.add_argument("--seed", type=int, default=7, help="seed of the phantom study")
        parser.add_argument("--port", type=int, default=None, help="port of the site")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the demo."""
        console = Console(file=sys.stdout, width=min(Console().width, 140))
        json_path: Path | None = options["json"] and options["json"].resolve()
        began = time.monotonic()
        self._fresh_folder()
        call_command("migrate", verbosity=0)
        port = options["port"]
        if port is None:
            port = free_port() if options["no_serve"] else settings.PORT
        told = Walk()
        screen = Screen(console, told)
        console.print("[bold]The whole loop, on rendered phantom mice[/bold]")
        console.print(f"[dim]{told.phantom}[/dim]")
        try:
            with Site(port, settings.VAR / "log" / "serve.log") as site:
                try:
                    walk.whole_loop(
                        site.url,
                        screen,
                        folder=settings.VAR / "study",
                        seed=options["seed"],
                        real=self._real(),
                    )
                except Exception as error:
                    console.print(f"[red]The demo stopped:[/red] {error}")
                    console.print(site.tail())
                self._say(console, told, site.url, time.monotonic() - began)
                if json_path:
                    told.write(json_path)
                if told.ok and not options["no_serve"]:
                    console.print("The site is running; press Ctrl-C to stop it.")
                    try:
                        site.wait()
                    except KeyboardInterrupt:
                        console.print("Stopping.")
        finally:
            if json_path and not json_path.exists():
                told.write(json_path)
        if not told.ok:
            raise CommandError(
                f"Not every stage was ok; the site's log is in {settings.VAR / 'log'}."
            )

    def _fresh_folder(self) -> None:
        """Begin anew in a folder of the demo's own; never in one that holds a site."""
        var: Path = settings.VAR
        if (var / "amgs.sqlite3").exists() and not (var / MARKER).exists():
            raise CommandError(
                f"{var} holds a site. The demo needs a folder of its own: set AMGS_VAR to another "
                "one, or run 'make demo', which does."
            )
        if "DATABASE_URL" in os.environ:
            raise CommandError("The demo runs on the embedded default; unset DATABASE_URL.")
        for entry in var.iterdir() if (var / MARKER).exists() else ():
            if entry.name in {"secret_key", MARKER}:
                continue
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (var / MARKER).write_text("Everything in this folder is made anew by the next demo.\n")

    @staticmethod
    def _real() -> Path | None:
        folder = (settings.ROOT / REAL).resolve()
        return folder if folder.is_dir() else None

    @staticmethod
    def _say(console: Console, told: Walk, url: str, seconds: float) -> None:
        table = Table("stage", "ok", "seconds", box=None)
        for stage in told.stages:
            table.add_row(stage.name, "yes" if stage.ok else "NO", f"{stage.seconds:.1f}")
        console.print(table)
        console.print(f"In all {seconds:.0f} s.")
        if told.ok:
            console.print(f"\nOpen {url}/ — the champion is {told.champion['version']}.")
            for row in told.scores:
                console.print(f"  {row['video']}: {row['sentence']} {row['address']}")
            console.print(f"Sign in with the password '{people.PASSWORD}' as")
            for person in walk.PEOPLE:
                console.print(f"  {person.email:<22} {person.role}")

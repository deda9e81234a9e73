"""What a person sees while the demo runs, and the JSON it leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

Facts = dict[str, Any]
Told = Callable[[float, str], None]


@dataclass
class Stage:
    """One stage of the main job as it went."""

    name: str
    ok: bool = False
    seconds: float = 0.0
    facts: Facts = field(default_factory=dict)


@dataclass
class Walk:
    """The whole walk: what ``--json`` writes."""

    stages: list[Stage] = field(default_factory=list)
    champion: Facts = field(default_factory=dict)
    refused: Facts = field(default_factory=dict)
    scores: list[Facts] = field(default_factory=list)
    phantom: str = (
        "Every grade in this demo rests on rendered phantom mice. It shows that the machinery "
        "works and says nothing about real mice."
    )

    @property
    def ok(self) -> bool:
        """Whether all stages are ok."""
        return bool(self.stages) and all(stage.ok for stage in self.stages)

    def write(self, path: Path) -> None:
        """Write the walk as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=2, default=str) + "\n")


class Screen:
    """Runs stages one after the other with a progress line for each."""

    def __init__(self, console: Console, walk: Walk) -> None:
        self.console = console
        self.walk = walk

    def stage(self, name: str, title: str, work: Callable[[Told], Facts]) -> Facts:
        """Run one stage; a stage that raises is written down and ends the walk."""
        stage = Stage(name)
        self.walk.stages.append(stage)
        began = time.monotonic()
        number = len(self.walk.stages)
        with Progress(
            SpinnerColumn(finished_text="✓"),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=self.console,
        ) as progress:
            task = progress.add_task(f"{number}. {title}", total=1.0, note="")
            try:
                stage.facts = work(
                    lambda share, note: progress.update(task, completed=share, note=note)
                )
            except Exception as error:
                stage.facts = {"problem": f"{type(error).__name__}: {error}"}
                stage.seconds = round(time.monotonic() - began, 2)
                raise
            stage.ok = True
            stage.seconds = round(time.monotonic() - began, 2)
            progress.update(task, completed=1.0, note=str(stage.facts.get("sentence", "")))
        return stage.facts

"""What a child process tells its parent: one JSON object per line on standard output."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TextIO

Emit = Callable[[dict[str, Any]], None]

PARENT_GONE = 4
"""Exit status after the parent closed our standard input."""


class Refused(Exception):
    """The work cannot be done as asked; `sentence` says why and what to do."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def printer(stream: TextIO | None = None) -> Emit:
    """A function that writes events to a stream, standard output by default, line by line."""
    target = stream or sys.stdout

    def emit(event: dict[str, Any]) -> None:
        target.write(json.dumps(event, ensure_ascii=False) + "\n")
        target.flush()

    return emit


def silent(event: dict[str, Any]) -> None:
    """Tells nobody."""


class Progress:
    """Progress over stages of known weight, told at most a few times a second.

    `stages` maps each stage to its share of the usual time.
    """

    def __init__(self, emit: Emit, stages: dict[str, float]) -> None:
        self.emit = emit
        self.stages = stages
        self.seconds: dict[str, float] = {}
        self._started = time.monotonic()
        self._last = 0.0
        self._stage: tuple[str, float] | None = None

    def enter(self, stage: str, sentence: str) -> None:
        """Begin a stage, which ends the one before."""
        self.leave()
        self._stage = (stage, time.monotonic())
        self._last = 0.0
        self.tell(0.0, sentence)

    def leave(self) -> None:
        """Note how long the current stage took."""
        if self._stage is not None:
            name, begun = self._stage
            self.seconds[name] = round(time.monotonic() - begun, 3)
            self._stage = None

    def tell(self, part: float, sentence: str) -> None:
        """Say that a share `part` of the current stage is done."""
        now = time.monotonic()
        if self._stage is None or (now - self._last < 0.3 and part < 1):
            return
        self._last = now
        name, _ = self._stage
        before = sum(self.stages[key] for key in self.stages if key in self.seconds)
        fraction = (before + self.stages[name] * min(max(part, 0.0), 1.0)) / sum(
            self.stages.values()
        )
        elapsed = now - self._started
        left = elapsed / fraction * (1 - fraction) if fraction > 0.02 else None
        self.emit(
            {
                "event": "progress",
                "stage": name,
                "fraction": round(min(fraction, 1.0), 4),
                "seconds_left": None if left is None else round(left, 1),
                "sentence": sentence,
            }
        )


def watch_parent() -> None:
    """Exit at once when standard input closes, that is, when the parent has died or let go."""

    def wait() -> None:
        while os.read(0, 4096):
            continue
        # No clean-up: everything on disk is written to a temporary name first.
        os._exit(PARENT_GONE)

    threading.Thread(target=wait, daemon=True, name="watch-parent").start()


def watch_launcher() -> None:
    """Exit when the process that started this one dies: it would wait for its share for ever."""
    launcher = os.getppid()

    def wait() -> None:
        while os.getppid() == launcher:
            time.sleep(0.5)
        os._exit(PARENT_GONE)

    threading.Thread(target=wait, daemon=True, name="watch-launcher").start()

"""What a run tells while it goes on: curves, the last lines, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amgs.core.jobs import Context
from amgs.training.models import Run
from amgs.training.workspace import Workspace

TAIL = 40
# A row is not written for every line of a fast run.
SAVE_EVERY_S = 2.0
MOST_POINTS = 2000


class Diary:
    """Turns the events of the child process into the run's row and the job's progress."""

    def __init__(self, context: Context, run: Run, workspace: Workspace) -> None:
        self._context = context
        self._run = run
        self._workspace = workspace
        # The step number is the key: steps that a resumed attempt does again are not doubled.
        self._points = {int(point["step"]): point["metrics"] for point in run.curves}
        self.tail: list[dict[str, str]] = list(run.tail)
        self._saved = 0.0
        self._begin, self._end = 0.0, 1.0

    @property
    def curves(self) -> list[dict[str, Any]]:
        """All points in the order of their steps, thinned where there are very many."""
        steps = sorted(self._points)
        every = max(1, -(-len(steps) // MOST_POINTS))
        return [{"step": step, "metrics": self._points[step]} for step in steps[::every]]

    def stage(self, begin: float, end: float, sentence: str) -> None:
        """Begin a stage that covers this stretch of the job's progress."""
        self._begin, self._end = begin, end
        self._write(sentence)
        self._context.progress(begin, sentence)

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take one event of the child process."""
        kind = event.get("event")
        if kind == "progress":
            fraction = float(event.get("fraction") or 0.0)
            sentence = str(event.get("sentence") or event.get("stage") or "")
            if sentence and (not self.tail or self.tail[-1]["sentence"] != sentence):
                self._write(sentence)
            note = sentence + _time_left(event.get("seconds_left"))
            self._context.progress(self._begin + (self._end - self._begin) * fraction, note)
        elif kind == "metrics":
            self._points[int(event["step"])] = {
                name: value
                for name, value in (event.get("metrics") or {}).items()
                if isinstance(value, (int, float)) and math.isfinite(value)
            }
        elif kind == "made":
            made = {key: value for key, value in event.items() if key != "event"}
            self._update(made=made)
        elif kind == "checkpoint":
            self._workspace.keep(Path(str(event["path"])))
        if time.monotonic() - self._saved >= SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write curves and tail to the run's row, if this attempt still holds the job."""
        self._saved = time.monotonic()
        self._update(curves=self.curves, tail=self.tail)

    def _update(self, **values: Any) -> None:
        Run.objects.filter(
            pk=self._run.pk, job__attempt=self._context.attempt, job__state="running"
        ).update(**values)

    def _write(self, sentence: str) -> None:
        now = datetime.now(UTC).isoformat(timespec="seconds")
        self.tail = [*self.tail, {"at": now, "sentence": sentence[:300]}][-TAIL:]


def _time_left(seconds: Any) -> str:
    if not isinstance(seconds, (int, float)) or not math.isfinite(seconds):
        return ""
    if seconds < 90:
        return f" (about {max(seconds, 1):.0f} s left)"
    return f" (about {seconds / 60:.0f} min left)"

"""Training happens in a child process; this reads what it says and ends it when asked.

The child reads nothing from its standard input but notices when it closes (``--watch-stdin``):
a child whose worker was killed dies with it, so two attempts never train at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from amgs.core.errors import Refused
from amgs.core.jobs import Context

REFUSED = 3
# How often a silent child's worker looks whether it still holds its lease.
LOOK_S = 0.5
# How long a child that was asked to end may take before it is killed.
GRACE_S = 10.0
LOG_LINES = 20


class ChildFailed(Exception):
    """The child process ended badly; the message is the end of its log."""


def run_child(
    context: Context,
    arguments: Sequence[str],
    log: Path,
    on_event: Callable[[Mapping[str, Any]], None],
    watch: bool = False,
) -> dict[str, Any]:
    """Run ``python -m models …`` and return its ``done`` event (empty where it sends none).

    Every JSON line goes to ``on_event`` in this thread; the log (standard error) goes to a file.
    Raises ``Refused`` with the child's sentence, ``ChildFailed``, and what ``context.check``
    raises: the child is ended first in any case.
    """
    with Child(arguments, log, watch=watch) as child:
        return child.finish(context, on_event)


class Child:
    """A started ``python -m models …``; leaving the ``with`` block ends it."""

    def __init__(self, arguments: Sequence[str], log: Path, watch: bool = False) -> None:
        root = Path(settings.ROOT)
        environment = os.environ | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
        words = [*arguments, *(["--watch-stdin"] if watch else [])]
        self._name = f"models {words[0]}"
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "models", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=root,
                env=environment,
                text=True,
                bufsize=1,
            )
        self._lines: queue.Queue[str | None] = queue.Queue()
        assert self._process.stdout is not None  # noqa: S101  (opened as a pipe just before)
        # Read from the beginning, so that a child nobody listens to yet never waits.
        threading.Thread(
            target=_read, args=(self._process.stdout, self._lines), daemon=True
        ).start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        _end(self._process)

    def finish(
        self, context: Context, on_event: Callable[[Mapping[str, Any]], None]
    ) -> dict[str, Any]:
        """Hear the child to its end and return its ``done`` event, as ``run_child`` does."""
        done: dict[str, Any] = {}
        refusal = ""
        for event in self._events(context):
            if event.get("event") == "done":
                done = dict(event)
            elif event.get("event") == "refused":
                refusal = str(event.get("sentence", ""))
            on_event(event)
        code = self._process.wait()
        if code == REFUSED or refusal:
            raise Refused(refusal or _last_lines(self._log))
        if code:
            raise ChildFailed(f"'{self._name}' ended with code {code}: {_last_lines(self._log)}")
        return done

    def _events(self, context: Context) -> Iterator[dict[str, Any]]:
        """Yield the child's events until it closes its output, looking after the lease."""
        while True:
            context.check()
            try:
                line = self._lines.get(timeout=LOOK_S)
            except queue.Empty:
                continue
            if line is None:
                return
            with contextlib.suppress(json.JSONDecodeError):
                event = json.loads(line)
                if isinstance(event, dict):
                    yield event


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    try:
        for line in stream:
            lines.put(line)
    except ValueError:
        pass  # closed while reading: the child was ended
    finally:
        lines.put(None)


def _end(child: subprocess.Popen[str]) -> None:
    """End the child if it still lives, gently first, and close the pipes."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    for stream in (child.stdin, child.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _last_lines(log: Path) -> str:
    text = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return " / ".join(line.strip() for line in text[-LOG_LINES:] if line.strip())[-700:]

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
    root = Path(settings.ROOT)
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "models", *arguments, *(["--watch-stdin"] if watch else [])]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as errors:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=root,
            env=environment,
            text=True,
            bufsize=1,
        )
    done: dict[str, Any] = {}
    refusal = ""
    try:
        for event in _events(context, child):
            if event.get("event") == "done":
                done = dict(event)
            elif event.get("event") == "refused":
                refusal = str(event.get("sentence", ""))
            on_event(event)
        code = child.wait()
    finally:
        _end(child)
    if code == REFUSED or refusal:
        raise Refused(refusal or _last_lines(log))
    if code:
        raise ChildFailed(f"'{' '.join(command[2:4])}' ended with code {code}: {_last_lines(log)}")
    return done


def _events(context: Context, child: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield the child's events until it closes its output, looking after the lease meanwhile."""
    lines: queue.Queue[str | None] = queue.Queue()
    assert child.stdout is not None  # noqa: S101  (opened as a pipe just before)
    reader = threading.Thread(target=_read, args=(child.stdout, lines), daemon=True)
    reader.start()
    while True:
        context.check()
        try:
            line = lines.get(timeout=LOOK_S)
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

"""Keep the processes of one machine running, and stop them all together.

Standard library alone: the supervisor sleeps all day beside the processes it started.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amgs.processes import GATE, die_with_parent

PAUSE_S = 0.1
STOP_S = 20.0
"""How long processes may take to finish what they do before they are killed."""
LONGEST_WAIT_S = 30.0
STEADY_S = 60.0
"""A process that lived so long did not fail to start; the next restart is at once."""


@dataclass
class Child:
    """One process to keep running. ``after_ready``: started once the site answers."""

    name: str
    command: Sequence[str]
    nice: int = 0
    after_ready: bool = True
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    failures: int = 0
    start_at: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Starts children, restarts what dies, stops everything by its process id.

    What is to be done before the site may answer is `prepare`: children that do not wait until the
    site is ready load their code beside it, and are let through the gate afterwards.
    """

    children: Sequence[Child]
    environment: Mapping[str, str]
    folder: Path
    is_ready: Callable[[], bool]
    on_ready: Callable[[float], None]
    prepare: Callable[[], None] = lambda: None
    ready: bool = field(default=False, init=False)
    _asked: int = field(default=0, init=False)
    _gate: tuple[int, int] = field(default_factory=os.pipe, init=False)
    _open: bool = field(default=False, init=False)

    def run(self) -> int:
        """Keep everything running until SIGINT or SIGTERM; return the exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._ask)
        began = time.monotonic()
        try:
            for child in self.children:
                self._keep(child)
            self.prepare()
            self._open_gate()
            while not self._asked:
                for child in self.children:
                    self._keep(child)
                if not self.ready and self.is_ready():
                    self.ready = True
                    self.on_ready(time.monotonic() - began)
                time.sleep(PAUSE_S)
        finally:
            self.stop()
        return 0

    def stop(self) -> None:
        """Ask every process to finish, wait, and kill what is left."""
        running = [child.process for child in self.children if child.runs and child.process]
        print(f"Stopping; running work has {STOP_S:.0f} s to end.", file=sys.stderr, flush=True)
        for process in running:
            process.terminate()
        self._open_gate()  # who waits there could not end
        deadline = time.monotonic() + STOP_S
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
        for process in running:
            # Each child leads a session of its own: what it left behind ends with it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _open_gate(self) -> None:
        if not self._open:
            self._open = True
            os.close(self._gate[1])

    def _ask(self, number: int, _frame: object) -> None:
        self._asked = number

    def _keep(self, child: Child) -> None:
        now = time.monotonic()
        if child.runs or (child.after_ready and not self.ready) or now < child.start_at:
            return
        if child.process is not None:
            code = child.process.returncode
            child.process = None
            child.failures = 0 if now - child.started > STEADY_S else child.failures + 1
            wait = min(2.0 ** (child.failures - 1), LONGEST_WAIT_S) if child.failures > 1 else 0.0
            child.start_at = now + wait
            print(  # the terminal is where the person who ran `serve` looks
                f"{child.name} ended (exit status {code}); it is started again"
                + (f" in {wait:.0f} s." if wait else "."),
                file=sys.stderr,
                flush=True,
            )
            if wait:
                return
        child.started = now
        environment, gate = dict(self.environment), self._gate[0]
        if not child.after_ready:
            environment[GATE] = str(gate)
        child.process = subprocess.Popen(
            child.command,
            env=environment,
            pass_fds=() if child.after_ready else (gate,),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            # Ctrl-C reaches the supervisor alone, which stops its children in order.
            start_new_session=True,
            preexec_fn=lambda: _prepare(child.nice),
        )


def _prepare(nice: int) -> None:
    """Run in the child between fork and exec."""
    die_with_parent()
    if nice:
        os.nice(nice)

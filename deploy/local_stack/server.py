"""A server on loopback: find its program, start it, wait until it answers, stop it again."""

from __future__ import annotations

import atexit
import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.05
STOP_SECONDS = 10.0
TAIL_LINES = 25
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
PORTS = range(20_000, 32_000)
"""Below the range from which Linux hands out client ports, so that no client takes one from us."""


class NotInstalled(Exception):
    """The machine has no such program; the message says how to get it."""


class StartFailed(Exception):
    """The server did not come up; the message ends with the tail of its log."""


def find_program(name: str, *, package: str | None = None, folders: Sequence[Path] = ()) -> Path:
    """Path of a program in ``folders``, on PATH or in the system folders; else `NotInstalled`."""
    places = [*map(str, folders), os.environ.get("PATH", os.defpath), *SYSTEM_FOLDERS]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise NotInstalled(
            f"{name} is not on this machine; as root on Debian or Ubuntu "
            f"`make test SERVICES=install` installs it (package {package or name})"
        )
    return Path(found)


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on just now."""
    for _ in range(200):
        port = random.choice(PORTS)  # noqa: S311 - a port is no secret
        with socket.socket() as candidate:
            candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                candidate.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise StartFailed("no free port between 20000 and 32000 on the loopback interface")


def accepts_connections(port: int) -> bool:
    """Whether something listens on the port of the loopback interface."""
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def log_tail(log: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, for an error message."""
    if not log.exists():
        return f"({log} was not written)"
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


@dataclass
class Server:
    """A started server: where it answers, its processes, and how to stop it."""

    name: str
    url: str
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """What a client needs besides the address, e.g. ``access_key``."""
    stop_signal: signal.Signals = signal.SIGTERM
    cleanup: list[Callable[[], None]] = field(default_factory=list)
    start_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._started = time.monotonic()
        self.folder.mkdir(parents=True, exist_ok=True)
        atexit.register(self.stop)

    @property
    def pids(self) -> tuple[int, ...]:
        """Process ids, in the order in which the processes were started."""
        return tuple(process.pid for process in self.processes)

    @property
    def log(self) -> Path:
        """What the server's processes print."""
        return self.folder / f"{self.name}.log"

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one process of the server in a session of its own, its output in `log`.

        The kernel ends it when we are killed without a chance to clean up (where ``setpriv`` is).
        """
        words = [str(word) for word in command]
        guard = shutil.which("setpriv")
        if guard:
            words = [guard, "--pdeathsig", "KILL", *words]
        with self.log.open("ab") as stream:
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                cwd=folder or self.folder,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
                user=user,
                extra_groups=None if user is None else [],
            )
        self.processes.append(process)
        return process

    def wait_until(self, answers: Callable[[], bool], *, seconds: float, log: Path | None = None):
        """Poll until ``answers()`` is true; `StartFailed` when a process ends or time is up.

        An exception from ``answers`` counts as *not yet* and is named in the message.
        """
        deadline = time.monotonic() + seconds
        last: Exception | None = None
        while True:
            try:
                if answers():
                    self.start_seconds = time.monotonic() - self._started
                    return self
            except Exception as problem:  # whatever a client library raises before its server is up
                last = problem
            gone = [process for process in self.processes if process.poll() is not None]
            if gone or time.monotonic() > deadline:
                why = (
                    f"its process ended with exit code {gone[0].returncode}"
                    if gone
                    else f"no answer within {seconds:.0f} s" + (f" ({last!r})" if last else "")
                )
                tail = log_tail(log or self.log)
                self.stop()
                raise StartFailed(f"{self.name} did not start: {why}. Its log ends with:\n{tail}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, gracefully: bool = True) -> None:
        """Stop every process, the last started first; safe to call twice."""
        atexit.unregister(self.stop)
        for process in reversed(self.processes):
            _end(process, self.stop_signal if gracefully else signal.SIGKILL)
        self.processes.clear()
        while self.cleanup:
            self.cleanup.pop()()


def _end(process: subprocess.Popen[bytes], with_signal: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(with_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    # Children that the server left behind share its session, which is ours alone.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def call(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> str:
    """Run an administration program of a server; its output, or `StartFailed` with what it said."""
    try:
        outcome = subprocess.run(
            [str(word) for word in command],
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as late:
        name = Path(command[0]).name
        raise StartFailed(f"{name} did not end within {seconds:.0f} s") from late
    if outcome.returncode:
        raise StartFailed(
            f"{Path(command[0]).name} failed (exit {outcome.returncode}): "
            f"{(outcome.stderr or outcome.stdout)[-1500:]}"
        )
    return outcome.stdout

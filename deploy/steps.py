"""One line per set-up step on the terminal, everything a child process says in a log file.

Only the standard library: these modules run before the virtual environment exists.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("AMGS_VAR") or ROOT / "var").resolve()
LOGS = VAR / "log" / "setup"
TAIL_LINES = 30


class Failed(Exception):
    """A step could not be done; the message says what to do next."""


def run(
    command: Sequence[str | Path],
    log: str,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> None:
    """Run a command with its output in ``var/log/setup/LOG``; on failure raise with the tail."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / log
    words = [str(word) for word in command]
    with path.open("a", encoding="utf-8") as stream:
        stream.write(f"\n$ {' '.join(words)}\n")
        stream.flush()
        outcome = subprocess.run(
            words,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            check=False,
        )
    if outcome.returncode:
        raise Failed(
            f"{tail(path)}\n`{' '.join(words[:4])} …` failed (exit {outcome.returncode}); "
            f"the whole log is {path}"
        )


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a log file, each cut to 300 characters."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    return "\n".join(line[:300] for line in text.splitlines()[-lines:])


@contextmanager
def step(title: str) -> Iterator[None]:
    """Print one line for the step: its title while it runs, then how it ended and how long."""
    started = time.monotonic()
    terminal = sys.stdout.isatty()
    if terminal:
        print(f"  … {title}", end="", flush=True)
    try:
        yield
    except BaseException:
        print(f"{chr(13) if terminal else ''}  ✗ {title} ({time.monotonic() - started:.0f} s)")
        raise
    print(
        f"{chr(13) if terminal else ''}  ✓ {title} ({time.monotonic() - started:.0f} s)", flush=True
    )

"""Child processes that do not outlive their parent, and that wait until it lets them go on."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

GATE = "AMGS_GATE"
"""Variable with the reading end of a pipe: a child may go on once its parent closed the other."""
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def wait_at_gate() -> None:
    """Wait until the parent opens the gate that it gave this process, if it gave it one."""
    if (number := os.environ.get(GATE)) is not None:
        os.read(int(number), 1)  # nothing is ever written: it ends when the other end is closed

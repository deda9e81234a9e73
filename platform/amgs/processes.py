"""Child processes that do not outlive their parent, and that wait until it lets them go on."""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from collections.abc import Callable

GATE = "AMGS_GATE"
"""Variable with the reading end of a pipe: a child may go on once its parent closed the other."""
SIGN_OF_LIFE_S = 10.0
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere nothing)."""
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def wait_at_gate(alive: Callable[[], object] = lambda: None) -> None:
    """Wait until the parent opens the gate that it gave this process, if it gave it one.

    ``alive`` is called now and then meanwhile, for whoever would take the wait for a hang.
    """
    if (number := os.environ.get(GATE)) is not None:
        # Nothing is ever written: the end is there to be read once the other end is closed.
        while not select.select([int(number)], [], [], SIGN_OF_LIFE_S)[0]:
            alive()

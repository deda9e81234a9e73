"""The priority of the test process stays what it was."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def same_priority() -> Iterator[None]:
    """Give the thread back the priority it had.

    For root, SVT-AV1 makes the thread that opens it a real-time one. Every thread and program
    started later would inherit that, and two busy ones keep two cores from all others for ever.
    """
    if sys.platform != "linux":
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)

"""Memory that long work leaves behind, given back to the system."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from functools import cache

LONG_S = 1.0
"""Work that took longer is tidied up after; that itself takes about a tenth of a second."""


def give_back() -> None:
    """Collect cycles of objects and hand the free pages of the C heap back.

    A decoded picture whose side data was looked at refers to itself, and with it lives the pool of
    buffers of its decoder; what is freed between things that live on the allocator keeps. Without
    this a worker that scored part after part of a long film grew by 200 MiB. Where the C library
    knows no ``malloc_trim`` (it is not glibc) only the cycles go.
    """
    gc.collect()
    if (trim := _trim()) is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found

"""Frames that raters are asked about before all others, in the queue for training.

What they are is known above the review: each app registers its own (``source``). Raters are not
told: such a frame looks and is answered like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

Source = Callable[[Collection[int]], Iterable[int]]
_SOURCES: list[Source] = []


def source(function: Source) -> Source:
    """Register a function from versions to frames (primary keys) that are asked about first."""
    _SOURCES.append(function)
    return function


def frames(versions: Iterable[int]) -> set[int]:
    """Return the frames of some versions (primary keys) that are asked about first."""
    keys = list(versions)
    found: set[int] = set()
    for function in _SOURCES if keys else ():
        found.update(function(keys))
    return found

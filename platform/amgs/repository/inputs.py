"""Who wants to know that what the checks rest on has changed: media, sheets, likenesses.

The review lies above the repository and registers itself (``on_change``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from amgs.repository.models import Version

Listener = Callable[[list[Version]], None]
_LISTENERS: list[Listener] = []


def on_change(function: Listener) -> Listener:
    """Register a function that is called with the versions whose inputs changed."""
    _LISTENERS.append(function)
    return function


def changed(versions: Iterable[Version]) -> None:
    """Tell that the inputs of some versions changed, in the transaction that changed them."""
    rows = list(versions)
    for function in _LISTENERS if rows else ():
        function(rows)


def changed_recordings(keys: Iterable[int]) -> None:
    """Tell the same of every version that holds one of these recordings (primary keys)."""
    held = Version.objects.filter(recordings__in=list(keys), deleted_at=None)
    changed(held.select_related("dataset").distinct().order_by("pk"))

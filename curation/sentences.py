"""How lists and numbers are put into the sentences of refusals."""

from __future__ import annotations

from collections.abc import Sequence


def listing(names: Sequence[str], most: int = 3) -> str:
    """Return `a, b and c`, or `a, b, c and 4 more` for a long list."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    if len(names) > 1:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return names[0] if names else ""


def count(number: int, noun: str, plural: str = "") -> str:
    """Return `1 recording` or `3 recordings`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"

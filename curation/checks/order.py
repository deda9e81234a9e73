"""The order of the files, which may tell the group or the time point."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.telling import Factor, Row, enough, rows_of, told_by

FACTORS: tuple[Factor, ...] = ("group", "time point")
NAMES, TIMES = "order of the file names", "order in which they were recorded"


def order_tells_nothing(facts: VersionFacts) -> Finding:
    """Warns where the order of file names, or of recording, separates groups or time points.

    Time points are recorded one after the other by nature, so only names are held against them.
    Fewer than eight animals are not judged.
    """
    rows = rows_of(facts)
    if not any(enough(rows, factor) for factor in FACTORS):
        return Finding(
            True, "Too few animals to tell whether the order of the files tells a group."
        )
    names = _places([_natural(row.recording.file) for row in rows])
    for factor in FACTORS:
        orders: dict[str, Sequence[float | None]] = {NAMES: names}
        if factor == "group":
            orders[TIMES] = _recorded(rows)
        told = told_by(orders, rows, factor, {})
        if told is not None:
            first, last = told.means[0][0], told.means[-1][0]
            return Finding(
                False,
                f"The {told.what} follows the {factor}: those of {first} come before those of "
                f"{last}. Raters here see frames in random order, but whoever scored in this order "
                "could guess. Give neutral names in random order next time, and say how the "
                "frames were put before the raters.",
            )
    return Finding(True, "The order of the files separates neither groups nor time points.")


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """`r2` before `r10`."""
    parts = re.findall(r"\d+|\D+", name.casefold())
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in parts)


def _recorded(rows: Sequence[Row]) -> list[float | None]:
    times = [_time((row.recording.media or {}).get("creation_time")) for row in rows]
    known = [time for time in times if time is not None]
    # One time for all is when they were copied or exported.
    if len(known) < len(times) or len(set(known)) < len(known) / 2:
        return [None] * len(rows)
    return _places(known)


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        return None


def _places(keys: Sequence[object]) -> list[float | None]:
    order = {key: float(place) for place, key in enumerate(sorted(set(keys)))}  # type: ignore[type-var]
    return [order[key] for key in keys]


CHECK = Check("order", "Order of the files", "warns", order_tells_nothing)

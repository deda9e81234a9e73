"""What a second result of the same recording says otherwise than the first.

Two versions of a model read the same frames, so that no sampling lies between their results. A
value *moved* where the new one lies outside the 95 % measurement interval of the old one: by more
than the frames of this recording can tell. Where the old value has no interval nothing is said.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

COLUMNS = ("what", "key", "from_s", "to_s", "before", "after", "change", "moved")
EDGE_S = 1e-6
"""Bins whose edges lie closer together are the same stretch."""


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Compare two results (`Result.to_json`) of one recording, `after` minus `before`.

    Grades are 0..2, coverage and the shares of states and reasons 0..1, times in seconds. Every
    value is a row of `before`, `after`, `change` (None where one is missing) and `moved` (None
    where no interval tells). `bins` are those both results have, in order of time; `counts` says
    how many of them moved, appeared (a score only after) and vanished (a score only before).
    """
    rows = list(_bins(before, after))
    told = [row for row in rows if row["change"] is not None]
    return {
        "same_frames": before["frames"] == after["frames"],
        "frames": _row(before["frames"], after["frames"]),
        "outcome": {"before": before["outcome"], "after": after["outcome"]},
        "score": _row(before["score"], after["score"], before.get("score_interval")),
        "score_ungated": _row(
            before["score_ungated"], after["score_ungated"], before.get("score_ungated_interval")
        ),
        "coverage": _row(before["coverage"], after["coverage"]),
        "units": dict(_units(before["units"], after["units"])),
        "states": _shares(before, after, "states"),
        "not_scorable": _shares(before, after, "not_scorable"),
        "bins": rows,
        "counts": {
            "bins": len(rows),
            "compared": len(told),
            "moved": sum(row["moved"] is True for row in rows),
            "untold": sum(row["moved"] is None for row in told),
            "appeared": sum(row["before"] is None and row["after"] is not None for row in rows),
            "vanished": sum(row["before"] is not None and row["after"] is None for row in rows),
        },
    }


def as_rows(found: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The difference as a long table with COLUMNS, one row per value."""
    for name in ("score", "score_ungated", "coverage"):
        yield _told(name, "", found[name])
    for what, name in (("unit", "units"), ("state", "states"), ("reason", "not_scorable")):
        for key, row in found[name].items():
            yield _told(what, key, row)
    for row in found["bins"]:
        yield _told("bin", "", row) | {"from_s": row["t0"], "to_s": row["t1"]}


def to_csv(found: Mapping[str, Any], origin: Mapping[str, Any]) -> str:
    """The difference as CSV; every row also carries what `origin` names."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*COLUMNS, *origin], lineterminator="\n")
    writer.writeheader()
    for row in as_rows(found):
        moved = {None: "", True: "yes", False: "no"}[row["moved"]]
        writer.writerow({**row, "moved": moved, **origin})
    return text.getvalue()


def _told(what: str, key: str, row: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: row[name] for name in ("before", "after", "change", "moved")}
    return {"what": what, "key": key, "from_s": None, "to_s": None, **values}


def _row(
    before: float | None, after: float | None, interval: Sequence[float] | None = None
) -> dict[str, Any]:
    known = before is not None and after is not None
    outside = None
    if known and interval:
        outside = not interval[0] <= after <= interval[1]  # type: ignore[operator]
    return {
        "before": before,
        "after": after,
        "change": after - before if before is not None and after is not None else None,
        "interval": list(interval) if interval else None,
        "moved": outside,
    }


def _units(
    before: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    nothing: dict[str, Any] = {"mean": None, "n": 0, "interval": None}
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, nothing), after.get(key, nothing)
        row = _row(old["mean"], new["mean"], old.get("interval"))
        yield key, row | {"n_before": old["n"], "n_after": new["n"]}


def _shares(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str
) -> dict[str, dict[str, Any]]:
    """Shares of all frames by key, the largest of both first."""

    def share(result: Mapping[str, Any], key: str) -> float:
        return result[name].get(key, 0) / result["frames"] if result["frames"] else 0.0

    rows = {
        key: _row(share(before, key), share(after, key))
        for key in dict.fromkeys([*before[name], *after[name]])
    }
    return dict(sorted(rows.items(), key=lambda row: -max(row[1]["before"], row[1]["after"])))


def _bins(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The stretches of both; none where the two have bins of another width."""
    if abs(before["bin_s"] - after["bin_s"]) > EDGE_S:
        return
    later = {round(one["t0"] / EDGE_S): one for one in after["bins"]}
    for old in before["bins"]:
        new = later.get(round(old["t0"] / EDGE_S))
        if new is None:
            continue
        yield {
            "t0": old["t0"],
            "t1": old["t1"],
            **_row(old["score"], new["score"], old.get("interval")),
            "n_before": old["n_graded"],
            "n_after": new["n_graded"],
        }

"""Print, as JSON, how PostgreSQL answers the big lists of a filled site: table → ways of access.

Beside them, under ``blocks``, how many blocks the pages of frames read. Run with the settings of
that site, after ``tests/benchmarks/fill_repository.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import django
from django.db import connection

SEARCHED = 4000


def main() -> dict[str, dict[str, Any]]:
    """Return the plan of each list by its name, and the blocks of some."""
    from django.contrib.auth.models import AnonymousUser

    from amgs.repository import queries, search
    from amgs.repository.frames import frames_query, page_query
    from amgs.repository.models import Dataset, Frame, SearchEntry, Version
    from amgs.repository.ratings_table import ratings_of

    dataset = Dataset.objects.first()
    made = Version.objects.bulk_create(
        Version(dataset=dataset, number=number, title=f"Number {number}")
        for number in range(2, SEARCHED)
    )
    SearchEntry.objects.bulk_create(
        SearchEntry(version=row, words=f"number {row.number} mouse w{row.number}") for row in made
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    big, small = Version.objects.filter(state="published").order_by("pk")
    deep = Frame.objects.filter(recording__versions=big).order_by("-recording_id", "-pk")[150]
    place, until = (deep.recording_id, deep.pk), {"until": big.published_at}
    recording = big.recordings.order_by("-pk").first()
    visible = queries.datasets_visible_to(AnonymousUser())
    everything = Version.objects.select_related("dataset__lab")
    lists = {
        "first page of frames": frames_query(big.pk, **until)[:101],
        "last page of frames": frames_query(big.pk, after=place, **until)[:101],
        "frames of a recording": frames_query(big.pk, recording=recording.public_id, **until)[:101],
        "ratings of a small version": ratings_of(small).order_by(
            "frame__recording_id", "frame_id", "pk"
        ),
        "newest versions": visible.order_by("-pk")[:51],
        "words": search.found(everything, {"q": "w777"}).order_by("-pk")[:51],
    }
    shape = {"name": "pseudonym", "limit": 101, "published": True}
    middle = big.recordings.order_by("pk")[big.recordings.count() // 2].frames.order_by("pk")[49]
    pages = {
        "first": {},
        "middle": {"ended": middle.recording_id, "last": middle.pk},
        "last": {"ended": place[0], "last": place[1]},
    }
    read = {
        name: blocks(page_query(shape, {"version": big.pk, **after}))
        for name, after in pages.items()
    }
    return {name: plan(rows) for name, rows in lists.items()} | {"blocks": read}


def blocks(rows: Any) -> int:
    """Return how many blocks a query reads, from memory or not."""
    told = json.loads(rows.explain(format="json", analyze=True, buffers=True))[0]["Plan"]
    return int(told["Shared Hit Blocks"] + told["Shared Read Blocks"])


def plan(rows: Any) -> dict[str, list[str]]:
    """Return which scans a query makes of which table."""
    told = json.loads(rows.explain(format="json"))
    found: dict[str, list[str]] = {}
    for table, how in _scans(told[0]["Plan"]):
        found.setdefault(table, []).append(how)
    return found


def _scans(node: dict[str, Any], table: str = "") -> Iterator[tuple[str, str]]:
    table = node.get("Relation Name", table)
    if node["Node Type"].endswith("Scan") and not node["Node Type"].startswith("Bitmap Heap"):
        yield table, f"{node['Node Type']} {node.get('Index Name', '')}".strip()
    for child in node.get("Plans", ()):
        yield from _scans(child, table)


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main()))

"""Find versions by words and facets: what is written down for it, and the questions asked.

The words and facets of a version are written when it changes, in the same transaction; an hourly
job writes those of versions that have none yet.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet

from amgs.core.errors import Refused
from amgs.core.jobs import Context, job
from amgs.repository.finding import Facet, SearchEntry
from amgs.repository.frozen import design_of
from amgs.repository.models import Dataset, LabelImport, Version
from curation.dataset_version import LIFECYCLE, WITHDRAWN
from curation.licences import LICENCES
from curation.metadata import BY_KEY

MOST_WORDS = 12
MOST_VALUES = 30
"""Values of one facet that a page offers, the commonest first."""
FACETS = ("state", "lab", "licence", "assay", "coat", "strain", "rated")
STORED = ("assay", "coat", "strain", "rated")
TITLES = {
    "state": "State",
    "lab": "Lab",
    "licence": "Licence",
    "assay": "Assay",
    "coat": "Coat",
    "strain": "Strain",
    "rated": "Has grades",
}
_WORD = re.compile(r"\w+")
Chosen = dict[str, str]


def words_of(*texts: str) -> str:
    """Return the words of some texts, each once, in small letters and joined by spaces."""
    found = (word.casefold() for text in texts for word in _WORD.findall(text.replace("_", " ")))
    return " ".join(dict.fromkeys(found))


def _said(key: str, value: Any) -> str:
    """Return a metadata value as people read it."""
    return dict(BY_KEY[key].terms).get(str(value), str(value)) if key in BY_KEY else str(value)


def refresh(version: Version) -> None:
    """Write the words and facets of a version anew; call it in the transaction of the change."""
    dataset = version.dataset
    shape = design_of(version)
    animals = [row["metadata"] for row in shape["animals"]]
    groups = [row["metadata"] for row in shape["groups"]]
    rated = LabelImport.objects.filter(
        versions=version, status=LabelImport.Status.DONE, frames_matched__gt=0
    ).exists()
    facets = {
        ("assay", str(version.metadata.get("assay") or "")),
        ("rated", "yes" if rated else "no"),
        *(("coat", str(row.get("coat") or "")) for row in animals),
        *(("strain", str(row.get("strain") or "")[:200]) for row in animals),
    }
    texts = [
        version.identifier,
        version.title,
        version.description,
        version.funder,
        *(row["name"] for row in version.contributors),
        version.licence,
        version.doi,
        dataset.lab.name,
        dataset.lab.institution,
        "phantom" if dataset.phantom else "",
    ]
    for row in (version.metadata, *groups, *animals):
        for key, value in row.items():
            if isinstance(value, str) and key in BY_KEY:
                texts += [value, _said(key, value)]
    SearchEntry.objects.update_or_create(version=version, defaults={"words": words_of(*texts)})
    held = set(version.facets.values_list("key", "value"))
    wanted = {(key, value) for key, value in facets if value}
    if gone := held - wanted:
        Facet.objects.filter(
            pk__in=[row.pk for row in version.facets.all() if (row.key, row.value) in gone]
        ).delete()
    Facet.objects.bulk_create(
        [Facet(version=version, key=key, value=value) for key, value in sorted(wanted - held)],
        ignore_conflicts=True,
    )


def refresh_dataset(dataset: Dataset) -> None:
    """Write anew what is found of the newest version of a dataset; published ones never change."""
    rows = dataset.versions.filter(deleted_at=None).select_related("dataset__lab")
    newest = rows.order_by("-number").first()
    if newest is not None:
        refresh(newest)


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=1))
def index_versions(context: Context) -> Mapping[str, int]:
    """Write the words and facets of versions that have none yet."""
    count = 0
    rows = Version.objects.filter(search=None).select_related("dataset__lab").order_by("pk")
    for row in rows[:5000]:
        context.progress(0.5, row.identifier)
        with transaction.atomic():
            refresh(row)
        count += 1
    return {"versions": count}


def check(chosen: Mapping[str, str]) -> Chosen:
    """Return the choices that narrow a list (``q`` and ``FACETS``); raises ``Refused``."""
    found = {key: str(chosen.get(key) or "").strip() for key in ("q", *FACETS)}
    if found["state"] and found["state"] not in LIFECYCLE.states:
        raise Refused(f"There is no state called '{found['state']}'.", field="state")
    if found["licence"] and found["licence"] not in LICENCES:
        raise Refused(f"There is no licence called '{found['licence']}'.", field="licence")
    if found["rated"] not in {"", "yes", "no"}:
        raise Refused("'rated' is 'yes' or 'no'.", field="rated")
    if any("\x00" in value for value in found.values()):
        raise Refused("A search holds no control characters; type the words anew.", field="q")
    return {key: value for key, value in found.items() if value}


def found(rows: QuerySet[Version], chosen: Mapping[str, str]) -> QuerySet[Version]:
    """Return those of some versions that fit all choices.

    What was withdrawn is found by its state alone: its page stays, the search leads nobody to it.
    """
    if chosen and chosen.get("state") != WITHDRAWN:
        rows = rows.exclude(state=WITHDRAWN)
    if words := words_of(chosen.get("q", "")).split()[:MOST_WORDS]:
        rows = rows.filter(search__words__begins=words)
    if state := chosen.get("state"):
        rows = rows.filter(state=state)
    if lab := chosen.get("lab"):
        rows = rows.filter(dataset__lab__public_id=lab)
    if licence := chosen.get("licence"):
        rows = rows.filter(licence=licence)
    for key in STORED:
        if value := chosen.get(key):
            rows = rows.filter(
                Exists(Facet.objects.filter(version=OuterRef("pk"), key=key, value=value))
            )
    return rows


def facets(rows: QuerySet[Version], chosen: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return what the versions that fit can be narrowed by, with counts.

    Each is ``{key, title, values: [{value, title, count, chosen}]}``, the commonest value first.
    A facet counts as if nothing of its own were chosen, so that one can change one's mind: two
    queries serve for all that are not chosen, and two more for each that is.
    """
    counted = _counted(found(rows, chosen))
    for key in FACETS:
        if key in chosen:
            others = {name: value for name, value in chosen.items() if name != key}
            counted[key] = _counted(found(rows, others))[key]
    return [
        {"key": key, "title": TITLES[key], "values": _ranked(key, counted[key], chosen)}
        for key in FACETS
    ]


def _counted(rows: QuerySet[Version]) -> dict[str, dict[tuple[str, str], int]]:
    """Return (value, title) → count of every facet; two queries."""
    counts: dict[str, dict[tuple[str, str], int]] = {key: defaultdict(int) for key in FACETS}
    rows = rows.order_by()
    columns = rows.values_list(
        "state", "licence", "dataset__lab__public_id", "dataset__lab__name"
    ).annotate(count=Count("pk"))
    for state, licence, lab, name, count in columns:
        counts["state"][state, LIFECYCLE.title(state)] += count
        counts["lab"][lab, name] += count
        if licence:
            counts["licence"][licence, licence] += count
    stored = Facet.objects.filter(version__in=rows.values("pk"), key__in=STORED).order_by()
    for key, value, count in stored.values_list("key", "value").annotate(count=Count("pk")):
        counts[key][value, _said(key, value)] += count
    return counts


def _ranked(
    key: str, counts: Mapping[tuple[str, str], int], chosen: Mapping[str, str]
) -> list[dict[str, Any]]:
    ranked = sorted(counts.items(), key=lambda row: (-row[1], row[0][1].casefold()))
    return [
        {"value": value, "title": title, "count": count, "chosen": chosen.get(key) == value}
        for (value, title), count in ranked[:MOST_VALUES]
    ]

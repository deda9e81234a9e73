"""The form of a label file: what it shows of an import, and what its fields say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from amgs.core.errors import Refused
from amgs.repository.services import Answers
from amgs.repository.services.labels import DECLARED
from curation.labels import formats
from curation.labels.columns import IGNORED
from curation.labels.words import TITLES
from models.scale import load_scale

PLAIN = ("format", "conversion", "boxes", "worksheet", "rater", "file", "names")
"""Fields of a mapping that are one text each."""
KINDS = {
    "files": "Recordings",
    "animals": "Animals",
    "time_points": "Time points",
}
MOST_COLUMNS = 200
Shown = dict[str, Any]


def roles() -> list[tuple[str, str]]:
    """Return everything a column can be, with its title; a unit of one rater is typed."""
    units = [(unit.key, unit.title) for unit in load_scale().units]
    return [*units, *TITLES.items(), (IGNORED, "nothing: leave it out")]


def form_of(page: Shown) -> Shown:
    """Return the fields of the form of a label file, as ``label_queries.label_page`` shows it."""
    look = page["look"] or {}
    told = page["mapping"]
    proposed = look.get("mapping", {})
    asked = {row["field"]: row for row in look.get("questions", [])}
    columns = told.get("columns", {})
    recognised = dict(look.get("recognised", []))
    taken = proposed.get("columns", {})
    return {
        "questions": [row | {"value": str(told.get(row["field"], ""))} for row in asked.values()],
        "columns": [
            {
                "header": header,
                "known": recognised.get(header, ""),
                "value": columns.get(header, ""),
                "taken": taken.get(header, ""),
            }
            for header in look.get("headers", [])[:MOST_COLUMNS]
        ],
        "roles": roles(),
        "formats": look.get("formats") or [(form.key, form.title) for form in formats()],
        "told": told,
        "cells": "\n".join(f"{text} = {what}" for text, what in told.get("cells", {}).items()),
        "asked": set(asked),
        "rule": told.get("conversion", ""),
        "names": _names(look, page["places"]),
    }


def _names(look: Shown, places: Mapping[str, Mapping[str, str]]) -> list[Shown]:
    """Return per kind the names that are not found, and those something was said about."""
    found = []
    for kind, title in KINDS.items():
        row = look.get("names", {}).get(kind, {})
        said = places.get(kind, {})
        missing = dict(row.get("missing", []))
        names = [
            {"name": name, "here": said.get(name, ""), "sentence": missing.get(name, "")}
            for name in dict.fromkeys([*missing, *said])
        ]
        if row or names:
            found.append({"kind": kind, "title": title, "rows": names, **row})
    return found


def answers_of(post: QueryDict, page: Shown) -> Answers:
    """Return what a sent form says; raises ``Refused`` for a line that says nothing."""
    look = page["look"] or {}
    mapping: Shown = {key: post[key].strip() for key in PLAIN if post.get(key, "").strip()}
    # A rule that is typed goes before one that is chosen.
    if rule := post.get("conversion-text", "").strip():
        mapping["conversion"] = rule
    if post.get("frames_from") == "1":
        mapping["frames_from"] = 1
    columns = {}
    headers = look.get("headers", [])[:MOST_COLUMNS]
    for at, header in enumerate(headers):
        # The text beside the list says what the list cannot: a unit of one rater.
        value = post.get(f"column-{at}-text", "").strip() or post.get(f"column-{at}", "")
        if value:
            columns[header] = value
    # What the form does not show stays: classes of folders, the rest of very many columns.
    kept = page["mapping"].get("columns", {})
    columns |= {name: what for name, what in kept.items() if name not in headers}
    if columns:
        mapping["columns"] = columns
    if cells := _pairs(post.get("cells", "")):
        mapping["cells"] = cells
    places = {}
    for kind in KINDS:
        said = dict(zip(post.getlist(f"{kind}-name"), post.getlist(f"{kind}-here"), strict=False))
        unseen = {
            name: here for name, here in page["places"].get(kind, {}).items() if name not in said
        }
        places[kind] = unseen | {name: here for name, here in said.items() if here}
    declared = {key: post.get(f"declared-{key}", "") for key in DECLARED}
    return Answers(mapping, places, declared)


def _pairs(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        left, equals, right = line.rpartition("=")
        if not equals:
            raise Refused(
                f"“{line.strip()[:60]}” names no meaning; write for instance  x = missing.",
                field="cells",
            )
        found[left.strip()] = right.strip()
    return found

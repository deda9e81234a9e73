"""What a decision rested on, as sentences: the facts that were kept with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from curation.exclusions import title
from models.scale import load_scale

Facts = Mapping[str, Any]


def sentences(facts: Facts) -> list[str]:
    """Return the facts of a decision as people read them; what only programs need is left out."""
    return [*_audit(facts), *_left_out(facts), *_checks(facts), *_ticks(facts), *_others(facts)]


def _audit(facts: Facts) -> Iterator[str]:
    audit = facts.get("audit")
    if audit:
        yield (
            f"Blind audit: {audit.get('ratings', 0)} of {audit.get('ratings_wanted', 0)} ratings "
            f"of {audit.get('frames', 0)} frames."
        )
    units = (facts.get("agreement") or {}).get("units") or {}
    figures = []
    for unit in load_scale().units:
        kappa = (units.get(unit.key) or {}).get("kappa_pairwise_quadratic")
        if kappa is not None:
            figures.append(f"{unit.title} {kappa:.2f}")
    if figures:
        yield f"Agreement of the raters (weighted kappa): {', '.join(figures)}."
    if facts.get("accepted_although"):
        yield f"Accepted although: {facts['accepted_although']}"


def _left_out(facts: Facts) -> Iterator[str]:
    rows = facts.get("left_out") or []
    if rows:
        frames = sum("frame" in row for row in rows)
        parts = [
            f"{number} {word}{'' if number == 1 else 's'}"
            for number, word in ((len(rows) - frames, "recording"), (frames, "frame"))
            if number
        ]
        reasons = Counter(title(row["reason"]) for row in rows)
        told = ", ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
        yield f"Left out: {' and '.join(parts)}. {told}."


def _ticks(facts: Facts) -> Iterator[str]:
    for tick in facts.get("ticks") or []:
        yield f"Not assessed, and let pass: {tick['title']}. {tick['why']}"


def _checks(facts: Facts) -> Iterator[str]:
    if facts.get("blocking"):
        yield f"Checks that did not pass: {_names(facts['blocking'])}."
    if facts.get("warnings"):
        yield f"Checks that warned: {_names(facts['warnings'])}."
    if facts.get("screening") and not facts.get("blocking"):
        yield "The checks of that day passed."
    if facts.get("facts_sha256"):
        yield f"Facts of the version, SHA-256 {facts['facts_sha256']}."


def _others(facts: Facts) -> Iterator[str]:
    if facts.get("to") and "from" in facts:
        yield f"From {facts['from'] or 'nobody'} to {facts['to']}."
    if facts.get("disagreement"):
        grade = facts.get("grade")
        said = f"grade {grade}" if grade is not None else f"not scorable, {facts.get('reason')}"
        titles = {unit.key: unit.title for unit in load_scale().units}
        unit = titles.get(str(facts.get("unit")), str(facts.get("unit")))
        yield f"{unit}: {facts['disagreement']}; decided: {said.replace('_', ' ')}."
    for row in facts.get("consequences") or []:
        if isinstance(row, Mapping) and row.get("sentence"):
            yield str(row["sentence"])


def _names(keys: Any) -> str:
    return ", ".join(str(key).replace("_", " ") for key in keys)

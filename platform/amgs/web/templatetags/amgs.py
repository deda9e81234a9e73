"""Filters and tags that turn values into the words and figures of a page."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from amgs.core import vocabulary
from amgs.web import vendor as vendored
from amgs.web.grounds import sentences
from curation.metadata import BY_KEY

register = template.Library()

# How a state looks; its name always stands beside the colour.
TONES = {
    "good": {"published", "accepted", "serving", "done", "approved", "ready"},
    "warn": {"changes_requested", "submitted", "retired", "pending"},
    "bad": {"rejected", "retracted", "withdrawn", "failed", "refused", "unreadable"},
    "live": {"screened", "in_review", "running", "evaluated", "queued"},
}


@cache
def _titles() -> dict[str, str]:
    """Return key → title of everything the scale names."""
    pairs = (vocabulary.units, vocabulary.reasons, vocabulary.states, vocabulary.coats)
    return {key: title for choices in reversed(pairs) for key, title in choices()}


@register.filter
def number(value: Any, digits: int = 2) -> str:
    """Return a figure with so many decimals, or a dash where there is none."""
    if value is None or value == "":
        return "–"
    figure = float(value)
    if not math.isfinite(figure):
        return "–"
    return f"{figure:,.{int(digits)}f}".replace("-", "−")


@register.filter
def interval(value: Any, digits: int = 2) -> str:
    """Both ends of an interval, or nothing where there is none."""
    if not value or None in value:
        return ""
    return f"{number(value[0], digits)} to {number(value[1], digits)}"


@register.filter
def signed(value: Any, digits: int = 2) -> str:
    """Return a change with its sign, or a dash where there is none."""
    text = number(value, digits)
    if value in (None, "") or not float(f"{float(value):.{int(digits)}f}"):
        return text.lstrip("−")
    return f"+{text}" if float(value) > 0 else text


@register.filter
def points(value: Any) -> str:
    """Return a change of a share as percentage points with their sign, or a dash."""
    if value in (None, ""):
        return "–"
    return f"{signed(100 * float(value), 0)} points"


@register.filter
def percent(value: Any, digits: int = 0) -> str:
    """Return a share (0–1) as percent, or a dash."""
    if value is None or value == "":
        return "–"
    return f"{100 * float(value):.{int(digits)}f}\N{NARROW NO-BREAK SPACE}%"


@register.filter
def minutes(value: Any) -> str:
    """Return seconds as ``m:ss``, or a dash."""
    if value is None or value == "":
        return "–"
    whole = round(float(value))
    return f"{whole // 60}:{whole % 60:02d}"


@register.filter
def unlocalised(value: Any) -> str:
    """Return a figure as drawings take it: with a point, and no more than it needs."""
    return f"{float(value):g}"


@register.filter
def filesize(value: Any) -> str:
    """Return a number of bytes in kB, MB or GB."""
    size = float(value or 0)
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f}\N{NO-BREAK SPACE}{unit}"
        size /= 1000
    return f"{size:.1f}\N{NO-BREAK SPACE}GB"


@register.filter
def words(value: Any) -> str:
    """Return a key as words: ``changes_requested`` → ``changes requested``."""
    return str(value).replace("_", " ")


@register.filter
def term(value: Any) -> str:
    """Return the title of a unit, reason, state or coat; other keys as words."""
    return _titles().get(str(value)) or words(value)


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """Return ``mapping[key]`` or ``None``; templates cannot ask for a key held in a variable."""
    return mapping.get(key) if isinstance(mapping, dict) else None


@register.inclusion_tag("parts/state.html")
def state(value: str, title: str = "") -> dict[str, str]:
    """Show a state with its colour and its name."""
    tone = next((tone for tone, states in TONES.items() if value in states), "")
    return {"tone": tone, "title": title or words(value)}


@register.simple_tag
def vendor(package: str, file: str) -> str:
    """Return the address of a published file of a browser library."""
    return static(vendored.static_path(package, file))


@register.inclusion_tag("parts/problem.html")
def problem(refused: Any) -> dict[str, Any]:
    """Show a refusal above the form it is about; nothing without one."""
    return {"problem": refused}


@register.inclusion_tag("parts/wrong.html")
def wrong(refused: Any, field: str) -> dict[str, Any]:
    """Show the refusal beside the field it names."""
    hit = refused is not None and refused != "" and refused.field == field
    return {"problem": refused if hit else None, "field": field}


@register.filter
def job_title(kind: str) -> str:
    """Return a job's kind as words: ``scoring.score_video`` → ``Score video``."""
    return words(kind.rpartition(".")[2]).capitalize()


@register.inclusion_tag("parts/bar.html")
def bar(value: Any, most: float = 1.0) -> dict[str, str]:
    """Draw a value as a bar on a ground that ends at ``most``; the figure stands beside it."""
    share = 0.0 if value in (None, "") else min(max(float(value) / float(most), 0.0), 1.0)
    return {"width": f"{100 * share:.2f}"}


@register.filter
def group_title(key: str) -> str:
    """Return a lab-and-coat key of a report as words."""
    return ", ".join(term(part) for part in str(key).split("|"))


@register.simple_tag
def json_ld(value: dict[str, Any]) -> SafeString:
    """Return JSON-LD for search engines; no text of people can end the element it stands in."""
    text = json.dumps(value, ensure_ascii=False).translate(
        {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}
    )
    return format_html('<script type="application/ld+json">{}</script>', mark_safe(text))  # noqa: S308


@register.filter
def ref(identifier: str) -> str:
    """Return an identifier as addresses carry it: ``AMGS-000123/2`` → ``AMGS-000123.2``."""
    return str(identifier).replace("/", ".")


@register.filter
def choice(value: Any, key: str) -> str:
    """Return the title of a metadata value: its controlled term's, or the value itself."""
    field = BY_KEY.get(key)
    if value in (None, ""):
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return dict(field.terms).get(str(value), str(value)) if field else str(value)


def _place(value: float) -> str:
    """Return where a kappa (0–1; below 0 at the left edge) lies on a drawing 100 wide."""
    return f"{100 * min(max(float(value), 0.0), 1.0):.2f}"


@register.inclusion_tag("parts/interval_bar.html")
def interval_bar(value: Any, interval: Any, mark: float) -> dict[str, Any]:
    """Draw a figure (0–1) with its interval, and a mark for what is known from elsewhere."""
    low = width = None
    if interval and None not in interval:
        low = _place(interval[0])
        width = f"{float(_place(interval[1])) - float(low):.2f}"
    place = None if value is None else _place(value)
    return {"value": place, "low": low, "width": width, "mark": _place(mark)}


@register.inclusion_tag("parts/grade_bar.html")
def grade_bar(row: dict[str, Any]) -> dict[str, Any]:
    """Draw how often each grade was given; ``row``: ``counts`` by grade name, ``total``."""
    parts, x = [], 0.0
    spoken = []
    for name, count in row["counts"].items():
        width = 100 * count / max(row["total"], 1)
        parts.append({"name": name, "x": f"{x:.2f}", "width": f"{width:.2f}"})
        word = "not scorable" if name == "gn" else f"grade {name[1:]}"
        spoken.append(f"{word}: {width:.0f} %")
        x += width
    return {"parts": parts, "spoken": ", ".join(spoken)}


@register.simple_tag
def refused_of(actions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the acts that are not open to this person."""
    return [step for step in actions if not step["allowed"]]


@register.filter
def folded(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return decisions newest first; the same small act done again and again becomes one line."""
    lines: list[dict[str, Any]] = []
    for entry in reversed(history):
        last = lines[-1] if lines else {}
        small = not entry["why"] and entry["to"] in ("", entry["from"])
        same = last.get("action") == entry["action"] and last.get("by") == entry["by"]
        if small and last.get("small") and same:
            last["times"] += 1
        else:
            lines.append({**entry, "small": small, "times": 1})
    return lines


@register.simple_tag
def grounds(entry: dict[str, Any]) -> list[str]:
    """Return what a decision rested on, sentence by sentence."""
    return sentences(entry["facts"])

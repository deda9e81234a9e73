"""The plan of a study as a form: its fields, what they mean, and their way there and back."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict

from amgs.core.errors import Refused
from amgs.web.templatetags.amgs import term


@dataclass(frozen=True)
class PlanField:
    """One field of the plan: what people read, and what it holds."""

    key: str
    title: str
    help: str
    kind: str
    """`choice`, `group`, `time`, `number`, `whole`, `switch` or `units`."""
    choices: tuple[tuple[str, str], ...] = ()
    start: Any = None
    rare: bool = False
    """Whether it stands below, with what few people change."""

    def told(self, value: Any) -> str:
        """Return a value in words."""
        if self.kind == "units":
            return ", ".join(map(term, value)) if value else "those scored in nine of ten videos"
        if self.kind == "switch":
            return "yes" if value else "no"
        if value in (None, ""):
            return "–"
        if self.kind == "choice":
            return dict(self.choices).get(value, str(value))
        if self.kind == "time":
            return f"{value:g} h"
        return f"{value:g}" if isinstance(value, float) else str(value)


UNITS = (("animal", "the animal"), ("cage", "the cage"))
PRIMARIES = (
    ("mean_score", "mean score"),
    ("change", "change from the animal's own baseline"),
    ("auc", "area under the curve over baseline"),
    ("high_share", "share of time at or above the cut-off"),
    ("percent_reversal", "percent reversal by the drug"),
)

FIELDS: tuple[PlanField, ...] = (
    PlanField(
        "unit",
        "Experimental unit",
        "What was assigned to a treatment on its own: the animal, or the cage where all of a cage "
        "got the same.",
        "choice",
        UNITS,
        "animal",
    ),
    PlanField(
        "primary",
        "Primary outcome",
        "The one figure that decides; all others are reported beside it.",
        "choice",
        PRIMARIES,
        "mean_score",
    ),
    PlanField(
        "primary_time_h",
        "Time of the primary outcome",
        "After the procedure, as in the table; left open, all times after the baseline count.",
        "time",
    ),
    PlanField(
        "baseline_h", "Baseline", "As in the table; left open, all times at or below 0 h.", "time"
    ),
    PlanField(
        "control", "Control group", "Animals without the procedure, if there are any.", "group"
    ),
    PlanField("vehicle", "Vehicle group", "The procedure without the drug.", "group"),
    PlanField("drug", "Drug group", "The procedure with the drug.", "group"),
    PlanField(
        "cut_off",
        "Cut-off of a high score",
        "Above 0, at most 2. There is no agreed one: take it from your own controls, or leave it "
        "open where no outcome needs it.",
        "number",
    ),
    PlanField("alpha", "Significance level", "", "number", start=0.05, rare=True),
    PlanField(
        "gated",
        "Leave out frames in which the mouse sleeps, grooms or moves",
        "The results are given both ways; this one is tested.",
        "switch",
        start=True,
        rare=True,
    ),
    PlanField(
        "units",
        "Action units",
        "One fixed set for the whole study; none ticked: those scored in nine of ten videos.",
        "units",
        start=[],
        rare=True,
    ),
    PlanField(
        "least_effect",
        "Least effect for percent reversal",
        "It is refused where the effect of the vehicle group may be smaller.",
        "number",
        start=0.1,
        rare=True,
    ),
    PlanField("draws", "Draws", "Resamples and permutations.", "whole", start=9999, rare=True),
    PlanField("seed", "Seed", "The same seed gives the same figures.", "whole", start=0, rare=True),
)


def given_plan(given: QueryDict, *, strict: bool = True) -> dict[str, Any]:
    """Return what the form says, as JSON; raises ``Refused`` for what is no number.

    ``strict=False`` keeps such a text, so that the form can show it again.
    """
    plan: dict[str, Any] = {}
    for field in FIELDS:
        if field.kind == "units":
            plan[field.key] = [_text(key) for key in given.getlist(field.key)]
            continue
        text = _text(given.get(field.key, ""))
        if field.kind == "switch":
            plan[field.key] = bool(text)
        elif field.kind in ("choice", "group"):
            plan[field.key] = text
        else:
            plan[field.key] = _number(field, text, strict)
    return plan


def _text(given: str) -> str:
    return " ".join(given.replace("\x00", " ").split())[:200]


def _number(field: PlanField, text: str, strict: bool) -> Any:
    if not text:
        return field.start
    try:
        number = int(text) if field.kind == "whole" else float(text.replace(",", "."))
        if not math.isfinite(number):
            raise ValueError
        return number
    except (ValueError, OverflowError):
        if not strict:
            return text
        raise Refused(
            f"{field.title} is a {'whole ' if field.kind == 'whole' else ''}number, and "
            f"“{text[:40]}” is none.",
            field=field.key,
        ) from None


def shown_plan(
    plan: Mapping[str, Any], *, groups: Sequence[str], times: Sequence[float], scale: Any
) -> list[dict[str, Any]]:
    """Return the fields with their values and what can be chosen."""
    shown = []
    for field in FIELDS:
        value = plan.get(field.key, field.start)
        choices: list[tuple[Any, str]] = list(field.choices)
        if field.kind == "group":
            choices = [("", "none"), *((name, name) for name in groups)]
            choices += [(value, f"{value} (not in the table)")] if _lost(value, groups) else []
        elif field.kind == "time":
            choices = [("", "none"), *((f"{time:g}", f"{time:g} h") for time in times)]
            lost = value not in (None, "") and value not in times
            choices += [(value, f"{value} h (not in the table)")] if lost else []
            value = f"{value:g}" if isinstance(value, float) else value
        elif field.kind == "units":
            choices = [(unit.key, unit.title) for unit in scale.units]
        shown.append(
            {
                "field": field,
                "value": "" if value is None else value,
                "choices": choices,
                "box": field.kind in ("choice", "group", "time"),
            }
        )
    return shown


def _lost(value: Any, groups: Sequence[str]) -> bool:
    return bool(value) and value not in groups

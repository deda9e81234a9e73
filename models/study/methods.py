"""The paragraph on methods that a paper can take over (after ARRIVE: units, exclusions, tests)."""

from __future__ import annotations

from collections import Counter
from typing import Any

from models.result import BLOCK_S, MINIMUM_FRAMES
from models.scale import Scale
from models.study.plan import OUTCOMES

PHANTOM = (
    "The model was trained on rendered mouse faces (a phantom): these numbers show that the "
    "analysis works and say nothing about mice. They are not for publication as a finding."
)


def methods_text(report: dict[str, Any], scale: Scale) -> str:
    """Paragraphs from the content of report.json; every number in them is from there."""
    parts = [
        _scoring(report, scale),
        _units(report),
        _exclusions(report),
        _primary(report),
        _others(report),
        _intervals(report),
    ]
    if report["phantom"]:
        parts.insert(0, PHANTOM)
    return "\n\n".join([*parts, report["disclaimer"]]) + "\n"


def _scoring(report: dict[str, Any], scale: Scale) -> str:
    model = report["model"]
    named = [f"model {model['name']}"] if model["name"] else []
    named += [f"bundle {model['digest'][:12]}"] if model["digest"] else []
    named += [f"snapshot {model['snapshot'][:24]}"] if model["snapshot"] else []
    units = [scale.unit(key).title.lower() for key in report["units_used"]]
    gate = (
        "Only frames of animals in a graded state (awake, face still and visible) count."
        if report["plan"]["gated"]
        else "All frames whose units can be scored count, whatever the animal's state."
    )
    when = report["model"]["scored_at"]
    scored = f" Recordings were scored {_span(when)}." if when else ""
    return (
        f"Recordings were scored with the automated Mouse Grimace Scale (aMGS "
        f"{report['program']}; {', '.join(named) or 'version not named in the results'}), the same "
        f"version for all.{scored} {gate} The score of an observation (one animal at one time "
        f"point) is the mean expected grade (0–{max(u.top_grade for u in scale.units)}) over "
        f"frames per action unit first and then over {len(units)} units fixed for the study "
        f"({', '.join(units)}); an observation in which one of them was scored in fewer than "
        f"{MINIMUM_FRAMES} frames has no score."
    )


def _units(report: dict[str, Any]) -> str:
    counts, plan = report["counts"], report["plan"]
    groups = "; ".join(
        f"{group}: {row['units']} {_plural(plan['unit'], row['units'])}"
        + (f" ({_many(row['animals'], 'animal')})" if plan["unit"] == "cage" else "")
        for group, row in counts["groups"].items()
    )
    locked = ""
    if plan["changes"]:
        held = f" The plan that holds was locked on {plan['locked_on']}." * bool(plan["locked_on"])
        locked = f"{held} {' '.join(plan['changes'])}"
    elif plan["locked_on"]:
        locked = (
            f" The primary outcome and the cut-off were locked on {plan['locked_on']}, before "
            "group names were shown."
        )
    return (
        f"The experimental unit was the {plan['unit']}, and every test takes one value per unit. "
        f"The study comprised {_many(counts['recordings'], 'recording')} of "
        f"{_many(counts['animals'], 'animal')} ({groups}).{locked}"
    )


def _exclusions(report: dict[str, Any]) -> str:
    rows, lost = report["exclusions"], report["without_score"]
    said = []
    if rows:
        reasons = Counter(row["reason"].rstrip(".") for row in rows)
        told = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
        said.append(f"{_many(len(rows), 'recording')} were left out by the investigator: {told}."
                    if len(rows) > 1 else
                    f"One recording was left out by the investigator: {told}.")  # fmt: skip
    else:
        said.append("No recording was left out by the investigator.")
    if lost:
        reasons = Counter(row["kind"] for row in lost)
        told = "; ".join(f"{reason} ({number})" for reason, number in reasons.most_common())
        said.append(
            f"{len(lost)} of {_many(report['counts']['observations'], 'observation')} had no "
            f"score: {told}."
        )
    else:
        said.append("Every observation had a score.")
    frames, graded = report["counts"]["frames"], report["counts"]["graded"]
    share = 100 * graded / frames if frames else 0
    said.append(f"Of {frames:,} frames {share:.0f} % could be graded.")
    return " ".join(said)


def _primary(report: dict[str, Any]) -> str:
    plan, primary = report["plan"], report["primary"]
    when = (
        f"at {plan['primary_time_h']:g} h" if plan["primary_time_h"] is not None
        else "over all times after the procedure"
    )  # fmt: skip
    cut = f" of {plan['cut_off']:g}" if plan["primary"] == "high_share" else ""
    tests = {row["exact"] for row in primary["pairs"]}
    how = []
    if True in tests:
        how.append("all labellings of the units counted")
    if False in tests:
        how.append(f"{plan['draws']:,} labellings drawn, seed {plan['seed']}")
    family = (
        f" p-values of the {len(primary['pairs'])} comparisons were adjusted by Holm's method."
        if len(primary["pairs"]) > 1
        else ""
    )
    overall = " An overall permutation test of F precedes them." if primary["overall"] else ""
    test = (
        f"Groups were compared by a two-sided permutation test of the difference of means "
        f"({'; '.join(how)}), with the interval that inverts it.{overall}{family}"
        if primary["pairs"]
        else "There was one group, so that none were compared."
    )
    return (
        f"The primary outcome was the {OUTCOMES[plan['primary']]}{cut} {when}. {test} Effect sizes "
        "are Hedges' g (interval from the noncentral t distribution) and Cliff's delta."
    )


def _others(report: dict[str, Any]) -> str:
    said = []
    if report["reversal"]:
        said.append(
            "Percent reversal is 100·(vehicle − drug)/(vehicle − baseline) of group means, with a "
            "bootstrap interval over units; it is refused where the interval of the denominator "
            f"reaches below {report['plan']['least_effect']:g} grades."
        )
    if report["mixed"]:
        mixed = report["mixed"]
        random = [name for name in ("animal", "cage") if mixed["variances"][name] is not None]
        told = " and ".join(random) or "none"
        base = ", the animal's baseline" if mixed["baseline_as_covariate"] else ""
        said.append(
            f"A linear mixed model of all observations after baseline (fixed: time{base}, group; "
            f"random intercepts: {told}; restricted maximum likelihood) has its p-values from "
            f"permuting whole units among groups ({mixed['draws']:,} draws), not from Wald tests."
        )
        if mixed["likelihood_ratio"]:
            said.append(
                "As there are few units, the likelihood ratio of the groups was also compared with "
                f"{mixed['likelihood_ratio']['draws']:,} data sets simulated from the model "
                "without them (parametric bootstrap), not with a χ² distribution."
            )
    if report["plan"]["cut_off"] is not None:
        said.append(
            f"Time counts as high-grimace where the score is {report['plan']['cut_off']:g} or "
            "more; a bout is a run of neighbouring such stretches."
        )
    if report["agreement"]:
        said.append(
            "Agreement with human scores: Bland–Altman bias and limits, ICC(2,1), "
            "quadratic-weighted kappa of the nearest grades, with intervals from drawing units "
            "anew; recordings that are not independent of the model's training are left out."
        )
    said.append(
        "Comparisons other than the primary one are secondary; those of single times are adjusted "
        "together by Holm's method."
    )
    return " ".join(said)


def _intervals(report: dict[str, Any]) -> str:
    level = round(100 * (1 - report["plan"]["alpha"]))
    return (
        f"Intervals are at {level} %. Those of groups come from drawing experimental units anew "
        f"and tell how units differ; those of single recordings come from drawing blocks of "
        f"{BLOCK_S:g} s and tell how well one recording is measured."
    )


def _many(number: int, noun: str) -> str:
    return f"{number} {_plural(noun, number)}"


def _plural(noun: str, number: int) -> str:
    return noun if number == 1 else f"{noun}s"


def _span(dates: list[str]) -> str:
    return f"on {dates[0]}" if dates[0] == dates[-1] else f"from {dates[0]} to {dates[-1]}"

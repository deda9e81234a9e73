"""The results of a study in the order they are read: sentences, figures and tables of words.

Every figure comes from report.json as it was computed; here it only becomes text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from amgs.web.templatetags.amgs import interval, number, percent, signed, words

Row = Mapping[str, Any]
Show = Callable[[Any], str]
Column = tuple[str, str, Show]


def _two(value: Any) -> str:
    return number(value, 2)


def _change(value: Any) -> str:
    return signed(value, 2)


def _ends(value: Any) -> str:
    if not value:
        return "–"
    low, high = value
    if low is None and high is None:
        return "–"
    if low is None:
        return f"up to {_two(high)}"
    return f"from {_two(low)}" if high is None else interval(value, 2)


def p_value(value: Any) -> str:
    """Return a p-value with the figures that it deserves."""
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def _whole(value: Any) -> str:
    return "–" if value is None else f"{value:,}"


def _hours(value: Any) -> str:
    return "–" if value is None else f"{value:g} h".replace("-", "−")


def _needed(value: Any) -> str:
    return "over 1,000" if value is None else str(value)


@dataclass(frozen=True)
class Table:
    """A table of words: which columns hold figures is said by ``numeric``."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Section:
    """One part of the results, with the key of its figure if it has one."""

    key: str
    title: str
    said: tuple[str, ...] = ()
    figure: str = ""
    tables: tuple[Table, ...] = ()


def _table(title: str, rows: Iterable[Row], columns: Sequence[Column]) -> tuple[Table, ...]:
    """Return the table, or nothing where it would be empty."""
    shown = tuple(tuple(show(row.get(key)) for key, _, show in columns) for row in rows)
    return (Table(title, tuple(name for _, name, _ in columns), shown),) if shown else ()


def _pairs(title: str, rows: Iterable[Row], *, time: bool = False) -> tuple[Table, ...]:
    told = [
        {
            **row,
            "pair": f"{row['group']} − {row['reference']}",
            "units": f"{row['n_group']} | {row['n_reference']}",
        }
        for row in rows
    ]
    columns: list[Column] = [
        ("pair", "group − reference", str),
        ("units", "units", str),
        ("difference", "difference", _change),
        ("interval", "interval", _ends),
        ("p", "p", p_value),
        ("p_holm", "p (Holm)", p_value),
        ("hedges_g", "Hedges’ g", _two),
        ("g_interval", "interval of g", _ends),
        ("cliffs_delta", "Cliff’s δ", _two),
        ("delta_interval", "interval of δ", _ends),
    ]
    return _table(title, told, [("time_h", "time", _hours), *columns] if time else columns)


def sections(report: Mapping[str, Any]) -> list[Section]:
    """Return the parts of a report that have something to say, in their order."""
    parts = (
        _primary,
        _course,
        _reversal,
        _high,
        _distribution,
        _scorable,
        _others,
        _mixed,
        _agreement,
        _power,
        _left_out,
    )
    found = (part(report) for part in parts)
    return [one for one in found if one.said or one.tables or one.figure]


def _level(report: Mapping[str, Any]) -> str:
    return f"{100 * (1 - report['plan']['alpha']):g} %"


def _primary(report: Mapping[str, Any]) -> Section:
    primary, plan = report["primary"], report["plan"]
    time = plan["primary_time_h"]
    when = f"at {_hours(time)}" if time is not None else "over all times after the procedure"
    several = len(primary["pairs"]) > 1
    said = []
    for row in primary["pairs"]:
        pair = f"{row['group']} − {row['reference']}"
        if row["difference"] is None:
            said.append(f"{pair}: no value in one of the groups.")
            continue
        ends = _ends(row["interval"])
        told = f"{_level(report)} interval {ends}" if ends != "–" else "no interval: too few units"
        p = p_value(row["p_holm"] if several else row["p"])
        mark = "" if p.startswith("<") else "= "
        holm = " by Holm’s method" if several else ""
        said.append(f"{pair}: {_change(row['difference'])} ({told}; p {mark}{p}{holm}).")
    title = f"Primary outcome: {primary['title']} {when}"
    tables = _pairs("Groups compared, one value per experimental unit", primary["pairs"])
    return Section("primary", title, tuple(said), "primary", tables)


def _course(report: Mapping[str, Any]) -> Section:
    columns: list[Column] = [
        ("group", "group", str),
        ("time_h", "time", _hours),
        ("mean", "mean", _two),
        ("interval", "interval", _ends),
        ("units", "units", _whole),
        ("animals", "animals", _whole),
        ("without_score", "without score", _whole),
        ("graded", "frames graded", _whole),
        ("not_graded", "not graded", _whole),
    ]
    tables = _table("Mean of each group over time", report["time_course"], columns)
    tables += _pairs("Every time by itself (secondary)", report["by_time"], time=True)
    return Section("time-course", "Time course", (), "time_course", tables)


def _reversal(report: Mapping[str, Any]) -> Section:
    found = report["reversal"]
    if not found:
        return Section("reversal", "")
    if found["refused"]:
        return Section("reversal", "Percent reversal", (found["refused"],))
    low, high = (number(end, 0) for end in found["interval"])
    told = (
        f"{found['drug']} against {found['vehicle']}: {number(found['percent'], 0)} % of the "
        f"effect is reversed (interval {low} to {high} %). The effect is "
        f"{_two(found['effect'])} grades ({_ends(found['effect_interval'])})."
    )
    return Section("reversal", "Percent reversal", (told,))


def _high(report: Mapping[str, Any]) -> Section:
    columns: list[Column] = [
        ("group", "group", str),
        ("units", "units", _whole),
        ("high_share", "share of time", percent),
        ("high_share_interval", "interval (0–1)", _ends),
        ("bouts_per_min", "bouts per minute", _two),
        ("bouts_per_min_interval", "interval", _ends),
        ("bout_s", "mean bout (s)", lambda value: number(value, 1)),
        ("longest_bout_s", "longest (s)", lambda value: number(value, 0)),
    ]
    tables = _table("Share of the scored time, and bouts", report["high_grimace"], columns)
    title = f"Time at or above {report['plan']['cut_off'] or 0:g}"
    return Section("high", title if tables else "", (), "high_share" if tables else "", tables)


def _distribution(report: Mapping[str, Any]) -> Section:
    rows = report["distribution"]
    if not rows:
        return Section("distribution", "")
    count = len(rows[0]["shares"])
    edges = [2 * place / count for place in range(count + 1)]
    heads = [f"{low:g}–{high:g}" for low, high in pairwise(edges)]
    told = [{"group": row["group"], **dict(zip(heads, row["shares"], strict=True))} for row in rows]
    columns: list[Column] = [("group", "group", str), *((head, head, percent) for head in heads)]
    tables = _table("Share of the scored time by score", told, columns)
    return Section("distribution", "Distribution of scores", (), "distribution", tables)


def _scorable(report: Mapping[str, Any]) -> Section:
    counts = [{"group": key, **row} for key, row in report["counts"]["groups"].items()]
    columns: list[Column] = [
        ("group", "group", str),
        ("units", "units", _whole),
        ("animals", "animals", _whole),
        ("observations", "observations", _whole),
        ("scored", "with a score", _whole),
        ("coverage", "frames scorable", percent),
    ]
    gates = [{**row, "pair": f"{row['group']} − {row['reference']}"} for row in report["gate"]]
    tables = _table("What each group consists of", counts, columns)
    tables += _table(
        "Difference of the mean score with and without the gate of the states",
        gates,
        [
            ("pair", "group − reference", str),
            ("gated", "graded states only", _change),
            ("ungated", "whatever the state", _change),
        ],
    )
    return Section("scorable", "What could be scored", (), "states", tables)


def _others(report: Mapping[str, Any]) -> Section:
    tables: tuple[Table, ...] = ()
    for one in report["secondary"]:
        tables += _pairs(one["title"].capitalize(), one["pairs"])
    tables += _pairs("Baseline", report["baseline"])
    said = ("Secondary: adjusted within each table only.",) if tables else ()
    return Section("others", "Other outcomes", said, "", tables)


def _mixed(report: Mapping[str, Any]) -> Section:
    found = report["mixed"]
    if not found:
        return Section("mixed", "")
    told = (
        f"{found['observations']} observations of {found['animals']} animals. Groups differ on "
        f"average: p {p_value(found['p_group'])}; at any time: p {p_value(found['p_any_time'])}. "
        "Both come from permuting whole units; Wald tests are too sure with few units."
    )
    said = [told]
    # Reports of before have none, nor those of many units.
    if ratio := found.get("likelihood_ratio"):
        said.append(
            f"Simulated from the model, the likelihood ratio has p {p_value(ratio['p'])}; the χ² "
            f"distribution would say {p_value(ratio['p_asymptotic'])}, which holds for many units "
            "only. The simulation rests on normal distributions, the permutation does not."
        )
    rows = [{**row, "pair": f"{row['group']} − {row['reference']}"} for row in found["estimates"]]
    columns: list[Column] = [
        ("pair", "group − reference", str),
        ("difference", "difference", _change),
        ("interval", "interval", _ends),
    ]
    return Section("mixed", "Mixed model", tuple(said), "", _table("Average", rows, columns))


def _agreement(report: Mapping[str, Any]) -> Section:
    found = report["agreement"]
    if not found:
        return Section("agreement", "")
    low, high = found["limits"]
    rows = [
        {"figure": "bias (model − human)", "value": found["bias"], "ends": found["bias_interval"]},
        {"figure": "lower limit of agreement", "value": low, "ends": found["lower_interval"]},
        {"figure": "upper limit of agreement", "value": high, "ends": found["upper_interval"]},
        {"figure": "ICC(2,1)", "value": found["icc"], "ends": found["icc_interval"]},
        {
            "figure": "quadratic-weighted κ",
            "value": found["kappa"],
            "ends": found["kappa_interval"],
        },
    ]
    columns: list[Column] = [
        ("figure", "figure", str),
        ("value", "value", _two),
        ("ends", "interval", _ends),
    ]
    tables = _table(f"{found['observations']} observations", rows, columns)
    return Section("agreement", "Agreement with your own scores", (), "agreement", tables)


def _power(report: Mapping[str, Any]) -> Section:
    found = report["power"]
    if not found:
        return Section("power", "")
    told = (
        f"Planned from the spread within groups that was seen here, {_two(found['spread'])}, never "
        "from the difference that was seen, which is as often too large."
    )
    columns: list[Column] = [
        ("difference", "difference to find", _two),
        ("power_as_here", f"power with {found['smallest_group']} per group", percent),
        ("needed_80", "needed for 80 %", _needed),
        ("needed_90", "needed for 90 %", _needed),
        ("needed_80_cautious", "for 80 %, cautious", _needed),
    ]
    title = f"{report['plan']['unit'].capitalize()}s per group, two groups, two-sided"
    tables = _table(title, found["rows"], columns)
    return Section("power", "Power of the next experiment", (told,), "", tables)


def _left_out(report: Mapping[str, Any]) -> Section:
    columns: list[Column] = [
        ("name", "video", str),
        ("animal", "animal", str),
        ("group", "group", str),
        ("time_h", "time", _hours),
        ("reason", "reason", words_of),
    ]
    rows = (*report["exclusions"], *report["without_score"])
    return Section("left-out", "Left out", (), "", _table("Videos without a part", rows, columns))


def words_of(value: Any) -> str:
    """Return a reason as it was written."""
    return words(value) if value else "–"

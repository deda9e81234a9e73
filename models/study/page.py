"""report.html of a study: self-contained, without scripts, made to be read and printed."""

from __future__ import annotations

import html
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from models.report.markup import STYLE, change, number, percent, span, table
from models.scale import Scale
from models.study.figures import Drawn
from models.study.observations import EDGES
from models.study.plan import OUTCOMES

PRINT = """
.answer{font-size:1.15rem;line-height:1.45;margin:1rem 0}
.caution{border-left:4px solid var(--human);background:#fdf3dc;padding:.5rem 1rem;margin:.4rem 0;
max-width:none}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.75rem 0}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.methods p{max-width:none}
.texts th,.texts td{text-align:left;white-space:normal}
@media(prefers-color-scheme:dark){.caution{background:#3a2f18}}
@page{size:A4;margin:16mm 15mm}
@media print{
:root{--paper:#fff;--ink:#000;--soft:#444;--line:#bbb;--model:#2a6f97;color-scheme:light}
body{font-size:10pt;max-width:none;padding:0}p{max-width:none}
h1{font-size:17pt;margin-top:0}h2{font-size:12.5pt;margin-top:1.4rem;break-after:avoid}
.caption{break-after:avoid}figure,.caution,.note,tr{break-inside:avoid}
.note,.caution{background:none;border:1px solid #c77d2e;border-left-width:4px}
.answer{font-size:11.5pt;margin:.5rem 0}.caption,figcaption{font-size:9pt}
.wide{overflow:visible}th:first-child{position:static}table{font-size:8.5pt;width:100%}thead{display:table-header-group}
th,td{padding:.12rem .3rem}
.panels svg{filter:none;max-width:150mm}
}
"""


def write_page(path: Path, report: dict[str, Any], drawn: Sequence[Drawn], scale: Scale) -> None:
    """Write the page from the content of report.json and the figures."""
    by_key = {one.key: one for one in drawn}
    model = report["model"]
    body = [
        f'<p class="note">{html.escape(report["disclaimer"])}</p>',
        "<h1>Study report</h1>",
        f"<p>{_what(report)}</p>",
        *(f'<p class="caution" role="note">{html.escape(one["sentence"])}</p>'
          for one in report["warnings"]),
        *_answer(report, by_key),
        *_course(report, by_key),
        *_reversal(report),
        *_high(report, by_key),
        *_distribution(report, by_key),
        *_states(report, by_key),
        *_secondary(report),
        *_mixed(report),
        *_agreement(report, by_key),
        *_power(report),
        "<h2>Methods</h2>",
        '<div class="methods">',
        *(f"<p>{html.escape(part)}</p>" for part in report["methods"].strip().split("\n\n")),
        "</div>",
        *_left_out(report),
        "<h2>Where it comes from</h2>",
        _facts({
            "Model": model["name"] or "not named in the results",
            "Bundle": model["digest"] or "not named in the results",
            "Snapshot": model["snapshot"] or "not named in the results",
            "Analysed": f"{report['date']}, aMGS {report['program']}",
            "Seed": f"{report['plan']['seed']}, {report['plan']['draws']:,} draws",
            "Action units": ", ".join(scale.unit(key).title for key in report["units_used"]),
        }),
    ]  # fmt: skip
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Study report</title><style>{STYLE}{PRINT}</style></head><body><main>"
        f"{''.join(body)}</main></body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def p_value(p: float | None) -> str:
    """A p-value as text, a dash where there is none."""
    if p is None:
        return "–"
    return "&lt; 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def _figure(by_key: dict[str, Drawn], key: str) -> str:
    one = by_key.get(key)
    if one is None:
        return ""
    return (
        f'<figure><div class="panels">{one.svg}</div>'
        f"<figcaption>{html.escape(one.caption)}</figcaption></figure>"
    )


def _facts(rows: dict[str, str]) -> str:
    told = "".join(f"<dt>{html.escape(k)}</dt><dd>{html.escape(v)}</dd>" for k, v in rows.items())
    return f"<dl>{told}</dl>"


def _what(report: dict[str, Any]) -> str:
    counts, model = report["counts"], report["model"]
    named = model["name"] or (f"bundle {model['digest'][:12]}" if model["digest"] else "a model")
    left = f" ({counts['excluded']} more left out)" if counts["excluded"] else ""
    return html.escape(
        f"{counts['recordings']} recordings of {counts['animals']} animals in "
        f"{len(report['groups'])} groups{left}, scored by {named}; {counts['scored']} of "
        f"{counts['observations']} observations have a score, on {counts['graded']:,} of "
        f"{counts['frames']:,} frames. Analysed on {report['date']}."
    )


def _ends(interval: Sequence[float | None] | None, digits: int = 2) -> str:
    """An interval as text; an open end is said so."""
    if not interval or all(end is None for end in interval):
        return "–"
    return span(interval, lambda value: number(value, digits))


def _hours(time: float) -> str:
    return f"{time:g} h".replace("-", "−")


def _digits(outcome: str) -> int:
    return 1 if outcome == "auc" else 2


def _answer(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    primary, plan = report["primary"], report["plan"]
    when = (
        f"at {plan['primary_time_h']:g} h"
        if plan["primary_time_h"] is not None
        else "over all times after the procedure"
    )
    level = round(100 * (1 - plan["alpha"]))
    said = []
    for row in primary["pairs"]:
        if row["difference"] is None:
            said.append(
                f"<p>{html.escape(row['group'])} against {html.escape(row['reference'])}: no value "
                "in one of the groups.</p>"
            )
            continue
        digits = _digits(primary["outcome"])
        ends = _ends(row["interval"], digits)
        interval = f"{level} % interval {ends}" if ends != "–" else "no interval: too few units"
        several = len(primary["pairs"]) > 1
        p = f"p = {p_value(row['p_holm'])} (Holm)" if several else f"p = {p_value(row['p'])}"
        said.append(
            f'<p class="answer"><strong>{html.escape(row["group"])} − '
            f"{html.escape(row['reference'])}: {change(row['difference'], digits)}</strong> "
            f"({interval}; {p.replace('= &lt;', '&lt;')}; Hedges’ g {number(row['hedges_g'])})</p>"
        )
    overall = primary["overall"]
    if overall and overall["p"] is not None:
        said.append(
            f"<p>All {overall['groups']} groups together: F = {number(overall['f'])}, "
            f"p = {p_value(overall['p'])}.</p>".replace("= &lt;", "&lt;")
        )
    return [
        f"<h2>Primary outcome: {html.escape(OUTCOMES[plan['primary']])} {when}</h2>",
        *said,
        _figure(by_key, "primary"),
        _tests(f"{primary['title'].capitalize()} {when}", primary["pairs"], primary["outcome"]),
    ]


def _tests(caption: str, rows: Sequence[dict[str, Any]], outcome: str, time: bool = False) -> str:
    digits = _digits(outcome)
    head = ["group against reference", "units", "difference", "interval", "p", "p (Holm)",
            "Hedges’ g", "interval", "Cliff’s δ", "interval"]  # fmt: skip
    cells = [
        [
            *([_hours(row["time_h"])] if time else []),
            html.escape(f"{row['group']} − {row['reference']}"),
            f"{row['n_group']} | {row['n_reference']}",
            "–" if row["difference"] is None else change(row["difference"], digits),
            _ends(row["interval"], digits),
            p_value(row["p"]),
            p_value(row.get("p_holm")),
            number(row["hedges_g"]),
            _ends(row["g_interval"]),
            *([] if time else [number(row["cliffs_delta"]), _ends(row["delta_interval"])]),
        ]
        for row in rows
    ]
    return table(caption, ["time", *head[:-2]] if time else head, cells)


def _course(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    rows = [
        [f"{html.escape(row['group'])}, {_hours(row['time_h'])}", number(row["mean"]),
         _ends(row["interval"]), str(row["units"]), str(row["animals"]),
         str(row["without_score"]), f"{row['graded']:,}", f"{row['not_graded']:,}"]
        for row in report["time_course"]
    ]  # fmt: skip
    noun = f"{report['plan']['unit']}s"
    return [
        "<h2>Time course</h2>",
        _figure(by_key, "time_course"),
        table(
            f"Mean over {noun}, with what was counted",
            ["group, time", "mean", "interval", "units", "animals", "observations without score",
             "frames graded", "not graded"],
            rows,
        ),
        _tests("Every time by itself (secondary; Holm over all of them)", report["by_time"],
               "mean_score", time=True),
    ]  # fmt: skip


def _reversal(report: dict[str, Any]) -> list[str]:
    found = report["reversal"]
    if not found:
        return []
    names = f"{html.escape(found['drug'])} against {html.escape(found['vehicle'])}"
    if found["refused"]:
        said = f"<p>{html.escape(found['refused'])}</p>"
    else:
        said = (
            f'<p class="answer"><strong>{number(found["percent"], 0)} %</strong> '
            f"(interval {_ends(found['interval'], 0)} %): {names}. The effect that is reversed is "
            f"{number(found['effect'])} grades ({_ends(found['effect_interval'])}).</p>"
        )
    return ["<h2>Percent reversal</h2>", said]


def _high(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    if not report["high_grimace"]:
        return []
    rows = [
        [html.escape(row["group"]), str(row["units"]), percent(row["high_share"]),
         _ends([None if end is None else 100 * end for end in row["high_share_interval"]], 1),
         number(row["bouts_per_min"]), _ends(row["bouts_per_min_interval"]),
         number(row["bout_s"], 1), number(row["longest_bout_s"], 0)]
        for row in report["high_grimace"]
    ]  # fmt: skip
    return [
        f"<h2>Time at or above {report['plan']['cut_off']:g}</h2>",
        _figure(by_key, "high_share"),
        table(
            "Share of the scored time and bouts",
            ["group", "units", "share", "interval (%)", "bouts per minute", "interval",
             "mean bout (s)", "longest (s)"],
            rows,
        ),
    ]  # fmt: skip


def _distribution(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    if not report["distribution"]:
        return []
    head = ["group", *(f"{low:g}–{high:g}" for low, high in pairwise(EDGES))]
    rows = [
        [html.escape(row["group"]), *(percent(share) for share in row["shares"])]
        for row in report["distribution"]
    ]
    return [
        "<h2>Distribution of scores</h2>",
        _figure(by_key, "distribution"),
        table("Share of the scored time by score", head, rows),
    ]


def _states(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    rows = [
        [html.escape(f"{row['group']} − {row['reference']}"),
         *("–" if row[key] is None else change(row[key]) for key in ("gated", "ungated"))]
        for row in report["gate"]
    ]  # fmt: skip
    return [
        "<h2>What could be scored</h2>",
        _figure(by_key, "states"),
        table(
            "Difference of the mean score with and without the gate of the states",
            ["group against reference", "graded states only", "whatever the state"],
            rows,
        ),
    ]


def _secondary(report: dict[str, Any]) -> list[str]:
    said = ["<h2>Other outcomes</h2>",
            "<p>Secondary: adjusted within each table only.</p>"]  # fmt: skip
    for one in report["secondary"]:
        said.append(_tests(one["title"].capitalize(), one["pairs"], one["outcome"]))
    said.append(_tests("Baseline", report["baseline"], "mean_score"))
    return said


def _mixed(report: dict[str, Any]) -> list[str]:
    found = report["mixed"]
    if not found:
        return []
    rows = [
        [html.escape(f"{row['group']} − {row['reference']}"),
         "–" if row["difference"] is None else change(row["difference"]), _ends(row["interval"])]
        for row in found["estimates"]
    ]  # fmt: skip
    variances = "; ".join(
        f"{name} {number(value, 3)}" for name, value in found["variances"].items()
        if value is not None
    )  # fmt: skip
    any_time = (
        f" Groups differ at any time (group and group × time): p = {p_value(found['p_any_time'])}."
        if found["p_any_time"] is not None
        else ""
    )
    ratio = found["likelihood_ratio"]
    simulated = (
        f" Simulated from the model: p = {p_value(ratio['p'])} of the likelihood ratio (χ² would "
        f"say {p_value(ratio['p_asymptotic'])}); it rests on normal distributions."
        if ratio
        else ""
    )
    said = (
        f"{found['observations']} observations of {found['animals']} animals. Groups differ on "
        f"average: p = {p_value(found['p_group'])}.{any_time} Both from permuting whole units; "
        f"Wald tests are too sure with few units.{simulated} Variances: {variances}."
    ).replace("= &lt;", "&lt;")
    return [
        "<h2>Mixed model</h2>",
        f"<p>{said}</p>",
        table(
            f"Average difference ({found['degrees_of_freedom']} degrees of freedom between units)",
            ["group against reference", "difference", "interval"],
            rows,
        ),
    ]


def _agreement(report: dict[str, Any], by_key: dict[str, Drawn]) -> list[str]:
    found = report["agreement"]
    if not found:
        return []
    rows = [
        ["bias (model − human)", number(found["bias"]), _ends(found["bias_interval"])],
        ["lower limit of agreement", number(found["limits"][0]), _ends(found["lower_interval"])],
        ["upper limit of agreement", number(found["limits"][1]), _ends(found["upper_interval"])],
        ["ICC(2,1)", number(found["icc"]), _ends(found["icc_interval"])],
        ["quadratic-weighted κ", number(found["kappa"]), _ends(found["kappa_interval"])],
    ]
    return [
        "<h2>Agreement with your own scores</h2>",
        _figure(by_key, "agreement"),
        table(
            f"{found['observations']} observations of {found['units']} {report['plan']['unit']}s",
            ["figure", "value", "interval"],
            rows,
        ),
    ]


def _power(report: dict[str, Any]) -> list[str]:
    found = report["power"]
    if not found:
        return []
    digits = _digits(found["outcome"])

    def needed(value: int | None) -> str:
        return "over 1,000" if value is None else str(value)

    rows = [
        [number(row["difference"], digits), percent(row["power_as_here"]),
         needed(row["needed_80"]), needed(row["needed_90"]), needed(row["needed_80_cautious"])]
        for row in found["rows"]
    ]  # fmt: skip
    return [
        "<h2>Power of the next experiment</h2>",
        f"<p>Planned from the spread within groups that was seen here, "
        f"{number(found['spread'], digits)} ({found['degrees_of_freedom']} degrees of freedom), "
        "not from the difference that was seen, which is too large as often as not. The cautious "
        f"column takes the upper 80 % bound of it, {number(found['cautious_spread'], digits)}.</p>",
        table(
            f"{OUTCOMES[found['outcome']].capitalize()}: two groups, two-sided, "
            f"{report['plan']['unit']}s per group",
            ["difference to find", f"power with {found['smallest_group']}", "for 80 %",
             "for 90 %", "for 80 %, cautious"],
            rows,
        ),
    ]  # fmt: skip


def _left_out(report: dict[str, Any]) -> list[str]:
    rows = [
        [html.escape(row["name"]), html.escape(row["animal"]), html.escape(row["group"]),
         "–" if row["time_h"] is None else _hours(row["time_h"]), html.escape(row["reason"])]
        for row in (*report["exclusions"], *report["without_score"])
    ]  # fmt: skip
    if not rows:
        return []
    head = ["recording", "animal", "group", "time", "reason"]
    told = table("Recordings without a part in the numbers", head, rows)
    return [f'<h2>Left out</h2><div class="texts">{told}</div>']

"""Numbers, tables and plots as HTML."""

from __future__ import annotations

import html
import io
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

STYLE = """
:root{--paper:#fff;--ink:#222;--soft:#5a5a5a;--line:#ddd;--model:#2a6f97;--human:#c77d2e}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;max-width:64rem;margin:0 auto;padding:1rem;color:var(--ink);
background:var(--paper)}
h1{font-size:1.6rem;line-height:1.2;margin:1rem 0 .5rem}
h2{font-size:1.2rem;margin:2.5rem 0 .25rem;border-top:1px solid var(--line);padding-top:1rem}
p{margin:.5rem 0;max-width:46rem}.soft{color:var(--soft)}
.note{background:#fdf3dc;border-left:4px solid var(--human);padding:.6rem 1rem;font-weight:600;
max-width:none}
.wide{overflow-x:auto;margin:0 0 .75rem}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}
th,td{padding:.25rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
th{font-weight:600;vertical-align:bottom}
thead th{white-space:normal;max-width:7rem;line-height:1.25}
tbody th{font-weight:400}
th:first-child,td:first-child{text-align:left;padding-left:0}
th:first-child{position:sticky;left:0;background:var(--paper)}
.caption{color:var(--soft);font-size:.9rem;margin:1rem 0 .2rem}
figure{margin:1.25rem 0}figcaption{color:var(--soft);font-size:.9rem;margin-top:.25rem}
.panels{display:flex;flex-wrap:wrap;gap:.6rem .9rem;align-items:flex-start}
.panels svg{max-width:100%;height:auto;flex:0 1 auto}
@media(max-width:30rem){.panels.small svg{max-width:calc(50% - .45rem)}
tbody th{white-space:normal;max-width:8rem;line-height:1.3}}
details{margin:.75rem 0}summary{cursor:pointer;color:var(--model)}
@media(prefers-color-scheme:dark){
:root{--paper:#1a1a1a;--ink:#e4e4e4;--soft:#a8a8a8;--line:#3a3a3a;--model:#7cb8dc;--human:#c77d2e;color-scheme:dark}
.note{background:#3a2f18}
.panels svg{filter:invert(.9) hue-rotate(180deg)}}
"""
# Plots are drawn for white paper: turned over they keep their hues, and white becomes #1a1a1a.

Draw = Callable[[], Figure | None]


def number(value: Any, digits: int = 2) -> str:
    """A number as text, a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


def change(value: float, digits: int = 2) -> str:
    """A difference as text, with its sign where it is not rounded to nothing."""
    text = number(value, digits)
    return text if float(f"{value:.{digits}f}") <= 0 else f"+{text}"


def percent(value: float | None) -> str:
    """A share as a percentage with one digit, a dash where there is none."""
    return "–" if value is None else f"{100 * value:.1f} %"


def span(ends: Sequence[float | None], show: Callable[[Any], str] = number) -> str:
    """An interval as text, a dash where there is none."""
    return "–" if None in ends else " … ".join(show(end) for end in ends)


def table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose cells are HTML already; empty where there are no rows."""
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>'
        + "".join(f"<td>{cell}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    if not body:
        return ""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    # A caption inside would scroll with the table and be cut off on a phone.
    name = html.escape(caption, quote=True)
    return (
        f'<p class="caption">{html.escape(caption)}</p>'
        f'<div class="wide" tabindex="0" role="region" aria-label="{name}"><table>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"
        "</div>"
    )


def figure(caption: str, *panels: tuple[str, Draw], small: bool = False) -> str:
    """Plots as inline SVG beside each other, each with its label for those who do not see it.

    They fold under one another on a narrow screen, `small` ones two by two. Empty where no panel
    has anything to show.
    """
    drawn = "".join(drawn_svg(label, draw) for label, draw in panels)
    if not drawn:
        return ""
    return (
        f'<figure><div class="panels{" small" if small else ""}">{drawn}</div>'
        f"<figcaption>{html.escape(caption)}</figcaption></figure>"
    )


def drawn_svg(label: str, draw: Draw) -> str:
    """A plot as SVG that says its label; empty where there is nothing to draw."""
    # A fixed salt, so that the same figures give the same bytes.
    look: dict[Any, Any] = {
        "svg.hashsalt": f"amgs {label}",
        "svg.fonttype": "none",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#777777",
        "axes.titlesize": 9.5,
        "xtick.color": "#555555",
        "ytick.color": "#555555",
    }
    with rc_context(look):
        drawn = draw()
        if drawn is None:
            return ""
        buffer = io.StringIO()
        drawn.savefig(buffer, format="svg", metadata={"Date": None}, bbox_inches="tight")
    text = buffer.getvalue()
    name = html.escape(label, quote=True)
    svg = text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{name}"', 1)
    # Marks of one plot must not be taken for those of another on the same page.
    key = f"p{zlib.crc32(label.encode()):08x}-"
    svg = re.sub(r'(id="|href="#|url\(#)', lambda found: found.group(1) + key, svg)
    return svg.strip()

"""Small charts as inline SVG: coloured by classes, so that they follow a light or dark screen.

Every drawing has a fixed box of its own units and grows with the page; the figures themselves stand
in a table or sentence beside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

TOP = 2.0
"""The top of the scale: image scores and grades are 0 to 2."""


class Canvas:
    """A drawing of width × height units; ``x`` and ``y`` turn values into places."""

    def __init__(
        self,
        width: int,
        height: int,
        x: tuple[float, float],
        y: tuple[float, float],
        left: int = 30,
        bottom: int = 22,
        right: int = 8,
        top: int = 8,
    ) -> None:
        self.width, self.height = width, height
        self._x, self._y = x, y
        self._box = (left, top, width - right, height - bottom)
        self._parts: list[str] = []

    def x(self, value: float) -> float:
        """Return the place of a value across."""
        low, high = self._x
        left, _, right, _ = self._box
        return round(left + (value - low) / ((high - low) or 1.0) * (right - left), 1)

    def y(self, value: float) -> float:
        """Return the place of a value from the top; values beyond the edges stay on them."""
        low, high = self._y
        _, top, _, bottom = self._box
        share = min(max((value - low) / ((high - low) or 1.0), 0.0), 1.0)
        return round(bottom - share * (bottom - top), 1)

    def add(self, name: str, text: str = "", **values: Any) -> None:
        """Add an element; ``class_`` is its class, ``text_anchor`` becomes ``text-anchor``."""
        told = " ".join(
            f'{key.rstrip("_").replace("_", "-")}="{escape(value)}"'
            for key, value in values.items()
        )
        self._parts.append(f"<{name} {told}>{escape(text)}</{name}>")

    def line(self, points: Iterable[tuple[float, float]], look: str) -> None:
        """Draw a line through values."""
        path = " ".join(f"{self.x(a)},{self.y(b)}" for a, b in points)
        if path:
            self.add("polyline", points=path, class_=look)

    def dot(self, a: float, b: float, look: str, r: float = 3.0) -> None:
        """Draw a dot at a value."""
        self.add("circle", cx=self.x(a), cy=self.y(b), r=r, class_=look)

    def bar(self, a: float, low: float, high: float, look: str) -> None:
        """Draw an upright line from low to high."""
        self.add("line", x1=self.x(a), x2=self.x(a), y1=self.y(low), y2=self.y(high), class_=look)

    def axes(
        self, xs: Sequence[tuple[float, str]], ys: Sequence[tuple[float, str]], title: str = ""
    ) -> None:
        """Draw grid lines with their words, and what runs across."""
        left, _top, right, bottom = self._box
        for value, word in ys:
            self.add("line", x1=left, x2=right, y1=self.y(value), y2=self.y(value), class_="grid")
            self.add("text", word, x=left - 5, y=self.y(value) + 4, text_anchor="end")
        for value, word in xs:
            self.add("text", word, x=self.x(value), y=bottom + 15, text_anchor="middle")
        if title:
            self.add("text", title, x=right, y=self.height - 2, text_anchor="end", class_="soft")

    def drawn(self, spoken: str, look: str = "") -> SafeString:
        """Return the SVG; ``spoken`` says in words what it shows."""
        return mark_safe(  # noqa: S308  every text in it was escaped above
            f'<svg class="drawn {look}" viewBox="0 0 {self.width} {self.height}" role="img" '
            f'aria-label="{escape(spoken)}">{"".join(self._parts)}</svg>'
        )


def _ticks(start: float, end: float, count: int = 5) -> list[float]:
    """Return round values between two ends."""
    span = end - start
    if span <= 0:
        return [start]
    step: float = 10 ** math.floor(math.log10(span / count))
    step = next((step * k for k in (1, 2, 5, 10) if span / (step * k) <= count), step * 10)
    first = math.ceil(start / step - 1e-9)
    return [n * step for n in range(first, math.floor(end / step + 1e-9) + 1)]


def two_courses(bins: Sequence[Mapping[str, Any]]) -> SafeString | None:
    """Draw two scores of one recording over time; ``None`` where neither has one."""
    if not any(one["before"] is not None or one["after"] is not None for one in bins):
        return None
    start, end = bins[0]["t0"], bins[-1]["t1"]
    known = [
        value
        for one in bins
        for value in (one["before"], one["after"], *(one["interval"] or ()))
        if value is not None
    ]
    most = min(TOP, max(0.5, math.ceil(10 * max(known)) / 10))
    canvas = Canvas(520, 210, (start, end), (0.0, most), bottom=34)
    ys = [(value, f"{value:.1f}") for value in _ticks(0.0, most, 4)]
    canvas.axes([(value, f"{value:g}") for value in _ticks(start, end, 6)], ys, "seconds")
    for one in bins:
        middle = (one["t0"] + one["t1"]) / 2
        if one["interval"]:
            canvas.bar(middle, *one["interval"], look="span one")
    for side, look in (("before", "one"), ("after", "two")):
        for run in _runs(bins, side):
            canvas.line(run, look)
            if len(run) == 1:
                canvas.dot(*run[0], look=look, r=2.0)
    for one in bins:
        if one["moved"]:
            canvas.dot((one["t0"] + one["t1"]) / 2, one["after"], "two mark", 4.0)
    return canvas.drawn("Both scores over time; the figures are in the tables below.", "wide")


def one_course(
    bins: Sequence[Mapping[str, Any]], segments: Sequence[Mapping[str, Any]]
) -> SafeString | None:
    """Draw the score of a recording with its intervals, what was not graded in grey."""
    if not any(one["score"] is not None for one in bins):
        return None
    start, end = bins[0]["t0"], bins[-1]["t1"]
    canvas = Canvas(520, 210, (start, end), (0.0, TOP), bottom=34)
    for segment in segments:
        if segment["reason"]:
            left, right = canvas.x(segment["t0"]), canvas.x(segment["t1"])
            wide = max(round(right - left, 1), 0.3)
            box = {"x": left, "y": canvas.y(TOP), "width": wide, "class_": "pale"}
            canvas.add("rect", height=canvas.y(0.0) - canvas.y(TOP), **box)
    ys = [(value, f"{value:.1f}") for value in _ticks(0.0, TOP, 4)]
    canvas.axes([(value, f"{value:g}") for value in _ticks(start, end, 6)], ys, "seconds")
    for one in bins:
        if one["interval"]:
            canvas.bar((one["t0"] + one["t1"]) / 2, *one["interval"], look="span one")
    courses = [{"t0": one["t0"], "t1": one["t1"], "score": one["score"]} for one in bins]
    for run in _runs(courses, "score"):
        canvas.line(run, "one")
        if len(run) == 1:
            canvas.dot(*run[0], look="one", r=2.0)
    return canvas.drawn("The image score over time; the figures are in the tables.", "wide")


def _runs(bins: Sequence[Mapping[str, Any]], side: str) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for one in bins:
        if one[side] is None:
            runs.append([])
        else:
            runs[-1].append(((one["t0"] + one["t1"]) / 2, one[side]))
    return [run for run in runs if run]


def pairs(figures: Mapping[str, Any]) -> SafeString:
    """Draw every unit's baseline and after as a line, raters on the left and model on the right."""
    most = max((max(one[side]) for one in figures["pairs"] for side in one), default=TOP)
    most = min(TOP, max(0.5, math.ceil(4 * most + 0.2) / 4))
    canvas = Canvas(340, 190, (0.0, 4.0), (0.0, most), top=22)
    ys = [(value, f"{value:.1f}") for value in _ticks(0.0, most, 4)]
    canvas.axes([(0.5, "before"), (1.5, "after"), (2.5, "before"), (3.5, "after")], ys)
    for side, left, look in (("raters", 0.5, "two"), ("model", 2.5, "one")):
        canvas.add("text", side, x=canvas.x(left + 0.5), y=13, text_anchor="middle", class_="title")
        for one in figures["pairs"]:
            canvas.line([(left, one[side][0]), (left + 1, one[side][1])], f"{look} faint")
        told = figures["sides"][side]
        if told["baseline"] is not None and told["after"] is not None:
            ends = [(left, told["baseline"]), (left + 1, told["after"])]
            canvas.line(ends, f"{look} thick")
            for place, value in ends:
                canvas.dot(place, value, look, 3.5)
    n = figures["n_units"]
    return canvas.drawn(f"Baseline and after of {n} units, by raters and by the model.")


def roc(figures: Mapping[str, Any]) -> SafeString:
    """Draw the ROC over units of raters and model; the diagonal is chance."""
    canvas = Canvas(210, 190, (0.0, 1.0), (0.0, 1.0), top=12)
    ends = [(0.0, "0"), (0.5, "0.5"), (1.0, "1")]
    canvas.axes(ends, ends)
    canvas.line([(0.0, 0.0), (1.0, 1.0)], "zero dashed")
    for side, look in (("raters", "two"), ("model", "one")):
        canvas.line([tuple(point) for point in figures["sides"][side]["roc"]], f"{look} thick")
    return canvas.drawn("ROC over units: share found against share falsely found.", "square")


def _shares(counts: Sequence[float] | None) -> list[float]:
    whole = sum(counts or ())
    return [value / whole for value in counts] if counts and whole else []


def histogram(
    figure: Mapping[str, Any], week: Sequence[float] | None, titles: Mapping[str, str]
) -> SafeString:
    """Draw a figure's shares: the training snapshot as pale bars, the newest week in colour."""
    before, now = _shares(figure["reference"]), _shares(week)
    spoken = f"{figure['title']}: shares of recordings in training and in the newest week."
    if figure["names"]:
        return _by_name(figure["names"], before, now, titles, spoken)
    bins = len(figure["edges"]) + 1 + bool(figure["missing"])
    most = max([0.1, *before, *now])
    canvas = Canvas(280, 120, (0.0, bins), (0.0, most), top=6)
    edges = [f"{edge:g}" for edge in figure["edges"]]
    words = [(place + 1.0, word) for place, word in enumerate(edges)]
    step = -(-len(words) // 6)
    shown = words[::step]
    if figure["missing"]:
        shown = [*[row for row in shown if row[0] < bins - 1.5], (bins - 0.5, "none")]
    canvas.axes(shown, [(0.0, "0"), (most, f"{100 * most:.0f} %")])
    for place, share in enumerate(before):
        _column(canvas, place, share, 0.08, 0.84, "pale")
    for place, share in enumerate(now):
        _column(canvas, place, share, 0.3, 0.4, "")
    return canvas.drawn(spoken)


def _column(canvas: Canvas, place: int, share: float, left: float, width: float, look: str) -> None:
    start, end, top = canvas.x(place + left), canvas.x(place + left + width), canvas.y(share)
    height = max(round(canvas.y(0.0) - top, 1), 0.0)
    canvas.add("rect", x=start, y=top, width=round(end - start, 1), height=height, class_=look)


def _by_name(
    names: Sequence[str],
    before: Sequence[float],
    now: Sequence[float],
    titles: Mapping[str, str],
    spoken: str,
) -> SafeString:
    rows = len(names)
    canvas = Canvas(
        280, 22 * rows + 8, (0.0, 1.0), (0.0, rows), left=100, bottom=2, top=2, right=34
    )
    for row, name in enumerate(names):
        top = 4 + 22 * row
        word = titles.get(name, name.replace("_", " ")).partition(" (")[0]
        canvas.add("text", word, x=94, y=top + 12, text_anchor="end")
        for shares, look, y, height in ((before, "pale", top, 16), (now, "", top + 4, 8)):
            if shares:
                width = max(round(canvas.x(shares[row]) - canvas.x(0.0), 1), 0.0)
                canvas.add("rect", x=100, y=y, width=width, height=height, class_=look)
        told = now or before
        if told:
            canvas.add("text", f"{100 * told[row]:.0f} %", x=278, y=top + 12, text_anchor="end")
    return canvas.drawn(spoken)


def stability(weeks: Sequence[Mapping[str, Any]]) -> SafeString | None:
    """Draw the stability index of a figure week by week with its limit; ``None`` before one."""
    told = [row for row in weeks if row["drift"] and row["drift"]["index"] is not None]
    if not told:
        return None
    most = max(0.5, *(max(row["drift"]["index"], row["drift"]["limit"]) for row in told))
    canvas = Canvas(280, 70, (0.0, max(len(told) - 1, 1)), (0.0, most), top=6, bottom=18, right=14)
    ends = {0: told[0], len(told) - 1: told[-1]}
    words = [(float(place), f"{row['week']:%-d %b}") for place, row in ends.items()]
    canvas.axes(words, [(0.0, "0"), (most, f"{most:.1f}")])
    canvas.line([(n, row["drift"]["limit"]) for n, row in enumerate(told)], "two dashed")
    canvas.line([(n, row["drift"]["index"]) for n, row in enumerate(told)], "one thick")
    for n, row in enumerate(told):
        look = "bad" if row["drift"]["drifted"] else "one"
        canvas.dot(n, row["drift"]["index"], look, 3.0)
    return canvas.drawn("Stability index per week, with its limit dashed.")


def probe(told: Mapping[str, Any]) -> SafeString | None:
    """Draw how far the probe's answers of a day lay from the first; ``None`` without readings."""
    rows = told["readings"]
    if not rows:
        return None
    tolerance = told["tolerance"]
    steps = [row["moved_by"] for row in rows if row["moved_by"] is not None]
    most = max([2 * tolerance, *steps])
    start, end = rows[0]["at"].timestamp(), rows[-1]["at"].timestamp()
    canvas = Canvas(520, 130, (start, max(end, start + 1)), (0.0, most), left=34, right=20)
    words = [(start, f"{rows[0]['at']:%H:%M}")]
    if end > start:
        words.append((end, f"{rows[-1]['at']:%H:%M}"))
    ys = [(0.0, "0"), (most, f"{most:.2f}")]
    if tolerance > 0.15 * most:  # else its word would lie on that of 0
        ys.append((tolerance, f"{tolerance:g}"))
    canvas.axes(words, ys)
    canvas.line([(start, tolerance), (max(end, start + 1), tolerance)], "two dashed")
    for row in rows:
        wrong = row["wrong"]
        value = most if row["moved_by"] is None else row["moved_by"]
        canvas.dot(row["at"].timestamp(), value, "bad" if wrong else "one", 4.0 if wrong else 2.5)
    return canvas.drawn(
        "Steps of the probe's answers from the first one over the last day.", "wide"
    )

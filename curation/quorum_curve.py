"""How exact the consensus is for how many ratings: fixed quorums beside asking where it is open."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from curation.quorum import Policy
from curation.simulation import Point, adaptive, by_rule, fixed_quorums, plain_mean, world

UNIFORM_SHARE = 0.2
INK = "#7a7f87"
"""A grey that can be read on white and on a dark page."""


@dataclass(frozen=True)
class Curve:
    """Points of one simulated world; `plain` is keyed by the number of raters."""

    plain: dict[int, Point]
    fixed: dict[int, Point]
    chosen: list[Point]
    with_share: Point
    rule: Point

    @property
    def baseline(self) -> Point:
        """The plain mean of five raters on every unit."""
        return self.plain[5]

    def ratio(self, point: Point) -> float:
        """Ratings of a way of asking over those of the baseline."""
        return point.ratings / self.baseline.ratings

    def figures(self) -> dict[str, Any]:
        """Every point as ratio of ratings, ratio of mean RMSE, and the worst unit's ratio."""

        def row(point: Point) -> dict[str, float]:
            return {
                "ratings": round(self.ratio(point), 4),
                "rmse": round(point.mean / self.baseline.mean, 4),
                "worst_unit_rmse": round(point.worst(self.baseline), 4),
                "wrongly_scorable_or_not": round(point.wrong, 5),
            }

        return {
            "baseline_rmse": list(self.baseline.rmse),
            "plain": {str(number): row(point) for number, point in self.plain.items()},
            "fixed": {str(number): row(point) for number, point in self.fixed.items()},
            "chosen": [row(point) for point in self.chosen],
            "with_random_share": row(self.with_share),
            "frame_by_frame": row(self.rule),
        }


def measure(frames: int, seed: int, tied: bool = True, policy: Policy | None = None) -> Curve:
    """Run every way of asking in one simulated world."""
    one = world(frames, seed, tied=tied)
    numbers = (2, 3, 4, 5, 6, 7, 8)
    return Curve(
        plain={number: plain_mean(one, number) for number in numbers},
        fixed=dict(zip(numbers, fixed_quorums(one, numbers), strict=True)),
        chosen=adaptive(one, policy),
        with_share=adaptive(one, policy, share=UNIFORM_SHARE)[-1],
        rule=by_rule(one, policy),
    )


def draw(curve: Curve, path: Path) -> None:
    """Draw the curve as SVG without a background, readable on light and dark pages."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    frames = curve.baseline.ratings / 25

    def line(points: list[Point]) -> tuple[list[float], list[float]]:
        return [point.ratings / frames for point in points], [point.mean for point in points]

    with mpl.rc_context({"svg.hashsalt": "amgs", "svg.fonttype": "none", "font.size": 10}):
        figure = Figure(figsize=(7.2, 4.2), layout="constrained")
        axes = figure.add_subplot()
        axes.plot(*line(list(curve.plain.values())), "s--", color=INK, label="plain mean, 2 to 8")
        axes.plot(*line(list(curve.fixed.values())), "o-", color="#3b8fd9", label="model, 2 to 8")
        axes.plot(*line(curve.chosen), ".-", color="#e07b39", lw=2, label="model, asked where open")
        axes.plot(
            *line([curve.with_share]), "D", color="#2fa36b", label="… with the random share of 20 %"
        )
        axes.axhline(curve.baseline.mean, color=INK, lw=0.8, ls=":")
        axes.set_xlabel("ratings of units per frame (five raters on five units: 25)", color=INK)
        axes.set_ylabel("RMSE against all raters (grades)", color=INK)
        axes.set_ylim(bottom=0)
        axes.set_xticks(np.arange(10, 41, 5))
        axes.tick_params(colors=INK)
        axes.grid(color=INK, alpha=0.25)
        for side in axes.spines.values():
            side.set_color(INK)
        axes.legend(frameon=False, labelcolor=INK)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None})

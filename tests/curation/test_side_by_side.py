"""Two reports side by side: which figure is better, and what stands first."""

from __future__ import annotations

import copy
from typing import Any

from curation.side_by_side import figures, grouped, units, worst_groups
from models.scale import load_scale


def test_each_figure_says_which_way_is_better(
    report: dict[str, Any], comparison: dict[str, Any]
) -> None:
    theirs = copy.deepcopy(report)
    theirs["image_score"] |= {"rmse": 0.30, "r": 0.9}
    theirs["observation"] |= {"slope": 0.8, "bias": -0.02}
    lines = {line.key: line for line in figures(report, theirs, comparison)}
    assert lines["rmse"].improved is True
    assert lines["rmse"].interval == (-0.04, 0.0)
    assert lines["rmse"].ours_interval == (0.25, 0.31)
    assert lines["r"].improved is False
    assert lines["slope"].improved is True  # 1.05 lies nearer to 1 than 0.8
    assert lines["bias"].improved is None
    assert lines["area"].ours is None
    assert lines["area"].improved is None


def test_without_a_champion_only_our_own_figures_are_there(report: dict[str, Any]) -> None:
    lines = figures(report, {}, {})
    assert all(line.theirs is None and line.difference is None for line in lines)
    assert len(units(report, {})) == 3 * len(load_scale().units)


def test_groups_that_may_have_lost_most_come_first(comparison: dict[str, Any]) -> None:
    first, second = comparison["groups"]
    comparison["groups"][second]["interval"] = [0.0, 0.2]
    comparison["groups"]["small|x"] = {"assessed": False, "interval": [None, None]}
    assert [row["group"] for row in worst_groups(comparison)] == [second, first]


def test_verdicts_are_grouped_by_what_they_say() -> None:
    rows = [
        {"gate": "a", "passed": True},
        {"gate": "b", "passed": False},
        {"gate": "c", "passed": None},
        {"gate": "d", "passed": None, "told": True},
    ]
    found = {kind: [row["gate"] for row in group] for kind, group in grouped(rows).items()}
    assert found == {"refused": ["b"], "not_assessed": ["c"], "passed": ["a"], "told": ["d"]}

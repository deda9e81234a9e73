"""The page and the card: everything said, nothing loaded, nothing shown that is not known."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.figures import compute_report
from models.report import plots, tables, write_report
from models.report.markup import change, figure, number, percent, span, table
from models.scale import Scale


def graded(scale: Scale, n: int) -> pd.DataFrame:
    """Frames of four animals as a model and raters without any flaw would grade them."""
    rows = []
    for frame in range(n):
        grade = frame % 3
        row = {
            "frame": f"F{frame}", "animal": f"A{frame % 4}", "observation": f"day {frame // 8}",
            "lab": "lab", "coat": scale.coats[frame % 2].key, "assay": "x", "sex": "f",
            "phantom": True, "random_share": True, "votes": "[]", "truth": float(grade),
            "score": float(grade), "reason": "", "state": scale.graded_state.key,
        }  # fmt: skip
        for unit in scale.units:
            row |= {f"{unit.key}__{part}": float(grade) for part in ("truth", "expected", "grade")}
            row |= {f"{unit.key}__{part}": 1.0 for part in ("scorable", "truth_scorable")}
            for index in range(3):
                row[f"{unit.key}__p{index}"] = float(index == grade)
                row[f"{unit.key}__truth_p{index}"] = float(index == grade)
        rows.append(row)
    return pd.DataFrame(rows)


def page_of(scale: Scale, frames: pd.DataFrame, out: Path, **more) -> str:
    constant = dict.fromkeys(("", *scale.unit_keys), 1.0)
    found = compute_report(frames, constant, scale, split="benchmark", benchmark_digest="d",
                           training={"config": "<tiny>"}, draws=10, **more)  # fmt: skip
    write_report(out / "report.html", found, frames, scale, "Bundle <one>")
    return (out / "report.html").read_text()


@pytest.fixture(scope="module")
def page(scale: Scale, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(scale, graded(scale, 24), tmp_path_factory.mktemp("page"))


def test_the_page_stands_alone_and_comes_out_the_same_twice(
    page: str, scale: Scale, tmp_path: Path
) -> None:
    assert page_of(scale, graded(scale, 24), tmp_path) == page
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)
    assert "Bundle &lt;one&gt;" in page
    assert "&lt;tiny&gt;" in page
    for title in ("Image score", "Units", "Observations", "Slices"):
        assert f"<h2>{title}</h2>" in page
    assert page.count("<svg") == 4 + 2 * len(scale.units) + 5


def test_marks_of_one_plot_are_never_those_of_another(page: str) -> None:
    names = re.findall(r'id="(p[0-9a-f]{8}-[^"]+)"', page)
    assert names
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)


def test_what_is_not_known_has_no_place_on_the_page(scale: Scale, tmp_path: Path) -> None:
    frames = graded(scale, 3)
    nothing = page_of(scale, frames.assign(truth=np.nan, score=np.nan), tmp_path)
    assert "Prediction sets" not in nothing
    assert "Share of frames whose rendered state is known" not in nothing
    assert "NaN" not in nothing
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", nothing, flags=re.S)
    known = frames.assign(true_state=scale.graded_state.key)
    assert "Share of frames whose rendered state is known" in page_of(scale, known, tmp_path)


def test_the_explanation_is_shown_unit_by_unit(scale: Scale, tmp_path: Path) -> None:
    order = {"saliency": 0.1, "centre": 0.2, "random": 0.3}
    row = {"energy": 0.75, "region_area": 0.2, "deletion": order, "insertion": order,
           "background_swap": 0.01}  # fmt: skip
    told = {"n": 9, "units": dict.fromkeys(scale.unit_keys, row)}
    page = page_of(scale, graded(scale, 12), tmp_path, explanation=told)
    assert "on 9 faces" in page
    assert page.count("<td>75.0 %</td>") == len(scale.units)


def changed(n: int, difference: float | None, low: float | None, high: float | None) -> dict:
    """One figure of an ablation that was 0.5 without context."""
    before = None if difference is None else 0.5
    after = None if difference is None else 0.5 + difference
    return {"n": n, "with": after, "without": before, "difference": difference,
            "interval": [low, high]}  # fmt: skip


def kind_of_frames(n: int, error: dict, right: dict) -> dict:
    other = changed(n, 0.02, 0.01, 0.03)
    return {"n": n, "n_animals": 5, "ungated": error, "graded": other, "graded_needlessly": other,
            "state_right": right}  # fmt: skip


@pytest.fixture
def ablation(scale: Scale) -> dict:
    state = next(state for state in scale.states if not state.graded)
    return {
        "near_s": 0.5,
        "kinds": {
            "all": kind_of_frames(
                90, changed(80, -0.0312, -0.04, -0.02), changed(90, 0.256, 0.2, 0.3)
            ),
            "near_blink": kind_of_frames(
                20, changed(20, 0.001, -0.02, 0.02), changed(20, -0.1, -0.2, -0.05)
            ),
            "blurred": kind_of_frames(12, changed(1, 0.1, 0.1, 0.1), changed(12, 0, None, None)),
            state.key: kind_of_frames(
                30, changed(0, None, None, None), changed(30, 0.1, 0.05, 0.2)
            ),
        },
    }


def test_what_context_changes_is_told_with_its_interval_for_every_kind(
    ablation: dict, scale: Scale
) -> None:
    told = tables.context({"ablation": ablation}, scale)
    assert "<td>−0.031 (−0.040 … −0.020)</td>" in told
    assert "<td>+25.6 (20.0 … 30.0)</td>" in told
    assert "<td>+0.100 (1 frame)</td>" in told, "one frame has no interval"
    assert "<td>0.0 (12 frames)</td>" in told
    assert "<td>–</td>" in told
    for name in tables.kinds(ablation, scale).values():
        assert f'<th scope="row">{name}</th>' in told
    both = tables.both_ways({"ablation": ablation}, scale)
    assert "<td>0.469</td><td>0.500</td><td>80</td>" in both
    assert "<td>75.6 %</td><td>50.0 %</td><td>90</td>" in both
    assert tables.context({}, scale) == tables.both_ways({}, scale) == ""


def test_the_plot_of_changes_tells_help_from_harm_and_from_what_is_not_clear(
    ablation: dict, scale: Scale
) -> None:
    names = tables.kinds(ablation, scale)
    (error,) = plots.changes(ablation, names, "ungated", "error", 1).axes
    lines = [line for line in error.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in lines] == [plots.MODEL, plots.CONSTANT]
    assert error.get_xlabel() == "grades"
    (right,) = plots.changes(ablation, names, "state_right", "right", 100).axes
    lines = [line for line in right.lines if line.get_marker() == "o"]
    assert [line.get_color() for line in lines] == [plots.MODEL, plots.HUMAN, plots.MODEL]
    assert lines[0].get_xdata() == pytest.approx([25.6])
    few = {**ablation, "kinds": {"blurred": ablation["kinds"]["blurred"]}}
    assert plots.changes(few, names, "ungated", "error", 1) is None


def test_a_page_shows_what_context_is_worth_where_that_was_measured(
    ablation: dict, page: str, scale: Scale, tmp_path: Path
) -> None:
    title = "<h2>What the seconds round a frame are worth</h2>"
    assert title not in page
    constant = dict.fromkeys(("", *scale.unit_keys), 1.0)
    frames = graded(scale, 6)
    found = compute_report(frames, constant, scale, split="s", benchmark_digest="d",
                           training={"config": "t"}, draws=5)  # fmt: skip
    write_report(tmp_path / "r.html", {**found, "ablation": ablation}, frames, scale, "Run")
    told = (tmp_path / "r.html").read_text()
    assert title in told
    assert told.count('aria-label="Change by context: ') == len(tables.CHANGED)


def test_numbers_are_written_for_people() -> None:
    assert [number(value) for value in (None, 3, -0.256, -0.001)] == ["–", "3", "−0.26", "0.00"]
    assert [change(value) for value in (0.256, -0.256, 0.001)] == ["+0.26", "−0.26", "0.00"]
    assert percent(None) == "–"
    assert percent(0.123) == "12.3 %"
    assert span([0.1, 0.2]) == "0.10 … 0.20"
    assert span([None, None]) == "–"


def test_empty_tables_and_figures_are_left_out() -> None:
    assert table("Caption", ["a"], []) == ""
    assert figure("Caption", ("nothing", lambda: None)) == ""
    assert "&lt;b&gt;" in table("<b>", ["a"], [["x", "1"]])


def test_a_negative_control_says_so(scale: Scale, tmp_path: Path) -> None:
    constant = dict.fromkeys(("", *scale.unit_keys), 1.0)
    frames = graded(scale, 3).assign(truth=np.nan)
    found = compute_report(
        frames,
        constant,
        scale,
        split="s",
        benchmark_digest="d",
        draws=5,
        training={"config": "t", "shuffled_labels": True},
    )
    write_report(tmp_path / "r.html", found, frames, scale, "Run")
    assert "negative control" in (tmp_path / "r.html").read_text()

"""The runner of the figures judges by the target, keeps other rows, and goes on after a stop."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

HERE = Path(__file__).resolve().parent
CONSOLE = Console(quiet=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The runner, looking for figures in an empty folder and writing below it."""
    spec = importlib.util.spec_from_file_location("benchmark_runner", HERE / "run.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "bench" / "results.json")
    monkeypatch.setattr(module, "VAR", tmp_path)
    monkeypatch.setattr(module, "KEPT", tmp_path)
    return module


def row(name: str, value: object, target: str = "≤ 10") -> dict:
    return {"name": name, "value": value, "unit": "s", "target": target}


@pytest.mark.parametrize(
    ("value", "target", "ok"),
    [
        (10, "≤ 10", True),
        (10.1, "≤ 10", False),
        (0.9, "≥ 0.9", True),
        (1, "= 1", True),
        (0, "= 1", False),
        (None, "≤ 10", False),
    ],
)
def test_a_row_is_ok_when_it_meets_its_target(
    run: ModuleType, value: object, target: str, ok: bool
) -> None:
    assert run.judge(row("loop.figure", value, target))["ok"] is ok


def test_a_row_without_a_target_is_told_and_meets_what_is_asked(run: ModuleType) -> None:
    told = row("loop.figure", 11)
    assert run.judge({**told, "target": None})["ok"] is True
    assert run.judge({**told, "target": None, "value": None})["ok"] is False


def test_a_row_cannot_call_itself_ok_against_its_target(run: ModuleType) -> None:
    assert run.judge({**row("loop.figure", 11), "ok": True})["ok"] is False


@pytest.mark.parametrize("broken", [{"name": "a"}, row("a", 1, "fast")])
def test_a_row_that_says_too_little_is_refused(run: ModuleType, broken: dict) -> None:
    with pytest.raises(ValueError, match=r"a row has|a target reads"):
        run.judge(broken)


def test_results_keep_the_rows_of_other_figures(run: ModuleType, tmp_path: Path) -> None:
    text = (
        "def figure():\n    yield {'name': '%s.figure', 'value': %d, 'unit': '', 'target': '= 1'}\n"
    )
    (tmp_path / "bench_one.py").write_text(text % ("one", 1))
    (tmp_path / "bench_two.py").write_text(text % ("two", 2))
    run.bench(None, CONSOLE)
    (tmp_path / "bench_two.py").write_text(text % ("two", 1))
    assert [each["name"] for each in run.bench("two.figure", CONSOLE)] == ["two.figure"]
    kept = json.loads(run.RESULTS.read_text())
    assert [(each["name"], each["value"], each["ok"]) for each in kept] == [
        ("one.figure", 1, True),
        ("two.figure", 1, True),
    ]


def test_a_figure_that_breaks_is_a_row_that_is_not_ok(run: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "bench_one.py").write_text(
        "def broken():\n    yield {}[0]\ndef _hidden():\n    yield 1\n"
    )
    (row,) = run.bench("one", CONSOLE)
    told = {"name": "one.broken", "value": None, "unit": "", "target": "measured", "ok": False}
    assert {key: row[key] for key in told} == told
    assert {"commit", "machine", "date"} <= set(row)


def test_an_endurance_run_goes_on_where_it_was_stopped(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "commit", lambda: "abc")
    (tmp_path / "endurance_one.py").write_text(
        "def kills(state):\n"
        "    for kill in range(state.get('kills', 0), 4):\n"
        "        state['kills'] = kill + 1\n"
        "        if kill == 1:\n"
        "            raise KeyboardInterrupt\n"
        "    kills = state.get('kills')\n"
        "    yield {'name': 'one.kills', 'value': kills, 'unit': '', 'target': '= 4'}\n"
    )
    with pytest.raises(KeyboardInterrupt):
        run.keep("endurance", None, CONSOLE)
    assert [each["value"] for each in run.keep("endurance", None, CONSOLE)] == [4]
    (tmp_path / "endurance_one.py").write_text("def kills(state):\n    raise RuntimeError\n")
    assert [each["value"] for each in run.keep("endurance", None, CONSOLE)] == [4], (
        "it is not repeated"
    )
    written = json.loads((run.KEPT / "endurance.json").read_text())
    assert written[0].keys() >= {
        "name",
        "value",
        "unit",
        "target",
        "ok",
        "commit",
        "machine",
        "date",
    }


def test_an_endurance_run_begins_anew_on_another_commit(
    run: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endurance_one.py").write_text(
        "def kills(state):\n"
        "    state['runs'] = state.get('runs', 0) + 1\n"
        "    yield {'name': 'one.kills', 'value': state.get('runs'), 'unit': '', 'target': '= 1'}\n"
    )
    for name in ("abc", "def"):
        monkeypatch.setattr(run, "commit", lambda name=name: name)
        assert run.keep("endurance", None, CONSOLE)[0]["value"] == 1


def test_what_context_is_worth_is_measured_before_the_report_is_kept(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "HERE", HERE)
    names = [name for name, _ in run.discover("report", "scorer")]
    order = [names.index(f"scorer.{name}") for name in ("left_out_labs", "ablation", "shipped")]
    assert order == sorted(order)


def test_a_name_that_no_figure_has_is_said() -> None:
    asked = subprocess.run(
        [sys.executable, HERE / "run.py", "--only", "nothing"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 2
    assert "no figure nothing" in asked.stdout

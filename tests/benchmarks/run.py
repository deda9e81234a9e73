"""Measure, judge and keep the project's figures: ``make bench``, ``endurance`` and ``report``.

Every public function of a ``bench_<subject>.py``, or ``bench_<subject>_<part>.py``, beside this
file yields rows ``{name, value, unit, target}``, where ``name`` begins with ``<subject>.`` and
``target`` reads ``≤ 300``, ``≥ 0.9`` or ``= 1``, or is None for a value that is only told beside
others. Functions of
``endurance_<subject>.py`` and ``report_<subject>.py`` do the same for hours (the latter train);
they are handed a `State` in which they keep what they have done, so that an interrupted run goes
on.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.util
import inspect
import json
import os
import platform
import re
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
VAR = Path(os.environ.get("AMGS_VAR") or ROOT / "var").resolve()
RESULTS = VAR / "bench" / "results.json"
KEPT = ROOT / "docs" / "reference"
TARGET = re.compile(r"^(≤|≥|=) ?(-?[0-9.]+)$")
TWO_WORDS = ("public_scorer",)
"""Subjects whose name has an underscore."""
Row = dict[str, Any]
Function = Callable[..., Iterator[Row]]


class State:
    """What an endurance function has done so far: a JSON object, written at every change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, Any] = (
            json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        )

    def get(self, key: str, default: Any = None) -> Any:
        """A value of an earlier run or of this one."""
        return self.values.get(key, default)

    def __setitem__(self, key: str, value: Any) -> None:
        self.values[key] = value
        write_json(self.path, self.values)


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    draft.replace(path)


def judge(row: Row) -> Row:
    """The row with ``ok``, from its value and target; ValueError when the row says too little."""
    if set(row) - {"ok"} != {"name", "value", "unit", "target"}:
        raise ValueError(f"a row has name, value, unit and target, not {sorted(row)}")
    value, target = row["value"], row["target"]
    found = None if target is None else TARGET.match(str(target))
    if found is None and target is not None:
        raise ValueError(f"{row['name']}: a target reads '≤ 300', not '{target}'")
    ok = value is not None
    if ok and found is not None:
        bound = float(found[2])
        ok = {"≤": value <= bound, "≥": value >= bound, "=": value == bound}[found[1]]
    return {
        "name": row["name"],
        "value": round(value, 4) if isinstance(value, float) else value,
        "unit": row["unit"],
        "target": row["target"],
        "ok": bool(ok and row.get("ok", True)),
    }


def merged(old: list[Row], new: list[Row]) -> list[Row]:
    """Old rows with the new ones in place of those of the same name, in order of name."""
    rows = {row["name"]: row for row in (*old, *new)}
    return [rows[name] for name in sorted(rows)]


def load(path: Path) -> ModuleType:
    """Import a file beside this one under its own name."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def subject_of(name: str) -> str:
    """The subject of ``loop``, or of one part of a large one: ``retraining_promotion``."""
    long = (one for one in TWO_WORDS if name == one or name.startswith(f"{one}_"))
    return next(long, name.partition("_")[0])


def discover(kind: str, only: str | None) -> list[tuple[str, Function]]:
    """(name, function) of every figure; ``only`` is a subject (``loop``) or a name in it."""
    found: list[tuple[str, Function]] = []
    for path in sorted(HERE.glob(f"{kind}_*.py")):
        subject = subject_of(path.stem.removeprefix(f"{kind}_"))
        if only is not None and only.split(".")[0] != subject:
            continue
        module = load(path)
        functions = inspect.getmembers(module, inspect.isfunction)
        # In the order of the file: a later figure may use what an earlier one left.
        for name, function in sorted(functions, key=lambda each: each[1].__code__.co_firstlineno):
            full = f"{subject}.{name}"
            own = function.__module__ == path.stem and not name.startswith("_")
            if own and (only is None or only in (subject, full)):
                found.append((full, function))
    return found


def measure(name: str, rows: Iterator[Row], console: Console) -> list[Row]:
    """The judged rows of one function; an error in it becomes a row that is not ok."""
    console.print(f"[bold]{name}[/bold]")
    measured: list[Row] = []
    started = time.monotonic()
    try:
        for row in rows:
            measured.append(judge(row))
            console.print(f"  {measured[-1]['name']} = {measured[-1]['value']} {row['unit']}")
    except Exception:
        console.print(traceback.format_exc(), markup=False, highlight=False)
        failed = {"name": name, "value": None, "unit": "", "target": "measured", "ok": False}
        measured.append(failed)
    console.print(f"  [dim]{time.monotonic() - started:.0f} s[/dim]")
    return measured


def show(rows: list[Row], console: Console) -> None:
    """A table of rows."""
    table = Table("figure", "value", "unit", "target", "ok")
    for row in rows:
        value = "not measured" if row["value"] is None else f"{row['value']:g}"
        verdict = "[green]yes[/green]" if row["ok"] else "[red]no[/red]"
        table.add_row(row["name"], value, row["unit"], row["target"] or "", verdict)
    console.print(table)


def commit() -> str:
    """The commit that is measured; ``+`` behind it says that the working tree differs."""
    git = ["git", "-C", str(ROOT)]
    said = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    changed = subprocess.run(
        [*git, "status", "--porcelain", "--untracked-files=no"],
        capture_output=True,
        text=True,
        check=False,
    )
    return (said.stdout.strip() or "unknown") + ("+" if changed.stdout.strip() else "")


def machine() -> str:
    """What it was measured on, in words."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = re.findall(r"^model name\s*: (.+)$", info.read_text(), flags=re.MULTILINE)
        cpu = models[0] if models else cpu
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0))
    return f"{cores} cores, {cpu}, {memory:.0f} GiB, {platform.system()} {platform.release()}"


def bench(only: str | None, console: Console) -> list[Row]:
    """Measure the quick figures and merge them into ``var/bench/results.json``."""
    rows: list[Row] = []
    for name, function in discover("bench", only):
        rows += [signed(row) for row in measure(name, function(), console)]
        old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else []
        write_json(RESULTS, merged(old, rows))
    return rows


def signed(row: Row) -> Row:
    """The row with the commit, machine and day it was measured on."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return {**row, "commit": commit(), "machine": machine(), "date": today}


def keep(kind: str, only: str | None, console: Console) -> list[Row]:
    """Measure long figures into ``docs/reference/<kind>.json``.

    What an earlier run finished on this commit is not repeated.
    """
    here, target = commit(), KEPT / f"{kind}.json"
    rows: list[Row] = []
    for name, function in discover(kind, only):
        state = State(VAR / "bench" / kind / f"{name}.json")
        if state.get("commit") != here:
            state.path.unlink(missing_ok=True)
            state = State(state.path)
            state["commit"] = here
        if state.get("rows") is None:
            measured = measure(name, function(state), console)
            if all(row["value"] is not None for row in measured):
                state["rows"] = measured
        else:
            measured = state.get("rows")
            console.print(f"[bold]{name}[/bold] was measured on this commit before")
        rows += [signed(row) for row in measured]
        old = json.loads(target.read_text(encoding="utf-8")) if target.exists() else []
        write_json(target, merged(old, rows))
    return rows


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when every measured figure meets its target, 2 when there is none to measure."""
    parser = argparse.ArgumentParser(description="Measure the project's figures.")
    parser.add_argument("--only", metavar="NAME", help="a subject (loop) or a figure in it")
    parser.add_argument(
        "--kind",
        choices=("bench", "endurance", "report"),
        default="bench",
        help="the quick figures, the long ones, or those that need training",
    )
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120)
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    rows = (
        bench(options.only, console)
        if options.kind == "bench"
        else keep(options.kind, options.only, console)
    )
    if not rows:
        console.print(f"There is no figure {options.only or ''} to measure.")
        return 2
    show(rows, console)
    return 0 if all(row["ok"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""`python -m models tools study TABLE --out DIR`: the statistics of a study, offline."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from models.events import Emit, Refused


def add_arguments(command: argparse.ArgumentParser) -> None:
    """The options of the tool."""
    command.add_argument(
        "table", type=Path, metavar="TABLE", help="CSV or Excel file, one row per scored recording"
    )
    command.add_argument("--out", type=Path, required=True, help="folder of report and study.zip")
    command.add_argument("--plan", type=Path, help="JSON file; default: mean score, animal as unit")
    command.add_argument(
        "--example",
        action="store_true",
        help="first write a made-up study (table, plan and results) beside TABLE",
    )


def run(options: argparse.Namespace, emit: Emit) -> int:
    """Analyse a table; tells progress as JSON lines. Returns the exit status."""
    from models.study.plan import StudyPlan
    from models.study.run import run_study
    from models.study.table import read_table

    plan_file = options.plan
    if options.example:
        from models.study.example import write_example

        if options.table.exists():
            raise Refused(f"{options.table.name} is there already; name a new table.")
        plan_file = write_example(options.table)
    plan = StudyPlan()
    if plan_file is not None:
        try:
            said = json.loads(plan_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Refused(f"The plan {plan_file.name} cannot be read: {error}.") from error
        if not isinstance(said, dict):
            raise Refused(f"The plan {plan_file.name} is no JSON object.")
        plan = StudyPlan.from_json(said)

    def told(share: float, sentence: str) -> None:
        emit({"event": "progress", "fraction": round(share, 3), "sentence": sentence})

    report = run_study(read_table(options.table), plan, options.out, told)
    for warning in report["warnings"]:
        emit({"event": "warning", "key": warning["key"], "sentence": warning["sentence"]})
    emit(
        {"event": "done", "report": str(options.out / "report.html"), "phantom": report["phantom"]}
    )
    return 0

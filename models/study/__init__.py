"""A study: scored recordings of several groups, animals and times, analysed by a plan.

`read_table` reads the table, `run_study` writes the report; nothing here knows a server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from models.study.plan import OUTCOMES, StudyPlan
from models.study.rows import StudyRow
from models.study.table import read_table

__all__ = ["OUTCOMES", "StudyPlan", "StudyRow", "read_table", "run_study"]


def run_study(
    rows: Sequence[StudyRow],
    plan: StudyPlan,
    out: Path,
    on_progress: Callable[[float, str], None] | None = None,
) -> dict[str, Any]:
    """Analyse a study into the folder `out`; see `models.study.run.run_study`."""
    # Only now: pandas takes a second to import, and the command line knows this package.
    from models.study.run import run_study as run

    return run(rows, plan, out, on_progress)

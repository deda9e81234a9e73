"""What agreement of a large table costs, what ratings the quorum saves, how soon a frame comes."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FRAMES, RATERS, DRAWS = 3500, 11, 1000
SEEDS, WORLD_FRAMES = (11, 12, 13), 600
WAITING = 1_000_000


def agreement_seconds() -> Iterator[dict[str, Any]]:
    """`python -m curation agreement` of 3,500 frames × 5 units × 11 raters with 1,000 draws.

    Judged are the seconds of one core that the command takes from its start to its end, reading the
    sheet included; the clock, which also counts what else the machine does, is told beside.
    """
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        table, out = Path(folder) / "wide.csv", Path(folder) / "agreement.json"
        _write_sheet(table)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        asked = ["agreement", table, "--json", out, "--draws", str(DRAWS)]
        subprocess.run(
            [sys.executable, "-m", "curation", *asked],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        )
        clock = time.monotonic() - started
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = json.loads(out.read_text(encoding="utf-8"))
    if len(found["units"]) != 5 or found["n_raters"] != RATERS or found["problems"]:
        raise RuntimeError("the report is not that of the sheet")
    core = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    yield {"name": "curation.agreement_seconds", "value": core, "unit": "s", "target": "≤ 20"}
    yield {
        "name": "curation.agreement_clock_seconds",
        "value": clock,
        "unit": "s",
        "target": None,
    }


def rating_cost() -> Iterator[dict[str, Any]]:
    """Unit ratings that the quorum asks for over those of five raters on every unit.

    Three simulated worlds of 600 frames (`curation.simulation`). A fifth of the frames are the
    random share with its fixed number of raters. The ratio counts for something only where the
    error of the consensus is no larger, which two rows ask: of the mean over units, and of the unit
    that fares worst in any world. Told beside: the frames outside the random share alone, verdicts
    frame by frame, and worlds in which one unit tells nothing of another.
    """
    from curation.quorum_curve import UNIFORM_SHARE
    from curation.simulation import adaptive, by_rule, plain_mean, world

    found: dict[str, list[tuple[float, float, float]]] = {}
    for seed in SEEDS:
        one = world(WORLD_FRAMES, seed)
        untied = world(WORLD_FRAMES, seed, tied=False)
        for name, here, point in (
            ("", one, adaptive(one, share=UNIFORM_SHARE)[-1]),
            ("_chosen", one, adaptive(one)[-1]),
            ("_frame_by_frame", one, by_rule(one)),
            ("_untied", untied, adaptive(untied, share=UNIFORM_SHARE)[-1]),
        ):
            base = plain_mean(here)
            row = (point.ratings / base.ratings, point.mean / base.mean, point.worst(base))
            found.setdefault(name, []).append(row)
    for name, rows in found.items():
        cost, error, worst = np.array(rows).T
        asked = name == ""
        for figure, value, target in (
            ("rating_cost_ratio", float(cost.mean()), "≤ 0.75"),
            ("mean_rmse_ratio", float(error.mean()), "≤ 1"),
            ("worst_unit_rmse_ratio", float(worst.max()), "≤ 1.1"),
        ):
            yield {
                "name": f"curation.{figure}{name}",
                "value": value,
                "unit": "",
                "target": target if asked else None,
            }


def rater_model_seconds() -> Iterator[dict[str, Any]]:
    """Fitting the rater model to 20,000 frames × 5 units × 3 raters; seconds of one core."""
    from curation.rater_model import fit_scorable_of, tabulate
    from curation.simulation import world
    from models.stats.ordinal_raters import fit

    one = world(20_000, SEEDS[0])
    sheets = one.sheets(np.full(one.truth.shape, 3))
    kappa = np.array([unit.pairwise_kappa for unit in one.scale.units])
    started = time.process_time()
    fitted = fit(sheets, kappa)
    tabulate(sheets, fitted.posterior, fitted.parameters, fit_scorable_of(sheets, one.scale))
    value = time.process_time() - started
    yield {"name": "curation.rater_model_seconds", "value": value, "unit": "s", "target": None}


def next_frame() -> Iterator[dict[str, Any]]:
    """Next frame for a rater where a million wait, on PostgreSQL; ``BENCH_SCALE=0.01``: fewer."""
    sys.path.insert(0, str(ROOT))
    from deploy.local_stack import postgresql

    frames = int(float(os.environ.get("BENCH_SCALE", "1")) * WAITING)
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        (Path(folder) / "postgresql").mkdir()
        database = postgresql.start(Path(folder) / "postgresql")
        environment = os.environ | {
            "AMGS_VAR": str(Path(folder) / "var"),
            "DATABASE_URL": database.url,
            "DJANGO_SETTINGS_MODULE": "amgs.settings.base",
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "platform"))),
        }
        try:
            _run(["manage.py", "migrate", "-v", "0"], environment)
            fill = [str(HERE / "fill_repository.py"), str(frames), str(frames), str(frames // 10)]
            _run(fill, environment)
            told = json.loads(_run([str(HERE / "next_frame.py"), "400"], environment))
        finally:
            database.stop(gracefully=False)
    seconds = sorted(told["seconds"])
    p95 = 1000 * seconds[round(0.95 * len(seconds)) - 1]
    yield _row("next_frame_waiting", told["waiting"], None, "frames")
    yield _row("next_frame_p95_ms", p95, "≤ 20", "ms")


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return done.stdout


def _row(name: str, value: float, target: str | None, unit: str) -> dict[str, Any]:
    return {"name": f"curation.{name}", "value": value, "unit": unit, "target": target}


def _write_sheet(path: Path) -> None:
    rng = np.random.default_rng(11)
    truth = rng.normal(0.5, 0.7, (FRAMES, 1, 5))
    grades = np.clip(np.rint(truth + rng.normal(0, 0.6, (FRAMES, RATERS, 5))), 0, 2).astype(int)
    grades[rng.random(grades.shape) < 0.1] = 9
    shorts = ("ot", "nb", "cb", "ep", "wc")
    header = [f"{short}{rater}" for rater in range(1, RATERS + 1) for short in shorts]
    lines = ["filename," + ",".join(header)]
    lines += [
        f"f{frame:05d}.png," + ",".join(map(str, row.ravel())) for frame, row in enumerate(grades)
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")

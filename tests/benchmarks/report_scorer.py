"""What the shipped recipe reaches on rendered mice: every lab left out once, then the bundle.

A study is rendered, every lab is left out once and judged with raters drawn for the evaluation
alone, and a last run on all labs makes the bundle that is shipped. A finished fold leaves a JSON
file with the digests of its commit and data, which a rerun with the same ones takes as it is.
``AMGS_REPORT_ANIMALS`` (animals per lab and coat) makes a smaller study for a trial; its figures
are not worth keeping.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("AMGS_VAR") or ROOT / "var").resolve() / "report"
LABS = 5
FEWEST_OF_GROUP = 24
ANIMALS = int(os.environ.get("AMGS_REPORT_ANIMALS", "24"))
CONFIG = os.environ.get("AMGS_REPORT_CONFIG", "shipped")
SEED = 1
SHIPPED = ROOT / "models" / "bundles" / "phantom"
PAGES = ROOT / "docs" / "reference" / "reports"
Row = dict[str, Any]


def study(state: Any) -> Iterator[Row]:
    """Render the study and gather its frames."""
    folder = _study()
    spent = folder / "rendering.json"
    if not (folder / "study.json").exists():
        started, before = time.monotonic(), os.times()
        _run(
            "phantom", "study", "--labs", LABS, "--animals", ANIMALS, "--seed", SEED,
            "--processes", os.cpu_count() or 1, "--out", folder,
        )  # fmt: skip
        after = os.times()
        cpu = after.children_user + after.children_system
        cpu -= before.children_user + before.children_system
        taken = {"minutes": (time.monotonic() - started) / 60, "cpu_minutes": cpu / 60}
        spent.write_text(json.dumps(taken), encoding="utf-8")
    if not (_gathered() / "evaluation.parquet").exists():
        from models.phantom.manifest import gather_study

        gather_study(folder, _gathered())
    taken = json.loads(spent.read_text(encoding="utf-8"))
    yield _row("scorer.study_render_minutes", taken["minutes"], "min", "≤ 20")
    # Other work on the machine lengthens the minutes, not these.
    yield _row("scorer.study_render_cpu_minutes", taken["cpu_minutes"], "min", "≤ 40")


def left_out_labs(state: Any) -> Iterator[Row]:
    """Train on all labs but one, judge on that one, for every lab."""
    labs = _labs()
    started = time.monotonic()
    # One run per core: a run computes on one thread, so that its result does not depend on them.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        reports = dict(zip(labs, pool.map(_fold, labs), strict=True))
    spent = state.get("minutes") or (time.monotonic() - started) / 60
    state["minutes"] = spent
    yield _row("scorer.folds_minutes", spent, "min", "≤ 80")
    for lab, report in reports.items():
        yield from _lab_rows(f"left_out_{lab.removeprefix('phantom-')}", report)
    whole = _together(labs)
    yield from _unit_rows(whole)
    yield from _state_rows(whole)
    yield _row("scorer.left_out_coat_gap_rmse", whole["coat_gap"]["largest"], "grades", "≤ 0.03")
    yield from _effect_rows(labs)


def ablation(state: Any) -> Iterator[Row]:
    """What the seconds round a frame are worth on left-out labs: the same runs without them."""
    import pandas as pd

    from models.figures import ablation_figures
    from models.report.tables import FEWEST
    from models.scale import load_scale

    labs = _labs()

    def framewise(lab: str) -> Path:
        run = _runs() / f"without-{lab}"
        out = run / "without-context"
        if not (out / "predictions.parquet").exists():
            _run(
                "evaluate", "--bundle", run / "bundle", *_judging(WORK / f"without-{lab}.parquet"),
                "--out", out, "--without-context",
            )  # fmt: skip
        return out / "predictions.parquet"

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        alone = pd.concat([pd.read_parquet(path) for path in pool.map(framewise, labs)])
    known = pd.read_parquet(_gathered() / "evaluation.parquet")
    whole = pd.read_parquet(_left_out(labs)).merge(known, on="frame", validate="one_to_one")
    told = ablation_figures(whole, alone, load_scale())
    (_runs() / "ablation.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    # Drawn again, so that the page that is kept shows this too.
    _together(labs)
    for kind, name, target in (
        ("all", "ungated", "≤ 0"),
        ("near_blink", "ungated", "≤ 0"),
        ("recordings_with_near_blink", "ungated", "≤ 0"),
        ("recordings_with_blurred", "ungated", "≤ 0"),
        ("recordings_with_grooming", "ungated", "≤ 0"),
        ("blurred", "graded_needlessly", "≤ 0"),
        ("all", "state_right", "≥ 0"),
        ("grooming", "state_right", "≥ 0"),
        ("grooming", "graded_needlessly", "≤ 0"),
    ):
        change = told["kinds"].get(kind, {}).get(name) or {}
        figure = f"scorer.context_changes_{kind}_{'rmse' if name == 'ungated' else name}"
        # One or two frames say nothing of a kind: their change is told, not judged.
        judged = target if not change or change["n"] >= FEWEST else None
        yield _row(figure, change.get("difference"), "", judged)


def shipped(state: Any) -> Iterator[Row]:
    """Train on all labs and keep the bundle."""
    manifest = WORK / "shipped.parquet"
    from models.phantom.manifest import write_fold

    write_fold(_gathered(), manifest, None, SEED, _independent())
    out = _runs() / "shipped"
    started = time.monotonic()
    _train(manifest, out, "--left-out", _left_out(_labs()))
    minutes = state.get("minutes") or (time.monotonic() - started) / 60
    state["minutes"] = minutes
    shutil.rmtree(SHIPPED, ignore_errors=True)
    shutil.copytree(out / "bundle", SHIPPED)
    _tell_left_out(SHIPPED, manifest)
    size = sum(file.stat().st_size for file in SHIPPED.iterdir())
    yield _row("scorer.shipped_minutes", minutes, "min", "≤ 20")
    yield _row("scorer.bundle_mib", size / 2**20, "MiB", "≤ 30")
    report = _judged(out, "The shipped bundle on unseen animals of known labs")
    image = report["image_score"]
    yield _row("scorer.known_labs_rmse", image["rmse"], "grades", "≤ 0.3")
    yield _row("scorer.known_labs_r", image["r"], "", "≥ 0.87")
    yield _row("scorer.known_labs_coat_gap_rmse", report["coat_gap"]["largest"], "grades", "≤ 0.03")
    for unit, row in report["units"].items():
        yield from _calibration_rows(f"known_labs_{unit}", row)
    PAGES.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(WORK / "left-out" / "report.html", PAGES / "left-out.html")
    shutil.copyfile(out / "against-evaluation" / "report.html", PAGES / "shipped.html")
    yield from _set_rows(report["sets"])
    own = json.loads((out / "bundle" / "report.json").read_text(encoding="utf-8"))
    for unit, row in own["explanation"]["units"].items():
        above = row["above_centre"]["interval"][0]
        yield _row(f"scorer.{unit}_saliency_energy", row["energy"], "", "≥ 0.7")
        yield _row(f"scorer.{unit}_deletion_above_centre", above, "", "≥ 0")


def independent(state: Any) -> Iterator[Row]:
    """The shipped bundle on the lab that only judges."""
    from models.phantom.manifest import write_fold

    for lab in _independent():
        manifest = WORK / f"independent-{lab}.parquet"
        write_fold(_gathered(), manifest, lab, SEED)
        out = _runs() / f"independent-{lab}"
        _run(
            "evaluate", "--bundle", _runs() / "shipped" / "bundle", *_judging(manifest),
            "--out", out,
        )  # fmt: skip
        report = _judged(out, f"The shipped bundle on the independent lab {lab}", out)
        yield from _lab_rows(f"independent_{lab.removeprefix('phantom-')}", report)


def _tell_left_out(bundle: Path, manifest: Path) -> None:
    """Write into a bundle's report what its recipe reached in each lab left out; seal it again.

    The gates read it there (`left_out`): a verdict never trains anything itself.
    """
    from models.bundle import seal
    from models.manifest import read_manifest

    keys = ("rmse", "constant_rmse", "r", "n", "n_animals")
    path = bundle / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    report["left_out"] = {
        "recipe": CONFIG,
        "snapshot": read_manifest(manifest).digest,
        "labs": {lab: {key: _fold(lab)["image_score"].get(key) for key in keys} for lab in _labs()},
    }
    path.write_text(json.dumps(report, indent=1, ensure_ascii=False), encoding="utf-8")
    seal(bundle)


def _fold(lab: str) -> dict[str, Any]:
    """The report of the run that never saw a lab."""
    from models.phantom.manifest import write_fold

    manifest = WORK / f"without-{lab}.parquet"
    digests = write_fold(_gathered(), manifest, lab, SEED, _independent())
    kept = WORK / "folds" / f"{lab}.json"
    key = {"commit": _commit(), "manifest": digests, "config": CONFIG, "seed": SEED}
    if kept.exists():
        told: dict[str, Any] = json.loads(kept.read_text())
        if told["key"] == key:
            return dict(told["report"])
    out = _runs() / f"without-{lab}"
    _train(manifest, out)
    report = _judged(out, f"Trained without lab {lab}, judged on it")
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps({"key": key, "report": report}, indent=1))
    return report


def _train(manifest: Path, out: Path, *more: object) -> None:
    _run(
        "train", "--manifest", manifest, "--media", _gathered() / "media", "--out", out,
        "--config", CONFIG, "--seed", SEED, "--cache", WORK / "cache", *more,
    )  # fmt: skip
    _run(
        "evaluate", "--bundle", out / "trained", *_judging(manifest), "--out", out / "evaluation",
        "--cache", WORK / "cache", "--finish", out / "bundle",
    )  # fmt: skip


def _judging(manifest: Path) -> tuple[object, ...]:
    """The options that judge what learned from a manifest on the benchmark beside it."""
    from models.manifest import beside

    return (
        *("--manifest", beside(manifest, "benchmark"), "--training", manifest),
        *("--media", _gathered() / "media"),
    )


def _judged(out: Path, title: str, evaluation: Path | None = None) -> dict[str, Any]:
    """The figures of a run against the evaluation raters, with oracle and true states beside."""
    import pandas as pd

    if evaluation is not None:
        graded = pd.read_parquet(evaluation / "predictions.parquet")
        return _figures(graded, out / "against-evaluation", title, {})
    graded = pd.read_parquet(out / "evaluation" / "predictions.parquet")
    training = json.loads((out / "bundle" / "report.json").read_text(encoding="utf-8"))["training"]
    calibration = json.loads((out / "bundle" / "calibration.json").read_text(encoding="utf-8"))
    return _figures(graded, out / "against-evaluation", title, training, calibration["sets"])


def _left_out(labs: list[str]) -> Path:
    """One table of what every lab got from the run that never saw it."""
    import pandas as pd

    path = _runs() / "left-out.parquet"
    tables = [
        pd.read_parquet(_runs() / f"without-{lab}" / "evaluation" / "predictions.parquet")
        for lab in labs
    ]
    pd.concat(tables, ignore_index=True).to_parquet(path, index=False)
    return path


def _together(labs: list[str]) -> dict[str, Any]:
    """The figures over all left-out labs, each graded by the run that never saw it.

    What context is worth on them is among the figures once it was measured.
    """
    import pandas as pd

    graded = pd.read_parquet(_left_out(labs))
    title = "Every lab graded by a model that never saw it"
    known = _runs() / "ablation.json"
    more = {"ablation": json.loads(known.read_text(encoding="utf-8"))} if known.exists() else {}
    training = {"config": CONFIG, "seed": SEED}
    return _figures(graded, WORK / "left-out", title, training, more=more)


def _figures(
    graded: Any,
    out: Path,
    title: str,
    training: Mapping[str, Any],
    sets: Mapping[str, Any] | None = None,
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    import pandas as pd

    from models.figures import compute_report
    from models.manifest import read_manifest
    from models.predictions import constants, with_truth
    from models.report import write_report
    from models.scale import load_scale

    scale = load_scale()
    known = pd.read_parquet(_gathered() / "evaluation.parquet")
    table = graded.merge(known, on="frame", how="left", validate="one_to_one")
    # All frames of all labs but the independent ones: one fold with its benchmark.
    fold = sorted(WORK.glob("without-*.benchmark.parquet"))[0]
    learnt = fold.with_name(fold.name.replace(".benchmark", ""))
    frames = pd.concat([read_manifest(path).frames for path in (learnt, fold)])
    constant = constants(with_truth(frames.sort_values("frame"), scale), scale)
    report = compute_report(
        table,
        constant,
        scale,
        split="benchmark",
        benchmark_digest="",
        training=dict(training),
        draws=1000,
        sets=sets,
    )
    report |= more or {}
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.json").write_text(json.dumps(report, indent=1, ensure_ascii=False))
    write_report(out / "report.html", report, table, scale, title)
    return report


def _lab_rows(lab: str, report: Mapping[str, Any]) -> Iterator[Row]:
    image = report["image_score"]
    best = image["oracle"]["r"]
    ratio = image["rmse"] / image["constant_rmse"] if image["constant_rmse"] else None
    yield _row(f"scorer.{lab}_rmse", image["rmse"], "grades", "≤ 0.3")
    yield _row(f"scorer.{lab}_rmse_to_constant", ratio, "", "≤ 0.55")
    yield _row(f"scorer.{lab}_r", image["r"], "", "≥ 0.87")
    # Where little was rendered to differ, the best possible answer has a low r too.
    yield _row(f"scorer.{lab}_oracle_r", best, "")
    yield _row(f"scorer.{lab}_r_to_oracle", image["r"] / best if best else None, "", "≥ 0.9")


def _unit_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    for unit, row in report["units"].items():
        gain = row["against_one_rater"]["lower"]
        yield _row(f"scorer.left_out_{unit}_kappa_over_one_rater", gain, "", "≥ 0")
        yield from _calibration_rows(f"left_out_{unit}", row)


def _calibration_rows(name: str, row: Mapping[str, Any]) -> Iterator[Row]:
    yield _row(f"scorer.{name}_ece", row["ece"], "", "≤ 0.03")
    # What stated probabilities would show that are right.
    yield _row(f"scorer.{name}_ece_by_chance", row["ece_by_chance"], "")


def _state_rows(report: Mapping[str, Any]) -> Iterator[Row]:
    states = report["state_figures"]
    for name, target in (
        ("asleep_graded_high", "≤ 0.02"),
        ("awake_scorable_kept", "≥ 0.9"),
        ("painful_awake_kept", "≥ 0.85"),
        ("painful_awake_taken_for_asleep", "≤ 0.02"),
    ):
        yield _row(f"scorer.left_out_{name}", states[name]["share"], "", target)


def _set_rows(sets: Mapping[str, Any]) -> Iterator[Row]:
    """Coverage of the 90 % sets: of known labs together, by lab × coat, of labs left out."""
    for unit, row in sets["units"].items():
        pooled = row["pooled"]
        yield _row(f"scorer.{unit}_set_coverage", pooled["coverage"], "", "≥ 0.88")
        if pooled["size"] > 1:
            # Sets of a single grade cannot be made smaller, however often they hold the grade.
            yield _row(f"scorer.{unit}_set_coverage_at_most", pooled["coverage"], "", "≤ 0.93")
        # The corrected interval of a small group reaches 1 whatever its sets hold: it says nothing.
        large = [one for one in row["groups"].values() if one["n_animals"] >= FEWEST_OF_GROUP]
        upper = [group["interval"][1] for group in large]
        if upper:
            yield _row(f"scorer.{unit}_set_lowest_group_upper", min(upper), "", "≥ 0.88")
        away = list((row["left_out"] or {}).values())
        lowest = min((lab["coverage"] for lab in away), default=None)
        yield _row(f"scorer.{unit}_set_lowest_left_out", lowest, "", "≥ 0.8")
        # What that costs: the more grades a set holds, the less it says.
        size = sum(lab["size"] for lab in away) / len(away) if away else None
        yield _row(f"scorer.{unit}_set_size_left_out", size, "grades")


def _effect_rows(labs: list[str]) -> Iterator[Row]:
    """What the model says changed from baseline, beside what the raters say, for every lab.

    One value per animal: its score afterwards less its own at baseline, by a model that never saw
    the lab. Where nothing was rendered to change, the 95 % interval over animals must hold 0.
    """
    import numpy as np
    import pandas as pd

    from models.figures import observation_scores
    from models.phantom.animals import AFTER, BASELINE
    from models.scale import load_scale
    from models.stats.bootstrap import cluster_interval

    def mean(rows: Any, values: Any) -> float:
        return float(values[rows].mean())

    table = observation_scores(pd.read_parquet(_left_out(labs)), load_scale())
    for lab in labs:
        mine = table[table["lab"] == lab]
        for who in ("score", "truth"):
            wide = mine.pivot(index="animal", columns="observation", values=who).dropna()
            change = (wide[AFTER] - wide[BASELINE]).to_numpy(np.float64)
            low, high = cluster_interval(
                functools.partial(mean, values=change), wide.index.tolist(), 1000, 0
            )
            short = lab.removeprefix("phantom-")
            name = f"scorer.left_out_{short}_change_by_{'model' if who == 'score' else 'raters'}"
            if _assay(lab) == "neuropathic":
                yield _row(f"{name}_holds_zero", float(low <= 0 <= high), "", "= 1")
            else:
                yield _row(f"{name}_lower", low, "grades", "≥ 0")


def _assay(lab: str) -> str:
    told = json.loads((_study() / lab / "dataset.json").read_text(encoding="utf-8"))
    return str(told["metadata"]["assay"])


def _row(name: str, value: float | None, unit: str, target: str | None = None) -> Row:
    return {"name": name, "value": value, "unit": unit, "target": target}


def _labs() -> list[str]:
    labs: list[str] = json.loads((_study() / "study.json").read_text())["labs"]
    return labs


def _independent() -> list[str]:
    """Labs that only judge: no run may read them."""
    labs: list[str] = json.loads((_study() / "study.json").read_text())["independent"]
    return labs


def _study() -> Path:
    return WORK / f"study-{LABS}-{ANIMALS}-{SEED}"


def _gathered() -> Path:
    return WORK / f"gathered-{LABS}-{ANIMALS}-{SEED}"


def _runs() -> Path:
    """Where the runs of this commit lie: a finished run of other code must not stand for one."""
    return WORK / "runs" / _commit()[:12]


def _commit() -> str:
    said = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    return said.stdout.strip()


def _run(*arguments: object) -> None:
    log = WORK / "log.txt"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        subprocess.run(
            [sys.executable, "-m", "models", *map(str, arguments)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=stream,
            stderr=stream,
            check=True,
        )

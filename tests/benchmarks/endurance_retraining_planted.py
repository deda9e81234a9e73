"""Challengers that learned one lab's labels shuffled, trained and judged for real."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEED = 31
ANIMALS = 20
"""Animals of each lab, all white: eight of them judge, so that the lab is assessed."""
SPLITS = ("benchmark",) * 8 + ("validation",) * 2 + ("calibration",) * 3 + ("train",) * 7
EPOCHS, LEARNING_RATE = 40, 0.001
"""Far more than the demonstration takes: it begins with a good bundle and would stay near it."""
PROFILE = "demo"


def planted(state: Any) -> Iterator[dict[str, Any]]:
    """Champion and challenger differ in nothing but one lab's labels, dealt anew among its frames.

    Each of three labs is planted in turn. In one of them no mouse grimaces, so that its labels
    hardly differ and little can be learned wrong from them; it is told apart. A challenger of true
    labels and another seed has to pass: the gates know more than "no".
    """
    told: dict[str, list[str]] = state.get("refused_by", {})
    spread: dict[str, float] = state.get("spread", {})
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as scratch:
        folder = Path(scratch)
        if "" not in told:
            frames = _study(folder)
            labs = sorted(frames["lab"].unique())
            champion = _trained(folder, frames, "champion")
            predictions = pd.read_parquet(champion / "evaluation" / "predictions.parquet")
            spread = {lab: float(predictions[predictions["lab"] == lab]["truth"].std())
                      for lab in labs}  # fmt: skip
            state["spread"] = spread
            for lab in (*labs, ""):
                learnt = _planted(frames, lab) if lab else frames
                name = f"challenger-{lab or 'of-true-labels'}"
                challenger = _trained(folder, learnt, name, seed=SEED + (not lab))
                told = {**told, lab: _refused_by(folder, challenger, champion)}
                state["refused_by"] = told
    quiet = min(spread, key=lambda lab: spread[lab])
    for lab in sorted(spread, key=lambda lab: -spread[lab]):
        named = [gate for gate in told[lab] if f":{lab}|" in gate]
        others = [gate for gate in told[lab] if ":" in gate and gate not in named]
        kind = lab.removeprefix("phantom-") + ("_without_grimaces" if lab == quiet else "")
        yield _row(f"planted_{kind}_gates_naming_it", len(named), None if lab == quiet else "≥ 1")
        yield _row(f"planted_{kind}_gates_naming_others", len(others), None)
    yield _row("planted_nowhere_refusing_gates", len(told[""]), "= 0")


def _row(name: str, value: float, target: str | None) -> dict[str, Any]:
    return {"name": f"retraining.{name}", "value": value, "unit": "", "target": target}


def _study(folder: Path) -> pd.DataFrame:
    """A rendered study of three labs, its animals dealt to the splits lab by lab."""
    from models.config import load_config, to_yaml
    from models.phantom.manifest import gather_study

    config = load_config("demo")
    fit = replace(config.fit, epochs=EPOCHS, learning_rate=LEARNING_RATE)
    (folder / "recipe.yaml").write_text(to_yaml(replace(config, name="planted", fit=fit)))
    _run(
        "phantom", "study", "--labs", 3, "--animals", ANIMALS, "--coats", "white", "--seconds", 4,
        "--independent", 0, "--seed", SEED, "--processes", 2, "--out", folder / "study",
    )  # fmt: skip
    gather_study(folder / "study", folder / "gathered")
    frames = pd.read_parquet(folder / "gathered" / "frames.parquet")
    split = {
        animal: SPLITS[place]
        for _, rows in frames.groupby("lab")
        for place, animal in enumerate(sorted(rows["animal"].unique()))
    }
    frames["split"] = frames["animal"].map(split)
    return frames


def _planted(frames: pd.DataFrame, lab: str) -> pd.DataFrame:
    """The frames with the labels of one lab dealt anew among what may be learned from."""
    from models.data.labels import shuffled
    from models.manifest import target_columns
    from models.scale import load_scale

    wrong = (frames["lab"] == lab) & (frames["split"] != "benchmark")
    columns = ["votes", *target_columns(load_scale())]
    return pd.concat([frames[~wrong], shuffled(frames[wrong], columns, SEED)], ignore_index=True)


def _trained(folder: Path, frames: pd.DataFrame, name: str, *, seed: int = SEED) -> Path:
    """Train on frames and judge on the benchmark, in which nobody planted anything."""
    from models.manifest import beside, write_apart

    out = folder / name
    manifest = out / "manifest.parquet"
    out.mkdir()
    write_apart(manifest, frames, {"seed": SEED})
    media = ("--media", folder / "gathered" / "media", "--cache", folder / "cache")
    _run(
        "train", "--manifest", manifest, *media, "--out", out,
        "--config", folder / "recipe.yaml", "--seed", seed,
    )  # fmt: skip
    _run(
        "evaluate", "--bundle", out / "trained", "--manifest", beside(manifest, "benchmark"),
        "--training", manifest, *media, "--out", out / "evaluation", "--finish", out / "bundle",
    )  # fmt: skip
    return out


def _refused_by(folder: Path, challenger: Path, champion: Path) -> list[str]:
    """The gates that refuse the challenger."""
    from curation.gates import PROFILES, Evidence, judge, refused_by
    from models.bundle import load_bundle

    compared = folder / f"{challenger.name}.json"
    _run(
        "compare", "--challenger", challenger / "evaluation", "--champion",
        champion / "evaluation", "--out", compared,
    )  # fmt: skip
    bundle = load_bundle(challenger / "bundle")
    evidence = Evidence(
        report=_read(challenger / "evaluation" / "report.json"),
        champion=_read(champion / "evaluation" / "report.json"),
        comparison=_read(compared),
        bundle_info={**bundle.info, "digest": bundle.digest},
        production=False,
    )
    return list(refused_by(judge(evidence, PROFILES[PROFILE])))


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _run(*words: object) -> None:
    subprocess.run(
        [sys.executable, "-m", "models", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )

"""A challenger that learned one lab's labels shuffled, trained and judged for real."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SEED = 31
ANIMALS = 20
"""Animals of each lab, all white: eight of them judge, so that the lab is assessed."""
SPLITS = ("benchmark",) * 8 + ("validation",) * 2 + ("calibration",) * 3 + ("train",) * 7
CONFIG = "demo"
PROFILE = "demo"


def planted(state: Any) -> Iterator[dict[str, Any]]:
    """Champion and challenger differ in nothing but one lab's labels, dealt anew among its frames.

    Three labs, each planted in turn. A refusal counts where a gate names the lab; a gate that names
    a lab whose labels were true is counted beside.
    """
    told: dict[str, list[str]] = state.get("told", {})
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as scratch:
        folder = Path(scratch)
        frames = _study(folder)
        labs = sorted(frames["lab"].unique())
        if set(told) != {*labs, ""}:
            champion = _trained(folder, frames, "champion")
            # Trained twice on the same labels, it has to pass: the gates know more than "no".
            for lab in (*labs, ""):
                learnt = _planted(frames, lab) if lab else frames
                name = f"challenger-{lab or 'of-true-labels'}"
                challenger = _trained(folder, learnt, name, seed=SEED + (not lab))
                told[lab] = _refused_by(folder, challenger, champion)
                state["told"] = told
    named = [any(f":{lab}|" in gate for gate in told[lab]) for lab in labs]
    others = [
        gate
        for lab in labs
        for gate in told[lab]
        if any(f":{other}|" in gate for other in labs if other != lab)
    ]
    yield _row("planted_labs_named", sum(named), f"= {len(labs)}")
    yield _row("planted_other_labs_named", len(others), None)
    yield _row("planted_none_refused_by", len(told[""]), "= 0")


def _row(name: str, value: float, target: str | None) -> dict[str, Any]:
    return {"name": f"retraining.{name}", "value": value, "unit": "", "target": target}


def _study(folder: Path) -> pd.DataFrame:
    """A rendered study of three labs, its animals dealt to the splits lab by lab."""
    from models.phantom.manifest import gather_study

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
    """Train on frames and judge on the benchmark, which nobody planted anything in."""
    from models.manifest import beside, write_apart

    out = folder / name
    manifest = out / "manifest.parquet"
    out.mkdir()
    write_apart(manifest, frames, {"seed": SEED})
    media = ("--media", folder / "gathered" / "media", "--cache", folder / "cache")
    _run("train", "--manifest", manifest, *media, "--out", out, "--config", CONFIG, "--seed", seed)
    _run(
        "evaluate", "--bundle", out / "trained", "--manifest", beside(manifest, "benchmark"),
        "--training", manifest, *media, "--out", out / "evaluation", "--finish", out / "bundle",
    )  # fmt: skip
    return out


def _refused_by(folder: Path, challenger: Path, champion: Path) -> list[str]:
    """The gates that refuse the challenger, by the profile of the demonstration."""
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

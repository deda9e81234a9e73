"""Where a bundle comes from: the content of bundle.json."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import config as configs
from models.bundle import FORMAT, file_digest
from models.data.real import judged_eyes, judged_finder
from models.manifest import digest_of
from models.runs import Run
from models.scale import Scale
from models.shipped import shipped_part

Array = NDArray[np.float64]
ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements" / "base.txt"
COMPUTES = ("torch", "numpy", "onnxruntime", "opencv-python-headless")
JUDGED_HERE = ("units", "scorable", "states", "calibration")


def bundle_info(
    run: Run,
    finder: Mapping[str, Any],
    eyes: Mapping[str, Any],
    calibration: dict[str, Any],
    states: Array,
    training: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of bundle.json; `states` (n, states) are those that training frames allow.

    `training` says how it was trained, as reports show it.

    `finder` and `eyes` hold the `digest` of each, what it was `trained_on` and, where it was tried
    on real recordings held out of that, its figures on them (`real`). Those of a shipped part are
    in its facts.
    """
    config, scale, manifest = run.config, run.manifest.scale, run.manifest
    ours = sources(manifest.part("train"))
    fitted = sources(manifest.part("calibration"))
    # What they are judged on is told with the evaluation: a run cannot read it.
    heads = {"trained_on": ours, "judged_on": [], "pretrained_on": _pretrained_on(run)}
    return {
        "format": FORMAT,
        "version": program_version(),
        "scale": scale.name,
        "scale_version": scale.version,
        "config": config.name,
        "parts": {
            "finder": {
                "trained_on": finder["trained_on"],
                "judged_on": judged_finder(_tried("finder", config.finder, finder)),
            },
            "eyes": {
                "trained_on": eyes["trained_on"],
                "judged_on": judged_eyes(_tried("eyes", config.eyes, eyes)),
            },
            "units": heads,
            "scorable": heads,
            "states": heads,
            "calibration": {"trained_on": fitted, "judged_on": []},
        },
        "phantom": any(part["phantom"] for part in [*ours, *fitted]) or not ours,
        "labs": sorted(set(manifest.part("train")["lab"])),
        "states": states_told(states, scale),
        "inputs": {
            "crop_size": config.crop.size,
            "minimum_face": config.crop.minimum_face,
            "finder_long_side": config.finder.long_side,
            "channels": "luma",
            "normalisation": "0..1, then mean and deviation of each picture inside the graph",
        },
        "finder_digest": finder["digest"],
        "eyes_digest": eyes["digest"],
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "snapshot_digest": manifest.digest,
        "manifest": {key: manifest.header.get(key) for key in ("versions", "counts", "seed")},
        "config_digest": configs.digest(config),
        "warm_start": run.warm_start.digest if run.warm_start else None,
        "backbone": _backbone(run),
        "shuffled_labels": run.shuffle_labels,
        "calibrated_frames": calibration["out_of_distribution"]["n"],
        "training": dict(training),
        "made": made(),
    }


def judged_info(info: Mapping[str, Any], frames: pd.DataFrame) -> dict[str, Any]:
    """The content of bundle.json once the bundle was judged on these frames."""
    held = sources(frames)
    parts = {
        name: {**part, "judged_on": held} if name in JUDGED_HERE else part
        for name, part in info["parts"].items()
    }
    return {
        **info,
        "parts": parts,
        "phantom": bool(info["phantom"]) or any(one["phantom"] for one in held),
        "benchmark": {
            "digest": digest_of(frames),
            "frames": len(frames),
            "animals": int(frames["animal"].nunique()),
        },
    }


def sources(frames: pd.DataFrame) -> list[dict[str, Any]]:
    """The datasets of some frames, each with whether it is a phantom."""
    return [
        {"name": name, "phantom": bool(rows["phantom"].any())}
        for name, rows in frames.groupby("dataset")
    ]


def made() -> dict[str, Any]:
    """With what a run computes: version and commit, digest of the locked packages, machine."""
    return {
        "version": program_version(),
        "commit": _commit(),
        "lock": file_digest(LOCK) if LOCK.is_file() else None,
        "packages": {name: version(name) for name in COMPUTES},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "python": platform.python_version(),
    }


def _commit() -> str | None:
    """The commit of a checkout, marked `+` where files differ from it; None outside one."""
    git = ["git", "-C", str(ROOT), "--no-optional-locks"]
    try:
        said = subprocess.run(
            [*git, "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"],
            capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return said.stdout.strip() or None


def _tried(name: str, config: Any, part: Mapping[str, Any]) -> dict[str, Any]:
    """Figures of a finder or an eye reader on real recordings; empty where it was not tried."""
    facts = part
    if config.shipped and "real" not in part:
        _, facts = shipped_part(name, config, ())
        if facts["digest"] != part["digest"]:
            return {}
    return dict(facts.get("real") or {})


def _backbone(run: Run) -> dict[str, Any] | None:
    """The file or folder whose weights the backbone began with, by name and digest."""
    if run.backbone is None:
        return None
    return {
        "name": run.backbone.path.name,
        "digest": run.backbone.digest,
        "frozen": run.config.net.frozen,
    }


def _pretrained_on(run: Run) -> list[dict[str, Any]]:
    """What the networks had learnt from before, where the run began with another bundle."""
    if run.warm_start is not None:
        before = run.warm_start.info["parts"]["units"]
        every = [*before["trained_on"], *before.get("pretrained_on", [])]
        return [one for place, one in enumerate(every) if one not in every[:place]]
    return []


def states_told(states: Array, scale: Scale) -> list[str]:
    """States that enough training frames show for the head to tell them; the unknown one always."""
    weight = states / np.maximum(states.sum(1, keepdims=True), 1)
    seen = weight.sum(0) >= min(5, max(1, len(states) // 50))
    told = {key for key, enough in zip(scale.state_keys, seen, strict=True) if enough}
    return [key for key in scale.state_keys if key in told | {scale.unknown_state.key}]


def program_version() -> str:
    """The version of the installed program."""
    try:
        return version("amgs")
    except PackageNotFoundError:
        return "2.0.0.dev0"

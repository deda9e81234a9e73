"""What a training run was asked to do, and the folder it lives in. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models import config as configs
from models.backbones import Backbone, resolved
from models.bundle import Bundle, default_bundle, load_bundle
from models.config import ConfigError, RunConfig
from models.events import Refused
from models.manifest import Manifest, read_manifest, refuse_locked
from models.ranks import rank_of
from models.scale import Scale, Unit
from models.sets import LeftOut

TRAINED = "trained"
"""Folder of a run with all of a bundle but its report, which comes with the evaluation."""


@dataclass(frozen=True)
class Run:
    """What a run was asked to do."""

    config: RunConfig
    manifest: Manifest
    media: Path
    out: Path
    cache: Path
    shuffle_labels: bool = False
    warm_start: Bundle | None = None
    resume: Path | None = None
    left_out: LeftOut | None = None
    """Predictions on labs that runs like this one never saw: unseen labs get sets from them."""
    backbone: Backbone | None = None
    """What the backbone begins with, where the configuration names weights or a folder."""

    @property
    def rank(self) -> int:
        """The number of this process among those that share the steps of the run."""
        return rank_of(self.config.fit)

    def identity(self) -> dict[str, Any]:
        """What must be equal for a folder of checkpoints to belong to this run."""
        begun = {"backbone": self.backbone.digest} if self.backbone else {}
        return {
            **begun,
            "config": configs.digest(self.config),
            "manifest": self.manifest.digest,
            "shuffle_labels": self.shuffle_labels,
            "warm_start": self.warm_start.digest if self.warm_start else None,
            "left_out": self.left_out.digest if self.left_out else None,
        }

    def finished(self) -> bool:
        """Whether the folder holds what training leaves."""
        return (self.out / TRAINED).is_dir()


def prepare(
    config: RunConfig,
    manifest: Path,
    media: Path,
    out: Path,
    *,
    seed: int | None = None,
    cache: Path | None = None,
    shuffle_labels: bool = False,
    warm_start: Path | None = None,
    resume: Path | None = None,
    left_out: Path | None = None,
) -> Run:
    """Read and verify what a run needs and claim its folder, the first process alone.

    Raises Refused where the folder belongs to another run, ManifestError (also where the manifest
    holds frames that only judge), BundleError or ConfigError.
    """
    known = read_manifest(manifest)
    refuse_locked(known)
    net, backbone = resolved(config.net)
    beginning = _beginning(config, warm_start, shuffle_labels)
    if beginning is not None:
        # Weights that learnt from crops of one light say nothing of crops of another.
        net = replace(net, evened_by=beginning.config.net.evened_by)
    if net.frozen and backbone is None and beginning is None:
        raise ConfigError(
            "net: a “frozen” backbone never learns; name “weights”, a “folder” or a bundle that it "
            "begins with."
        )
    run = Run(
        config=replace(config, net=net, seed=config.seed if seed is None else seed),
        manifest=known,
        media=media,
        out=out,
        cache=cache or out / "cache",
        shuffle_labels=shuffle_labels,
        warm_start=beginning,
        resume=resume,
        left_out=read_left_out(left_out, known.scale) if left_out else None,
        backbone=backbone,
    )
    if run.rank == 0:
        _claim(run)
    return run


def _beginning(config: RunConfig, warm_start: Path | None, shuffle_labels: bool) -> Bundle | None:
    """The bundle whose weights a run begins with: the one named, or else the shipped one where the
    configuration says `net.pretrained`.

    A negative control has to learn all it knows from the labels that were dealt anew. Raises
    ConfigError where the shipped networks are others than those of the configuration.
    """
    if warm_start is not None:
        return load_bundle(warm_start)
    if not config.net.pretrained or shuffle_labels:
        return None
    shipped = default_bundle()
    for field in ("recipe", "widths", "window_widths", "window_margin"):
        wanted, own = getattr(config.net, field), getattr(shipped.config.net, field)
        if wanted != own:
            raise ConfigError(f"net: the shipped one has {field} = {own}, not {wanted}.")
    return shipped


def read_left_out(path: Path, scale: Scale) -> LeftOut:
    """The predictions of evaluations on left-out labs, one table with the rows of all of them.

    Reads the columns `lab`, `<unit>__p<grade>` and `<unit>__truth_p<grade>` of the
    `predictions.parquet` of such evaluations.
    """
    table = pd.read_parquet(path)

    def shares(unit: Unit, what: str) -> NDArray[np.float64]:
        columns = [f"{unit.key}__{what}{grade}" for grade in range(len(unit.grades))]
        return table[columns].to_numpy(np.float64)

    return LeftOut(
        [shares(unit, "p") for unit in scale.units],
        [shares(unit, "truth_p") for unit in scale.units],
        table["lab"].astype(str).tolist(),
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def _claim(run: Run) -> None:
    """Note which run a folder belongs to, or refuse to mix two."""
    path = run.out / "run.json"
    run.out.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        if json.loads(path.read_text(encoding="utf-8")) != run.identity():
            raise Refused(
                f"{run.out} holds another run (other data, options or seed); choose a new folder."
            )
        for leftover in run.out.glob(f".{TRAINED}.*"):
            shutil.rmtree(leftover, ignore_errors=True)
        return
    write_json(path, run.identity())


def write_json(path: Path, value: Any) -> None:
    """Write JSON under its final name in one step."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(json.dumps(value, indent=1, ensure_ascii=False), encoding="utf-8")
    unfinished.replace(path)

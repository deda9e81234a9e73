"""Train again what a bundle says it learned from, and compare within declared tolerances."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from models.bundle import Bundle, load_bundle
from models.evaluate import evaluate
from models.events import Emit, Refused, silent
from models.manifest import Manifest, read_manifest
from models.provenance import made
from models.runs import Run, prepare, write_json

TOLERANCES = {"probability": 1e-3, "figure": 1e-3}
"""Largest difference of a probability on any frame, and of a figure of the report."""
FIGURES = ("rmse", "r", "mae", "coverage", "kappa", "ece")
PROBABILITY = re.compile(r"__(p\d+|scorable)$")
HELD_BACK = ("benchmark", "test", "calibration")


def reproduce(
    bundle: Path,
    manifest: Path,
    media: Path,
    out: Path,
    *,
    benchmark: Path | None = None,
    warm_start: Path | None = None,
    left_out: Path | None = None,
    cache: Path | None = None,
    emit: Emit = silent,
) -> dict[str, Any]:
    """Retrain with a bundle's recipe, seed and manifest; write and return `reproduction.json`.

    Both bundles are judged on the `benchmark` manifest, or else on frames of the training manifest
    that no weight was fitted to. The result holds `reproduced`, the largest differences, the
    `tolerances`, what both were made with, and a sentence. Raises Refused where it is not possible,
    with the reason.
    """
    from models.train import train

    old = load_bundle(bundle, judged=False)
    learnt = read_manifest(manifest)
    _possible(old, learnt, media)
    run = prepare(
        old.config,
        manifest,
        media,
        out / "run",
        cache=cache,
        shuffle_labels=bool(old.info.get("shuffled_labels")),
        warm_start=warm_start,
        left_out=left_out,
    )
    _same_beginning(old, run)
    new = train(run, emit)
    if new is None:
        raise Refused("Reproduce a run in one process; leave the launcher away.")
    judged_on = read_manifest(benchmark) if benchmark is not None else learnt
    split = next(name for name in HELD_BACK if len(judged_on.part(name)))
    found = {}
    for name, one in (("then", old), ("now", new)):
        found[name] = evaluate(
            one.path, judged_on, media, out / name, split=split, emit=emit, training=learnt,
            cache=cache,
        )  # fmt: skip
    result = compared(*(_told(out / name, found[name]) for name in ("then", "now")))
    result |= {
        "bundle": old.digest,
        "manifest": learnt.digest,
        "split": split,
        "tolerances": TOLERANCES,
        "made": {"then": old.info.get("made"), "now": made()},
    }
    result["sentence"] = _sentence(result)
    write_json(out / "reproduction.json", result)
    return result


def _possible(bundle: Bundle, manifest: Manifest, media: Path) -> None:
    """Raise Refused where what the bundle learned from is not what is here."""
    if manifest.digest != bundle.info["snapshot_digest"]:
        raise Refused(
            f"The bundle learned from the manifest {bundle.info['snapshot_digest'][:12]}…, not "
            f"from this one ({manifest.digest[:12]}…); fetch the right one."
        )
    wanted = set(manifest.frames["blob"])
    gone = sorted(blob for blob in wanted if not (media / blob).is_file())
    if gone:
        raise Refused(
            f"Not possible since {len(gone)} of {len(wanted)} recordings are not there any more, "
            f"beginning with {gone[0][:12]}…; what was withdrawn cannot be learned from again."
        )


def _same_beginning(bundle: Bundle, run: Run) -> None:
    """Raise Refused where the run would not begin with the weights the bundle began with."""
    grown = bundle.info.get("backbone") or {}
    for wanted, ours, what, option in (
        (
            bundle.info.get("warm_start"),
            run.warm_start.digest if run.warm_start else None,
            "the weights of the bundle",
            "--warm-start",
        ),
        (
            grown.get("digest"),
            run.backbone.digest if run.backbone else None,
            "the backbone",
            "a configuration that names it, with `python -m models train`",
        ),
    ):
        if wanted != ours:
            raise Refused(
                f"It began with {what} {str(wanted)[:12]}, not {str(ours)[:12]}; name that one "
                f"({option})."
            )


def compared(
    then: tuple[pd.DataFrame, dict[str, Any]], now: tuple[pd.DataFrame, dict[str, Any]]
) -> dict[str, Any]:
    """The largest differences of two evaluations of the same frames, and whether they are small.

    A value that only one of the two gives counts as infinitely different (None in the result).
    """
    one, two = (table.set_index("frame").sort_index() for table, _ in (then, now))
    names = [str(name) for name in one.columns if PROBABILITY.search(str(name))]
    names = [name for name in names if "__truth" not in name]
    probability = _largest(one[names].to_numpy(np.float64), two[names].to_numpy(np.float64))
    figures = {name: [value, now[1].get(name)] for name, value in then[1].items()}
    figure = _largest(*np.array([_plain(pair) for pair in figures.values()], np.float64).T)
    allowed = probability <= TOLERANCES["probability"] and figure <= TOLERANCES["figure"]
    return {
        "reproduced": bool(allowed and one.index.equals(two.index)),
        "frames": len(one),
        "probability": probability if np.isfinite(probability) else None,
        "figure": figure if np.isfinite(figure) else None,
        "figures": figures,
    }


def _plain(pair: list[Any]) -> list[float]:
    return [float("nan") if value is None else float(value) for value in pair]


def _largest(one: np.ndarray, two: np.ndarray) -> float:
    if one.shape != two.shape or (np.isnan(one) != np.isnan(two)).any():
        return float("inf")
    return float(np.nanmax(np.abs(one - two), initial=0.0))


def _told(folder: Path, report: dict[str, Any]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Predictions and figures of an evaluation."""
    figures = {
        f"{part}.{name}": row[name]
        for part, row in {"image_score": report["image_score"], **report["units"]}.items()
        for name in FIGURES
        if name in row
    }
    return pd.read_parquet(folder / "predictions.parquet"), figures


def _sentence(result: dict[str, Any]) -> str:
    probability, figure = (
        "a value is there only once" if result[name] is None else f"{result[name]:.2g}"
        for name in ("probability", "figure")
    )
    return (
        f"{'Reproduced' if result['reproduced'] else 'Not reproduced'}: on {result['frames']} "
        f"frames probabilities differ by at most {probability} (allowed "
        f"{TOLERANCES['probability']:g}), figures by at most {figure} (allowed "
        f"{TOLERANCES['figure']:g})."
    )

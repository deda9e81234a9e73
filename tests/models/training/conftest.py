"""A tiny study with a manifest, and one tiny run of it that several tests look at."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.manifest import Manifest, beside, read_manifest, write_apart, write_manifest
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.scale import Scale

ROOT = Path(__file__).parents[3]
SPLITS = ("train",) * 6 + ("validation", "calibration") + ("benchmark",) * 3 + ("test",)


@dataclass(frozen=True)
class Study:
    """A manifest, the same frames as a run may read them, and the media folder."""

    manifest: Path
    training: Path
    media: Path
    rows: list[dict[str, Any]]

    @property
    def benchmark(self) -> Path:
        return beside(self.training, "benchmark")

    def read(self) -> Manifest:
        return read_manifest(self.manifest)


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory, scale: Scale) -> Study:
    """Twelve animals of two labs, one clip of seven frames each, three raters."""
    folder = tmp_path_factory.mktemp("study")
    media = folder / "media"
    media.mkdir()
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number, split in enumerate(SPLITS):
        coat = scale.coats[number % 2]
        plan = ClipPlan(
            coat=coat,
            look=Look(noise=1.0),
            animal=number,
            pain=(number % 3) / 2,
            duration_s=7 / 12,
        )
        clip = media / "clip.mp4"
        truth = write_clip(clip, plan, number, scale)
        blob = hashlib.sha256(clip.read_bytes()).hexdigest()
        clip.rename(media / blob)
        for frame in truth:
            row = labels(scale, frame.face.intensities, rng)
            rows.append(
                {
                    "frame": f"F{len(rows):04d}", "blob": blob, "stream": 0,
                    "pts": frame.frame * 1024, "tb_num": 1, "tb_den": 12288,
                    "dataset": f"AMGS-00000{number % 2}/1", "lab": f"lab{number % 2}",
                    "animal": f"A{number:02d}", "observation": "baseline",
                    "assay": "post_surgical", "coat": coat.key, "sex": "f", "strain": "C57BL/6J",
                    "time_point": "baseline", "phantom": True, "split": split,
                    "random_share": True, **row,
                }
            )  # fmt: skip
    path = folder / "manifest.parquet"
    write_manifest(path, rows, {"seed": 3})
    write_apart(folder / "training.parquet", rows, {"seed": 3})
    return Study(path, folder / "training.parquet", media, rows)


def labels(scale: Scale, intensities: dict[str, float], rng: np.random.Generator) -> dict[str, Any]:
    """Votes of three raters and their distribution."""
    votes, row = [], {}
    for unit in scale.units:
        noisy = intensities[unit.key] + rng.normal(0, 0.3, 3)
        grades = np.clip(np.round(noisy), 0, unit.top_grade).astype(int)
        for rater, grade in enumerate(grades):
            votes.append(
                {"rater": f"r{rater}", "unit": unit.key, "grade": int(grade), "reason": None,
                 "weight": 1.0, "source": "import"}
            )  # fmt: skip
        for grade in range(len(unit.grades)):
            row[f"{unit.key}__p{grade}"] = float(np.mean(grades == grade))
        row[f"{unit.key}__scorable"] = 1.0
    return {**row, "votes": json.dumps(votes)}


Models = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def models() -> Models:
    """Starts `python -m models …` on one thread, with pipes."""

    def start(*arguments: object, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "models", *map(str, arguments)],
            cwd=ROOT, text=True, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return start


@dataclass(frozen=True)
class TinyRun:
    """A finished run: its folder, cache and events."""

    out: Path
    cache: Path
    events: list[dict[str, Any]]

    @property
    def bundle(self) -> Path:
        return self.out / "bundle"


def events_of(process: subprocess.Popen[str]) -> list[dict[str, Any]]:
    """The events of a process that must end well."""
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out[-2000:] + err[-4000:]
    return [json.loads(line) for line in out.splitlines()]


@pytest.fixture(scope="session")
def finish() -> Callable[[subprocess.Popen[str]], list[dict[str, Any]]]:
    return events_of


@pytest.fixture(scope="session")
def tiny_run(study: Study, models: Models, tmp_path_factory: pytest.TempPathFactory) -> TinyRun:
    """`python -m models train --config tiny`, undisturbed, and judged."""
    out, cache = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("cache")
    process = models(
        "train", "--manifest", study.training, "--media", study.media, "--out", out,
        "--config", "tiny", "--cache", cache,
    )  # fmt: skip
    events = events_of(process)
    events_of(judge(models, study, out, cache))
    return TinyRun(out, cache, events)


def judge(models: Models, study: Study, out: Path, cache: Path) -> subprocess.Popen[str]:
    """Evaluates what a run left in `out/trained` and finishes its bundle."""
    return models(
        "evaluate", "--bundle", out / "trained", "--manifest", study.benchmark,
        "--training", study.training, "--media", study.media, "--out", out / "evaluation",
        "--cache", cache, "--finish", out / "bundle",
    )  # fmt: skip


@pytest.fixture(scope="session")
def judged(study: Study, models: Models) -> Callable[[Path, Path], Path]:
    """Judges a finished run; returns the folder of its bundle."""

    def finish(out: Path, cache: Path) -> Path:
        events_of(judge(models, study, out, cache))
        return out / "bundle"

    return finish

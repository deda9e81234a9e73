"""A bundle says enough of its making that the same can be made again, or says why not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.events import Refused
from models.manifest import read_manifest
from models.reproduce import TOLERANCES, compared, reproduce


def test_a_bundle_is_reproduced_from_its_manifest(study, models, tiny_run, tmp_path: Path) -> None:
    process = models(
        "reproduce", tiny_run.bundle, study.training, "--media", study.media, "--out", tmp_path,
        "--benchmark", study.benchmark, "--cache", tiny_run.cache,
    )  # fmt: skip
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, out[-2000:] + err[-2000:]
    said = json.loads(out.splitlines()[-1])
    assert said["reproduced"] is True
    assert said["sentence"].startswith("Reproduced: on 21 frames")
    told = json.loads((tmp_path / "reproduction.json").read_text())
    assert told["split"] == "benchmark"
    assert told["tolerances"] == TOLERANCES
    assert told["probability"] <= 1e-6
    assert told["made"]["then"]["lock"] == told["made"]["now"]["lock"]


def test_it_is_not_possible_without_the_same_data(study, tiny_run, tmp_path: Path) -> None:
    with pytest.raises(Refused, match="not from this one"):
        reproduce(tiny_run.bundle, study.manifest, study.media, tmp_path / "other")
    media = tmp_path / "media"
    shutil.copytree(study.media, media)
    gone = sorted(set(read_manifest(study.training).frames["blob"]))[0]
    (media / gone).unlink()
    with pytest.raises(Refused, match=f"Not possible since 1 of 9 recordings.*{gone[:12]}"):
        reproduce(tiny_run.bundle, study.training, media, tmp_path / "gone")
    with pytest.raises(Refused, match=r"--warm-start"):
        reproduce(
            tiny_run.bundle, study.training, study.media, tmp_path / "warm",
            warm_start=tiny_run.bundle,
        )  # fmt: skip


def test_differences_beyond_the_tolerances_are_told() -> None:
    table = pd.DataFrame({"frame": ["a", "b"], "u__p0": [0.2, np.nan], "u__scorable": [1.0, 1.0]})
    figures = {"image_score.rmse": 0.3, "u.kappa": None}
    same = compared((table, figures), (table.iloc[::-1], figures))
    assert (same["reproduced"], same["probability"], same["figure"]) == (True, 0.0, 0.0)
    moved = compared((table, figures), (table.assign(u__p0=[0.21, np.nan]), figures))
    assert moved["reproduced"] is False
    assert moved["probability"] == pytest.approx(0.01)
    ungraded = compared((table, figures), (table.assign(u__p0=np.nan), figures))
    assert (ungraded["reproduced"], ungraded["probability"]) == (False, None)
    worse = compared((table, figures), (table, figures | {"u.kappa": 0.5}))
    assert (worse["reproduced"], worse["figure"]) == (False, None)

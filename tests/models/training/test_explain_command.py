"""`python -m models explain`: a picture for each of the best frames, or a sentence."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from models.bundle import load_bundle
from models.config import CropConfig
from models.events import Refused
from models.overlay import explain_recording, landmarks_in_crop, overlay
from models.records import Face
from models.regions import region_masks
from models.scale import Scale


def test_the_command_writes_an_overlay_for_each_of_the_best_frames(
    study, tiny_run, models, finish, tmp_path: Path
) -> None:
    seen = pd.read_parquet(tiny_run.out / "evaluation" / "predictions.parquet")
    graded = set(seen["frame"][np.isfinite(seen["score"])])
    blobs = Counter(row["blob"] for row in study.rows if row["frame"] in graded)
    clip = study.media / blobs.most_common(1)[0][0]
    process = models("explain", clip, "--bundle", tiny_run.bundle, "--out", tmp_path / "e")
    events = finish(process)
    assert events[-1]["event"] == "done"
    told = json.loads((tmp_path / "e" / "explanation.json").read_text())
    assert told["phantom"] is True
    assert told["bundle"] == load_bundle(tiny_run.bundle).digest
    assert told["frames"]
    for row in told["frames"]:
        picture = cv2.imread(str(tmp_path / "e" / row["file"]))
        assert picture is not None
        assert picture.shape[1] > 3 * picture.shape[0]
        for unit in row["units"].values():
            assert 0 <= unit["energy"] <= 1
    assert told["faithfulness"]["n"] >= 1


def test_a_recording_without_a_graded_frame_is_refused(tiny_run, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "empty.png"), np.full((64, 64), 128, np.uint8))
    bundle = load_bundle(tiny_run.bundle)
    with pytest.raises(Refused, match="nothing to explain"):
        explain_recording(tmp_path / "empty.png", bundle, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_report_of_a_run_measures_the_saliency_of_every_unit(tiny_run, scale: Scale) -> None:
    found = load_bundle(tiny_run.bundle).report["explanation"]
    assert found["n"] == 3
    assert set(found["units"]) == set(scale.unit_keys)
    for row in found["units"].values():
        assert {"energy", "region_area", "deletion", "insertion", "above_centre",
                "background_swap"} == set(row)  # fmt: skip


def test_an_overlay_has_a_panel_for_the_crop_and_for_every_unit(predict, scale: Scale) -> None:
    crop = np.full((32, 32), 90, np.uint8)
    saliency = np.zeros((len(scale.units), 32, 32))
    saliency[0, 4:8, 4:8] = 0.2
    masks = region_masks(scale, CropConfig(size=32))
    figure = overlay(crop, saliency, predict(3, [2, 1, 0, None, 1]), scale, masks)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles[0] == "0.30 s"
    assert titles[1:] == [
        f"{unit.short}: {grade}" for unit, grade in zip(scale.units, "210–1", strict=True)
    ]


def test_landmarks_are_told_in_shares_of_the_crop(scale: Scale) -> None:
    how = CropConfig(size=32, margin=0.0)
    places = {name: (10.0 + 4 * row, 20.0) for row, name in enumerate(scale.landmarks)}
    face = Face((10.0, 10.0, 30.0, 30.0), places, 0.9, "frontal", 50.0, 0.5)
    found = landmarks_in_crop(face, scale, how)
    assert found is not None
    assert found[:, 0] == pytest.approx(np.arange(len(scale.landmarks)) * 0.2)
    assert found[:, 1] == pytest.approx(0.5)
    assert landmarks_in_crop(replace(face, landmarks={}), scale, how) is None
    assert landmarks_in_crop(None, scale, how) is None

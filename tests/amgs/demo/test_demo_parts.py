"""What the demo's simulated people can and cannot see."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from amgs.demo.raters import Eyes
from amgs.demo.show import Stage, Walk
from amgs.demo.walk import grader, plant_fault, unplant_fault
from models.media import open_media
from models.scale import load_scale


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A very small rendered study; return the folder of its first lab."""
    from models.phantom.plans import study_plan
    from models.phantom.study import write_study

    out = write_study(tmp_path_factory.mktemp("study"), study_plan(1, 1), seed=3)
    return next(path for path in sorted(out.iterdir()) if path.is_dir())


def _jpeg(path: Path, index: int) -> bytes:
    with open_media(path) as media:
        frame = next(frame for frame in media if frame.index == index)
        picture = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()


def test_a_still_is_recognised_by_its_pixels_alone(study: Path) -> None:
    eyes = Eyes()
    eyes.learn(study)
    video = sorted((study / "videos").glob("*.mp4"))[0]
    row = eyes.recognise(_jpeg(video, 5))
    assert row["file"] == video.name
    # Neighbouring frames of a still animal may look alike; the animal's face is the same.
    assert abs(int(row["frame"]) - 5) <= 2


def test_a_picture_from_elsewhere_is_not_recognised(study: Path) -> None:
    eyes = Eyes()
    eyes.learn(study)
    strange = cv2.imencode(".jpg", 255 * (load_noise() > 0.5).astype("uint8"))[1].tobytes()
    with pytest.raises(LookupError):
        eyes.recognise(strange)


def load_noise():
    """Return noise that is no mouse."""
    import numpy as np

    return np.random.default_rng(0).random((120, 160))


def test_a_grader_answers_every_unit_of_the_scale(study: Path) -> None:
    eyes = Eyes()
    eyes.learn(study)
    video = sorted((study / "videos").glob("*.mp4"))[0]
    grades = grader("Ada", 1)(eyes.recognise(_jpeg(video, 5)))
    scale = load_scale()
    assert set(grades) == set(scale.unit_keys)
    for answer in grades.values():
        assert answer in (0, 1, 2) or answer["reason"] in scale.reason_keys


def test_the_planted_fault_is_planted_and_taken_out_again(study: Path) -> None:
    path = study / "dataset.json"
    before = json.loads(path.read_text())
    plant_fault(study)
    assert json.loads(path.read_text())["ethics"] == ""
    unplant_fault(study)
    assert json.loads(path.read_text()) == before


def test_a_walk_is_ok_only_if_every_stage_is(tmp_path: Path) -> None:
    walk = Walk()
    assert not walk.ok
    walk.stages = [Stage("contribute", ok=True), Stage("screen")]
    assert not walk.ok
    walk.stages[1].ok = True
    assert walk.ok
    walk.write(tmp_path / "walk.json")
    assert set(json.loads((tmp_path / "walk.json").read_text())) >= {
        "stages",
        "champion",
        "refused",
        "scores",
    }

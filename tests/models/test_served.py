"""The file that strangers load says what the site's own scorer says of a picture."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.amgs_pyfunc import Model
from models.bundle import Bundle, default_bundle
from models.phantom.clip import frames
from models.phantom.look import Look
from models.phantom.motion import ClipPlan, Stretch
from models.scorer import Scorer
from models.served import LOADER, example_pictures, output_columns, write_plots, write_served


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return default_bundle()


@pytest.fixture(scope="module")
def served(bundle, tmp_path_factory) -> Model:
    return Model(write_served(bundle, tmp_path_factory.mktemp("served") / "amgs"))


@pytest.fixture(scope="module")
def pictures(scale, tmp_path_factory) -> list[tuple[Path, np.ndarray]]:
    """Rendered mice of both coats, awake, in pain and asleep, and a picture without any."""
    folder = tmp_path_factory.mktemp("pictures")
    found = [np.full((120, 160, 3), 90, np.uint8)]
    for number, coat in enumerate(scale.coats):
        plan = ClipPlan(
            coat=coat,
            look=Look(wall=(70, 74, 80)),
            animal=number,
            pain=0.9 * number,
            duration_s=2.0,
            stretches=(Stretch(scale.state("asleep"), 1.4, 2.0),),
        )
        found += [np.asarray(picture) for picture, _ in list(frames(plan, number, scale))[::5]]
    named = []
    for number, picture in enumerate(found):
        path = folder / f"{number}.png"
        cv2.imwrite(str(path), picture[:, :, ::-1])
        named.append((path, picture))
    return named


def test_every_probability_is_that_of_the_scorer(served, bundle, pictures, scale):
    scorer, graded, reasons = Scorer(bundle), 0, set()
    for path, picture in pictures:
        (site,) = scorer.score(path)
        said = {name: column[0] for name, column in served.predict(picture[None]).items()}
        assert said["reason"] == (site.reason or "")
        assert said["state"] == site.state
        assert said["score"] == pytest.approx(
            np.nan if site.image_score is None else site.image_score, abs=1e-3, nan_ok=True
        )
        reasons.add(site.reason)
        for grade in site.grades:
            stated = [said[f"{grade.unit}__p{k}"] for k in range(len(grade.probabilities))]
            assert stated == pytest.approx(grade.probabilities, abs=1e-3)
            assert said[f"{grade.unit}__scorable"] == pytest.approx(grade.scorable, abs=1e-3)
            if grade.grade is not None:
                assert said[f"{grade.unit}__grade"] == grade.grade
                graded += 1
    assert graded >= 10
    assert len(reasons) >= 2, "the pictures are all of one kind"


def test_a_grey_batch_gives_one_value_per_picture_in_every_column(served, scale):
    answer = served.predict(example_pictures())
    assert list(answer) == [name for name, _ in output_columns(scale)]
    assert {len(column) for column in answer.values()} == {2}
    assert answer["reason"].tolist() == [scale.reason_because("absence").key] * 2


def test_faces_that_are_cut_already_are_graded_without_being_looked_for(served, bundle, pictures):
    from models.faces import FaceFinder, cut

    finder = FaceFinder(
        bundle.path / "finder.onnx", bundle.config.finder.long_side, bundle.scale.landmarks
    )
    luma = cv2.cvtColor(pictures[1][1], cv2.COLOR_RGB2GRAY)
    crop = cut(luma, finder.find([luma])[0].box, bundle.crop)
    whole = served.predict(pictures[1][1][None])
    answer = served.predict(np.stack([crop, crop])[..., None], {"crops": True})
    assert answer["confidence"].tolist() == [1.0, 1.0]
    # Only what the eyes say is missing, one channel of many.
    assert answer["score"][0] == pytest.approx(whole["score"][0], abs=0.25)


def test_other_arrays_are_refused_in_a_sentence(served):
    with pytest.raises(ValueError, match="uint8"):
        served.predict(np.zeros((2, 80, 80), np.float32))


def test_the_loader_is_one_file_of_three_libraries():
    tree = ast.parse(LOADER.read_text(encoding="utf-8"))
    named = {
        alias.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {
        str(node.module).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    standard = {"__future__", "json", "math", "collections", "pathlib", "typing"}
    assert named - standard == {"numpy", "cv2", "onnxruntime"}


def test_plots_come_with_their_numbers(bundle, tmp_path):
    curves = [{"step": step, "metrics": {"train_loss": 1.0 / (1 + step)}} for step in range(3)]
    write_plots(bundle.report, bundle.scale, curves, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    for unit in bundle.scale.unit_keys:
        assert {f"confusion_{unit}.svg", f"confusion_{unit}.json"} <= names
    assert {"risk_coverage.svg", "training_curves.svg"} <= names
    kept = json.loads((tmp_path / "training_curves.json").read_text())
    assert kept == curves
    assert (tmp_path / "risk_coverage.svg").read_text().startswith("<svg")

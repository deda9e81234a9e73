import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from models import zoo
from models.bundle import default_bundle
from models.config import ConfigError, CropConfig, EyesConfig, FinderConfig, load_config
from models.exports import read_predictions_parquet
from models.nets.export import load_matching
from models.nets.eyes_fit import cached_eyes
from models.nets.finder_fit import cached_finder
from models.phantom.study import write_unseen_clip
from models.runs import prepare
from models.scale import Scale
from models.scoring import score_files
from models.shipped import PARTS, shipped_part


@pytest.mark.parametrize("name", ["finder", "eyes"])
def test_every_shipped_part_says_what_it_rests_on(name: str) -> None:
    facts = json.loads((PARTS / name / "facts.json").read_text(encoding="utf-8"))
    assert facts["trained_on"][0] == {"name": "rendered faces", "phantom": True}
    assert len(facts["digest"]) == 64
    for source in facts["trained_on"][1:]:
        assert source["licence"]
    for file in (PARTS / name).iterdir():
        assert file.suffix in (".onnx", ".safetensors", ".json")


def test_a_run_takes_the_shipped_finder_without_fitting_one(scale: Scale, tmp_path: Path) -> None:
    config = load_config("demo").finder
    finder = cached_finder(config, scale, tmp_path)
    again = cached_finder(config, scale, tmp_path)
    assert finder.graph == (PARTS / "finder" / "finder.onnx").read_bytes()
    assert np.array_equal(finder.strangers, again.strangers)
    assert finder.digest == again.digest


def test_a_run_takes_the_shipped_eye_reader(scale: Scale, tmp_path: Path) -> None:
    eyes = cached_eyes(load_config("demo").eyes, scale, tmp_path)
    assert eyes.graph == (PARTS / "eyes" / "eyes.onnx").read_bytes()
    assert not (tmp_path / "eyes").exists()


def test_the_shipped_weights_fit_the_networks_of_the_demonstration(scale: Scale) -> None:
    config, bundle = load_config("demo"), default_bundle()
    net = zoo.frame_net(config.net, config.crop, scale)
    weights = bundle.path / "weights.safetensors"
    assert load_matching(weights, "frame", net) == []
    own = load_file(weights)["frame.heads.grade_bias"]
    assert torch.equal(net.heads.grade_bias.detach(), torch.from_numpy(own))
    assert (
        load_matching(weights, "temporal", zoo.temporal_net(config.temporal, scale, net.features))
        == []
    )


def test_another_network_than_the_shipped_one_is_refused(scale: Scale, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="long_side = 160, not 112"):
        cached_finder(FinderConfig(shipped=True), scale, tmp_path)
    with pytest.raises(ConfigError, match="the shipped one has size = 48"):
        cached_eyes(EyesConfig(shipped=True, size=64), scale, tmp_path)
    with pytest.raises(ConfigError, match="No nothing comes with this program"):
        shipped_part("nothing", CropConfig(), ())


def test_the_shipped_bundle_is_small_and_says_that_it_knows_phantoms_only() -> None:
    bundle = default_bundle()
    assert bundle.phantom
    assert "say nothing about real mice" in bundle.report["sentence"]
    assert "phantom" in (bundle.path / "card.md").read_text(encoding="utf-8")
    files = list(bundle.path.iterdir())
    assert sum(file.stat().st_size for file in files) <= 30 * 2**20
    assert sum(file.stat().st_size for file in files if file.suffix == ".onnx") <= 8 * 2**20
    away = bundle.calibration["sets"]["units"]
    assert all(unit["elsewhere"]["labs"] for unit in away.values()), "sets for unseen labs"


def test_the_shipped_bundle_grades_a_rendered_film_it_never_saw(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    truth = write_unseen_clip(film, seed=5)
    assert score_files([film], tmp_path / "out") == 0
    written = json.loads((tmp_path / "out" / "film" / "result.json").read_text(encoding="utf-8"))
    result = written["result"]
    assert result["outcome"] == "scored"
    assert result["phantom"] is True
    predictions = read_predictions_parquet(tmp_path / "out" / "film" / "predictions.parquet")
    score = {one.index: one.image_score for one in predictions}
    awake = [frame for frame in truth if frame.face.state == "awake"]
    graded = [frame for frame in awake if score[frame.frame] is not None]
    assert len(graded) >= 0.6 * len(awake)
    said = np.mean([score[frame.frame] for frame in graded])
    true = np.mean([np.mean(list(frame.face.intensities.values())) for frame in graded])
    assert abs(said - true) < 0.5
    asleep = [score[frame.frame] for frame in truth if frame.face.state == "asleep"]
    assert sum(value is not None for value in asleep) <= 0.25 * len(asleep)


def test_a_warm_start_keeps_what_its_network_evens_light_by(study, tmp_path: Path) -> None:
    shipped = default_bundle()
    config = load_config("demo")
    for way in ("crop", "face"):
        other = replace(config, net=replace(config.net, evened_by=way, pretrained=False))
        alone = prepare(other, study.training, study.media, tmp_path / f"alone-{way}")
        assert alone.config.net.evened_by == way
        run = prepare(other, study.training, study.media, tmp_path / way, warm_start=shipped.path)
        assert run.config.net.evened_by == shipped.config.net.evened_by

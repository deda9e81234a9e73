import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

from models import zoo
from models.config import ConfigError, CropConfig, EyesConfig, FinderConfig, load_config
from models.nets.export import load_matching
from models.nets.eyes_fit import cached_eyes
from models.nets.finder_fit import cached_finder
from models.scale import Scale
from models.shipped import PARTS, shipped_part


@pytest.mark.parametrize("name", ["finder", "eyes", "frame"])
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


def test_the_shipped_weights_fit_the_network_of_the_demonstration(scale: Scale) -> None:
    config = load_config("demo")
    net = zoo.frame_net(config.net, config.crop, scale)
    weights = load_file(PARTS / "frame" / "weights.safetensors")
    assert load_matching(PARTS / "frame" / "weights.safetensors", "frame", net) == []
    assert torch.equal(net.grade_bias.detach(), torch.from_numpy(weights["frame.grade_bias"]))


def test_another_network_than_the_shipped_one_is_refused(scale: Scale, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="long_side = 160, not 112"):
        cached_finder(FinderConfig(shipped=True), scale, tmp_path)
    with pytest.raises(ConfigError, match="the shipped one has size = 48"):
        cached_eyes(EyesConfig(shipped=True, size=64), scale, tmp_path)
    with pytest.raises(ConfigError, match="No nothing comes with this program"):
        shipped_part("nothing", CropConfig(), ())

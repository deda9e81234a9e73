"""Backbones from a file of weights or a Hugging Face folder: taken, frozen, exported, shipped."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import save_file

from models import zoo
from models.backbones import resolved
from models.bundle import load_bundle
from models.config import ConfigError, CropConfig, NetConfig, RunConfig
from models.module import FrameModule
from models.nets.export import frame_graph
from models.nets.pretrained import _resampled, take_weights
from models.runs import prepare
from models.scale import Scale

NET = NetConfig(widths=(4, 8, 16))
CROP = CropConfig(size=32)
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 32}


@pytest.fixture(scope="session")
def hugging() -> Any:
    """The package; the tests' set-up installs it."""
    return pytest.importorskip("transformers")


@pytest.fixture(scope="session")
def tokens(hugging, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a tiny model whose answer is tokens, saved under a head as such models are."""
    torch.manual_seed(3)
    config = hugging.Dinov2Config(**SMALL, image_size=56, patch_size=14, num_labels=2)
    folder = tmp_path_factory.mktemp("models") / "tokens"
    hugging.Dinov2ForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"crop_size": {"height": 56, "width": 56}, "image_mean": [0.4, 0.5, 0.6],
                    "image_std": [0.2, 0.2, 0.3]})
    )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def maps(hugging, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of a tiny convolutional model, whose answer is a map."""
    torch.manual_seed(4)
    config = hugging.ConvNextConfig(hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, image_size=64)
    folder = tmp_path_factory.mktemp("models") / "maps"
    hugging.ConvNextModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(params=["tokens", "maps"])
def folder(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


def grown(folder: Path, scale: Scale, **more: Any) -> Any:
    """The frame network on the model of a folder, with its weights."""
    net, backbone = resolved(NetConfig(recipe="transformers", folder=str(folder), **more))
    assert backbone is not None
    made = zoo.frame_net(net, CROP, scale).eval()
    assert take_weights(backbone, made.backbone) > 10
    return made


def test_a_run_states_the_model_of_a_folder_without_its_place(folder: Path) -> None:
    net, backbone = resolved(NetConfig(recipe="transformers", folder=str(folder)))
    assert net.folder == folder.name
    stated = json.loads(net.architecture)
    assert stated["size"] in (56, 64)
    assert str(folder.parent) not in net.architecture
    assert backbone is not None
    assert len(backbone.digest) == 64
    again = NetConfig(recipe="transformers", architecture=net.architecture)
    assert resolved(again) == (again, None)


@pytest.mark.parametrize("image_size", [0, 112])
def test_the_graph_of_a_grown_network_equals_it(folder: Path, scale: Scale, image_size) -> None:
    net = grown(folder, scale, image_size=image_size)
    crops = torch.rand(5, 1, 32, 32)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(crops)]
    found = onnxruntime.InferenceSession(frame_graph(net, 32)).run(None, {"crops": crops.numpy()})
    assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))
    assert wanted[5].shape == (5, len(scale.landmarks), 2)


def test_features_are_those_of_the_model_on_its_own_pictures(
    tokens: Path, hugging, scale: Scale
) -> None:
    """Tokens of the patches in rows and columns, positions fitted to another size as it does."""
    for size in (56, 112):
        net = grown(tokens, scale, image_size=size)
        model = hugging.AutoModel.from_pretrained(tokens, attn_implementation="eager").eval()
        even = torch.randn(2, 1, size, size)
        mean = torch.tensor([0.4, 0.5, 0.6])[:, None, None]
        deviation = torch.tensor([0.2, 0.2, 0.3])[:, None, None]
        luma = mean.mean() + deviation.mean() * even
        with torch.no_grad():
            wanted = model(pixel_values=(luma - mean) / deviation).last_hidden_state[:, 1:]
            found = net.backbone(even)
        cells = size // 14
        assert found.shape == (2, 32, cells, cells)
        assert torch.allclose(found.flatten(2).transpose(1, 2), wanted, atol=1e-4)


def test_positions_that_are_no_grid_stay() -> None:
    table = torch.rand(1, 12, 4)
    assert _resampled(table, torch.zeros(1, 20, 4)) is table


@pytest.mark.parametrize("lead", ["", "backbone.", "frame.backbone."])
def test_tensors_of_a_file_are_taken_whatever_stands_before_their_names(
    lead: str, scale: Scale, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    wanted = zoo.frame_net(NET, CROP, scale).backbone.state_dict()
    file = tmp_path / "learnt.safetensors"
    save_file({lead + name: value.clone() for name, value in wanted.items()}, file)
    net, backbone = resolved(NetConfig(widths=(4, 8, 16), weights=str(file)))
    assert net.weights == "learnt.safetensors"
    assert backbone is not None
    own = zoo.frame_net(NET, CROP, scale).backbone
    assert take_weights(backbone, own) == len(wanted)
    assert all(torch.equal(value, wanted[name]) for name, value in own.state_dict().items())
    with pytest.raises(ConfigError, match=r"no tensor of learnt\.safetensors fits"):
        take_weights(backbone, torch.nn.Linear(3, 3))


def test_a_frozen_backbone_keeps_its_weights_and_its_batch_norms(scale: Scale) -> None:
    config = RunConfig(net=NetConfig(widths=(4, 8, 16), frozen=True), crop=CROP)
    steps = max(unit.top_grade for unit in scale.units)
    share = torch.full((len(scale.units), steps), 0.7)
    module = FrameModule(config, scale, share, torch.ones(len(scale.states)), 6)
    module.train()
    assert module.net.training
    assert not any(part.training for part in module.net.backbone.modules())
    learning = [p for group in module.configure_optimizers()["optimizer"].param_groups
                for p in group["params"]]  # fmt: skip
    frozen = {id(p) for p in module.net.backbone.parameters()}
    assert learning
    assert not any(id(p) in frozen for p in learning)
    module.net.train(False)
    assert not module.net.training


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"weights": "a", "folder": "b"}, "not both"),
        ({"weights": "none.safetensors"}, "none.safetensors is none"),
        ({"weights": "text.bin"}, "must be a .safetensors file"),
        ({"weights": "text.safetensors"}, "no readable safetensors file"),
        ({"folder": "empty"}, "belongs to the recipe transformers"),
        ({"recipe": "transformers"}, "needs “folder”"),
        ({"recipe": "transformers", "folder": "nowhere"}, "there is no folder"),
        ({"recipe": "transformers", "folder": "empty"}, "holds no .safetensors"),
        ({"recipe": "transformers", "folder": "bare"}, "names a model_type"),
        ({"recipe": "transformers", "folder": "code"}, "brings code of its own"),
        ({"recipe": "transformers", "folder": "broken"}, "is no JSON"),
        ({"image_size": -1}, "must be 0 or"),
    ],
)
def test_what_cannot_be_begun_with_is_refused_with_a_sentence(
    config: dict[str, Any], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("text.bin", "text.safetensors"):
        Path(name).write_text("hello")
    told = {"empty": None, "bare": "{}", "broken": "{", "code": '{"model_type": "x", '
            '"auto_map": {"AutoModel": "code.Model"}}'}  # fmt: skip
    for name, text in told.items():
        Path(name).mkdir()
        if text is not None:
            save_file({"a": torch.zeros(1)}, Path(name) / "model.safetensors")
            (Path(name) / "config.json").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        resolved(NetConfig(**config))


def test_a_model_too_large_for_a_bundle_is_refused_before_anything_is_done(
    maps: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.backbones.MOST_BYTES", (32 << 20) + 1000)
    with pytest.raises(ConfigError, match="has room for"):
        resolved(NetConfig(recipe="transformers", folder=str(maps)))


@pytest.mark.parametrize(
    ("architecture", "sentence"),
    [
        ("{", "is no JSON"),
        ('{"model": {"model_type": "dinov2", "patch_size": "x"}, "size": 32, "mean": [0],'
         ' "deviation": [1]}', "cannot be built"),
        ('{"model": {"model_type": "no"}, "size": 32, "mean": [0], "deviation": [1]}', "knows no"),
        ('{"model": {"model_type": "bert", "num_hidden_layers": 1}, "size": 32, "mean": [0],'
         ' "deviation": [1]}', "does not look at pictures"),
    ],
)  # fmt: skip
def test_an_architecture_that_cannot_be_built_is_refused(
    architecture: str, sentence: str, hugging, scale: Scale
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        zoo.frame_net(NetConfig(recipe="transformers", architecture=architecture), CROP, scale)


def test_without_the_package_a_sentence_names_what_to_install(
    scale: Scale, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    stated = '{"model": {"model_type": "dinov2"}, "size": 32, "mean": [0], "deviation": [1]}'
    with pytest.raises(ConfigError, match=r"pip install -r requirements/backbones\.txt"):
        zoo.frame_net(NetConfig(recipe="transformers", architecture=stated), CROP, scale)


def test_a_frozen_backbone_needs_something_to_begin_with(study, tmp_path: Path) -> None:
    config = RunConfig(net=NetConfig(frozen=True))
    with pytest.raises(ConfigError, match="never learns"):
        prepare(config, study.training, study.media, tmp_path / "run")


def test_a_run_grown_on_a_folder_ends_in_a_bundle_that_needs_neither_it_nor_the_package(
    study, models, finish, judged, tiny_run, tokens: Path, hugging, tmp_path: Path
) -> None:
    config = tmp_path / "grown.yaml"
    text = (Path(__file__).parents[3] / "models" / "configs" / "tiny.yaml").read_text()
    text = text.replace(
        "net: {widths: [4, 8, 16]}",
        f"net: {{recipe: transformers, folder: {tokens}, frozen: true}}",
    ).replace("epochs: 12, batch: 8", "epochs: 2, batch: 8, precision: bf16")
    config.write_text(text)
    process = models(
        "train", "--manifest", study.training, "--media", study.media, "--out", tmp_path / "run",
        "--config", config, "--cache", tiny_run.cache,
    )  # fmt: skip
    finish(process)
    bundle = load_bundle(judged(tmp_path / "run", tiny_run.cache))
    assert bundle.info["backbone"]["name"] == "tokens"
    assert bundle.info["backbone"]["frozen"] is True
    assert "began with the weights of tokens" in (bundle.path / "card.md").read_text()
    assert str(tokens.parent) not in (bundle.path / "config.yaml").read_text()
    kept = load_arrays(bundle.path / "weights.safetensors")
    given = hugging.AutoModel.from_pretrained(tokens).state_dict()
    assert len(given) > 20
    for name, value in given.items():
        assert np.array_equal(value.numpy(), kept[f"frame.backbone.model.{name}"]), name
    net = zoo.trained_frame_net(bundle)
    crops = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(crops)]
    session = onnxruntime.InferenceSession(bundle.path / "frame.onnx")
    found = session.run(None, {"crops": crops.numpy()})
    assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))
    architecture = json.loads(bundle.config.net.architecture)
    architecture["model"]["mlp_ratio"] = 2
    other = replace(bundle.config.net, architecture=json.dumps(architecture))
    with pytest.raises(ConfigError, match="the names that transformers"):
        zoo.trained_frame_net(replace(bundle, config=replace(bundle.config, net=other)))
    clip = study.media / study.rows[0]["blob"]
    told = subprocess.run(
        [sys.executable, "-c",
         "import sys\nfrom pathlib import Path\n"
         "from models.bundle import load_bundle\nfrom models.scorer import Scorer\n"
         f"list(Scorer(load_bundle({str(bundle.path)!r})).score(Path({str(clip)!r})))\n"
         "print(sorted({'torch', 'transformers'} & set(sys.modules)))"],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True, timeout=200,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert told.stdout.splitlines()[-1] == "[]"

"""Precision, and several devices that share every step: here two processes on one CPU."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from safetensors.numpy import load_file

from models import config as configs
from models.bundle import default_bundle, load_bundle
from models.config import SHIPPED, ConfigError, CropConfig, FitConfig, NetConfig, RunConfig
from models.data.stream import CropModule, Labelled, TrainingStream
from models.events import Progress, Refused, silent
from models.module import FrameModule, random_state
from models.nets.fitting import fit
from models.ranks import forget_gathered, rank_of, tell_gathered, wait_until_gathered
from models.scale import Scale

NET, CROP = NetConfig(widths=(4, 8, 16)), CropConfig(size=32)


def labelled(scale: Scale, n: int, seed: int = 0) -> Labelled:
    rng = np.random.default_rng(seed)
    steps = max(unit.top_grade for unit in scale.units)
    above = np.sort(rng.uniform(0, 1, (n, len(scale.units), steps)))[..., ::-1].copy()
    states = np.eye(len(scale.states))[np.zeros(n, int)]
    crops = rng.integers(0, 255, (n, 32, 32), np.uint8)
    kinds = np.array(["one"] * n)
    places = rng.uniform(0.2, 0.8, (n, len(scale.landmarks), 2))
    return Labelled(crops, above, np.ones((n, len(scale.units))), states, kinds, places)


def made(scale: Scale, how: FitConfig, n: int = 16) -> tuple[FrameModule, CropModule]:
    config = RunConfig(net=NET, crop=CROP, fit=how)
    strange = labelled(scale, 5, 7).crops
    data = CropModule(
        labelled(scale, n), labelled(scale, 4, 1), strange, how, 2, sides=scale.mirror
    )
    torch.manual_seed(0)
    share = torch.full((len(scale.units), max(u.top_grade for u in scale.units)), 0.7)
    return FrameModule(config, scale, share, torch.ones(len(scale.states)), data.total_steps), data


def told() -> Progress:
    progress = Progress(silent, {"fit": 1.0})
    progress.enter("fit", "")
    return progress


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"precision": "half"}, "“precision” must be one of float32, bf16"),
        ({"accelerator": "abacus"}, "“accelerator” must be one of auto"),
        ({"devices": 0}, "must be 1 or more"),
        ({"batch": 10, "devices": 2, "nodes": 2}, "multiple of the 4 devices"),
    ],
)
def test_what_devices_cannot_do_is_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        FitConfig(**fields)  # type: ignore[arg-type]


def test_fields_that_came_later_change_no_digest_while_they_keep_their_defaults() -> None:
    bundle = default_bundle()
    assert configs.digest(bundle.config) == bundle.info["config_digest"]
    other = replace(bundle.config, fit=replace(bundle.config.fit, precision="bf16"))
    assert configs.digest(other) != bundle.info["config_digest"]


@pytest.mark.parametrize("mix", [0.0, 0.8])
def test_the_parts_of_a_batch_are_together_what_one_device_sees(scale: Scale, mix: float) -> None:
    how, strange = FitConfig(epochs=1, batch=8, region_mix=mix), labelled(scale, 5, 7).crops
    regions = np.zeros((len(scale.units), 32, 32))
    for unit, mask in enumerate(regions):
        mask[4 * unit : 4 * unit + 4] = 1

    def stream(place: int, parts: int) -> TrainingStream:
        return TrainingStream(
            labelled(scale, 16), strange, how, 3, regions=regions, sides=scale.mirror,
            part=(place, parts), ahead=3,
        )  # fmt: skip

    for whole, first, second in zip(stream(0, 1), stream(0, 2), stream(1, 2), strict=True):
        for place, part in enumerate((first, second)):
            faces = slice(place, 8, 2)
            assert torch.equal(part.crops[:4], whole.crops[:8][faces])
            assert torch.equal(part.places, whole.places[faces])
            same = (part.above[:4].nan_to_num(-1), whole.above[:8][faces].nan_to_num(-1))
            assert torch.equal(*same)
            assert torch.equal(part.crops[4:], whole.crops[8:][place::2])


@pytest.mark.parametrize("recipe", ["small", "windows"])
def test_places_and_losses_are_float32_under_autocast(scale: Scale, recipe: str) -> None:
    config = RunConfig(net=replace(NET, recipe=recipe, window_widths=(4, 6, 8)), crop=CROP)
    torch.manual_seed(0)
    share = torch.full((len(scale.units), max(u.top_grade for u in scale.units)), 0.7)
    module = FrameModule(config, scale, share, torch.ones(len(scale.states)), 6).eval()
    _, data = made(scale, FitConfig(epochs=1, batch=8))
    batch = next(iter(data.val_dataloader()))
    with torch.autocast("cpu", torch.bfloat16):
        losses, said = module.losses(batch), module.net(batch.crops)
    assert {value.dtype for value in losses.values()} == {torch.float32}
    assert said.places.dtype == torch.float32
    features = module.net.backbone(batch.crops).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = module.net.located(features)
    assert torch.equal(found, module.net.located(features.float()))


def test_bf16_learns_and_leaves_a_float32_network(scale: Scale, tmp_path: Path) -> None:
    weights = {}
    for precision in ("float32", "bf16"):
        module, data = made(scale, FitConfig(epochs=3, batch=8, precision=precision))
        fit(module, data, tmp_path / precision, None, told(), silent)
        assert not module.training
        weights[precision] = module.net.state_dict()
    assert {t.dtype for t in weights["bf16"].values() if t.is_floating_point()} == {torch.float32}
    apart = [(weights["bf16"][k] - t).abs().max() for k, t in weights["float32"].items()
             if t.is_floating_point()]  # fmt: skip
    assert 0 < max(apart) < 0.1


def test_too_few_frames_for_the_devices_and_a_missing_gpu_are_refused(
    scale: Scale, tmp_path: Path
) -> None:
    module, data = made(scale, FitConfig(epochs=1, batch=16, devices=16))
    with pytest.raises(Refused, match="too few for 16 devices"):
        fit(module, data, tmp_path, None, told(), silent)
    if torch.cuda.is_available():
        return
    module, data = made(scale, FitConfig(epochs=1, batch=8, accelerator="gpu"))
    with pytest.raises(Refused, match="has not 1 devices"):
        fit(module, data, tmp_path, None, told(), silent)


@pytest.mark.parametrize(
    ("environment", "rank"),
    [
        ({}, 0),
        ({"LOCAL_RANK": "1"}, 1),
        ({"NODE_RANK": "1", "LOCAL_RANK": "1"}, 3),
        ({"RANK": "2", "LOCAL_RANK": "0"}, 2),
        ({"SLURM_PROCID": "3"}, 3),
    ],
)
def test_a_process_knows_its_number_among_those_that_share_the_steps(
    environment: dict[str, str], rank: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert rank_of(FitConfig(devices=2, nodes=2)) == rank
    assert rank_of(FitConfig()) == 0


def test_other_processes_wait_for_the_first_one(tmp_path: Path) -> None:
    tell_gathered(tmp_path)
    wait_until_gathered(tmp_path)
    forget_gathered(tmp_path)
    forget_gathered(tmp_path)
    assert not list(tmp_path.iterdir())


def test_random_states_of_a_checkpoint_of_an_earlier_version_are_brought_back(
    scale: Scale,
) -> None:
    module, _ = made(scale, FitConfig(epochs=1, batch=8))
    state = random_state(torch.device("cpu"))
    wanted = torch.rand(3)
    module.on_load_checkpoint({"random": state})
    module.on_train_start()
    assert torch.equal(torch.rand(3), wanted)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny run shared by two processes, shorter."""
    text = (SHIPPED / "tiny.yaml").read_text()
    how = "epochs: 4, batch: 8, checkpoint_every: 3, devices: 2, accelerator: cpu"
    path = tmp_path_factory.mktemp("config") / "shared.yaml"
    path.write_text(text.replace("epochs: 12, batch: 8, checkpoint_every: 3", how))
    return path


def start(models, study, config: Path, out: Path, cache: Path) -> subprocess.Popen[str]:
    return models(
        "train", "--manifest", study.training, "--media", study.media, "--out", out,
        "--config", config, "--cache", cache,
    )  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(study, models, finish, tiny_run, shared: Path, tmp_path_factory) -> Path:
    """A run of two processes: its events, checked, and its folder."""
    out: Path = tmp_path_factory.mktemp("shared")
    events = finish(start(models, study, shared, out, tiny_run.cache))
    kinds = [event["event"] for event in events]
    assert kinds.count("done") == 1
    assert kinds[-1] == "done"
    epochs = [event["metrics"]["epoch"] for event in events if event["event"] == "metrics"]
    assert epochs == sorted(set(epochs))
    assert len(epochs) == 4
    steps = [event["step"] for event in events if event["event"] == "checkpoint"]
    assert steps == sorted(set(steps))
    return out


def test_two_processes_make_one_bundle_and_tell_everything_once(undisturbed: Path) -> None:
    bundle = load_bundle(undisturbed / "trained", judged=False)
    assert bundle.config.fit.devices == 2
    left = {path.name for path in undisturbed.iterdir()}
    assert left == {"run.json", "gathered", "checkpoints", "trained"}
    assert 1 <= len(list((undisturbed / "checkpoints").glob("step-*.ckpt"))) <= 2
    assert not list((undisturbed / "checkpoints").glob(".step*"))
    newest = sorted((undisturbed / "checkpoints").glob("step-*.ckpt"))[-1]
    states = torch.load(newest, weights_only=True)["random"]
    assert len(states) == 2
    assert not torch.equal(states[0]["torch"], states[1]["torch"])


def killed(process: subprocess.Popen[str], whom: str, step: int) -> None:
    """Kill the first process or one of the others after a checkpoint, and wait for all to end."""
    assert process.stdout is not None
    others: list[psutil.Process] = []
    for line in process.stdout:
        event = json.loads(line)
        if event["event"] == "checkpoint" and event["step"] >= step:
            others = psutil.Process(process.pid).children()
            os.kill(process.pid if whom == "first" else others[0].pid, signal.SIGKILL)
            break
    assert len(others) == 1
    # The others hold the same pipe: it closes when all are gone.
    process.communicate(timeout=200)
    assert process.returncode != 0
    assert not psutil.wait_procs(others, timeout=60)[1]


@pytest.mark.parametrize("whom", ["first", "other"])
def test_a_killed_process_ends_the_run_which_then_resumes_as_if_nothing_had_been(
    whom: str, study, models, finish, tiny_run, shared: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    killed(start(models, study, shared, out, tiny_run.cache), whom, 6)
    assert not (out / "trained").exists()
    events = finish(start(models, study, shared, out, tiny_run.cache))
    assert min(event["step"] for event in events if event["event"] == "checkpoint") > 6
    one, other = (load_file(run / "trained" / "weights.safetensors") for run in (undisturbed, out))
    assert all(np.abs(one[name] - other[name]).max() <= 1e-6 for name in one)

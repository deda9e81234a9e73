"""The Lightning parts of a run: data, losses, checkpoints that keep the random states."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.config import CropConfig, FitConfig, NetConfig, RunConfig
from models.data.stream import CropModule, Labelled, PlainStream, batch_of
from models.module import FrameModule
from models.nets.fitting import newest_checkpoint, step_of, validate
from models.scale import Scale

CONFIG = RunConfig(
    net=NetConfig(widths=(4, 8, 16)), crop=CropConfig(size=32), fit=FitConfig(epochs=3, batch=4)
)


def labelled(scale: Scale, n: int, seed: int = 0, size: int = 32) -> Labelled:
    rng = np.random.default_rng(seed)
    steps = max(unit.top_grade for unit in scale.units)
    above = np.sort(rng.uniform(0, 1, (n, len(scale.units), steps)))[..., ::-1]
    states = np.zeros((n, len(scale.states)))
    states[:, 0] = 1
    return Labelled(
        rng.integers(0, 255, (n, size, size), np.uint8),
        np.ascontiguousarray(above),
        np.ones((n, len(scale.units))),
        states,
    )


@pytest.fixture
def data(scale: Scale) -> CropModule:
    strange = labelled(scale, 3, seed=9).crops
    return CropModule(labelled(scale, 9), labelled(scale, 5, seed=1), strange, CONFIG.fit, seed=2)


@pytest.fixture
def module(scale: Scale) -> FrameModule:
    torch.manual_seed(0)
    steps = max(unit.top_grade for unit in scale.units)
    share = torch.full((len(scale.units), steps), 0.7)
    return FrameModule(CONFIG, scale, share, torch.ones(len(scale.states)), 6)


def test_strange_crops_have_no_targets(scale: Scale) -> None:
    batch = batch_of(labelled(scale, 2), labelled(scale, 1).crops)
    assert batch.crops.shape == (3, 1, 32, 32)
    assert float(batch.crops.max()) <= 1
    assert batch.familiar.tolist() == [1, 1, 0]
    assert torch.isnan(batch.above[2]).all()
    assert torch.isnan(batch.scorable[2]).all()
    assert not batch.states[2].any()


def test_validation_crops_come_whole_in_order_and_unchanged(data: CropModule) -> None:
    stream = data.val_dataloader()
    assert isinstance(stream, PlainStream)
    batches = list(stream)
    assert len(batches) == len(stream) == 1
    crops = torch.cat([batch.crops for batch in batches])[:, 0]
    assert np.array_equal((crops * 255).round().numpy(), data.validation.crops)
    assert len(list(PlainStream(data.validation, 2))) == len(PlainStream(data.validation, 2)) == 3


def test_the_data_of_a_run_go_on_at_the_step_of_the_checkpoint(data: CropModule) -> None:
    assert data.total_steps == 6
    assert data.state_dict() == {"position": 0}
    whole = list(data.train_dataloader())
    assert len(whole) == 6
    data.load_state_dict({"position": 4})
    rest = list(data.train_dataloader())
    assert len(rest) == 2
    assert torch.equal(rest[0].crops, whole[4].crops)


def test_the_losses_of_validation_are_those_of_training_on_the_same_crops(
    module: FrameModule, data: CropModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    (batch,) = data.val_dataloader()
    logged: dict[str, float] = {}
    monkeypatch.setattr(
        module, "log", lambda name, value, **more: logged.update({name: float(value)})
    )
    module.eval()
    with torch.no_grad():
        module.validation_step(batch, 0)
        direct = {f"validation_{name}": float(v) for name, v in module.losses(batch).items()}
        assert float(module.training_step(batch, 0)["loss"]) == direct["validation_loss"]
    assert logged == direct
    assert np.isfinite(list(logged.values())).all()
    told = validate(module, data)
    assert told == pytest.approx(direct, abs=1e-5)
    assert module.training, "training mode is left on"


def test_only_matrices_decay(module: FrameModule) -> None:
    asked = module.configure_optimizers()
    decayed, others = asked["optimizer"].param_groups
    assert all(parameter.dim() > 1 for parameter in decayed["params"])
    assert all(parameter.dim() <= 1 for parameter in others["params"])
    assert others["weight_decay"] == 0
    held = sum(len(group["params"]) for group in (decayed, others))
    assert held == len(list(module.net.parameters()))


def test_a_checkpoint_brings_back_the_state_of_every_random_generator(
    module: FrameModule,
) -> None:
    def drawn() -> tuple[float, float, float]:
        return random.random(), float(np.random.random()), float(torch.rand(1))

    kept: dict[str, Any] = {}
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        module.on_save_checkpoint(kept)
        wanted = drawn()
        module.on_load_checkpoint(kept)
        assert drawn() != wanted, "nothing is set before the first step is about to be taken"
        module.on_train_start()
        assert drawn() == wanted
        module.on_load_checkpoint({})
        after = torch.get_rng_state()
        module.on_train_start()
        assert torch.equal(torch.get_rng_state(), after), "there was nothing to bring back"
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])
        torch.set_rng_state(before[2])


def test_the_newest_checkpoint_is_the_one_of_the_highest_step(tmp_path: Path) -> None:
    assert newest_checkpoint(tmp_path / "nowhere") is None
    assert newest_checkpoint(tmp_path) is None
    for name in ("step-00000009.ckpt", "step-00000120.ckpt", ".step-00000130.ckpt.77"):
        (tmp_path / name).touch()
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert step_of(newest) == 120

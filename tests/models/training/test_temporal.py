import inspect
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
import torch

from models import train as training
from models import zoo
from models.config import TemporalConfig
from models.context import REACH, Context
from models.events import Progress, silent
from models.nets.export import save_weights, temporal_graph
from models.nets.temporal import TemporalNet
from models.nets.temporal_fit import Clip, fit_temporal, mean_loss
from models.scale import Scale

EMBEDDING, STEPS, STATES = 4, (2, 2), 3


@pytest.fixture(autouse=True)
def _one_thread():
    """Fit on one thread: more of them cost more than they bring, and change the sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def net(width: int = 8) -> TemporalNet:
    torch.manual_seed(0)
    return TemporalNet(EMBEDDING, STEPS, STATES, width, 0.0).eval()


def stirred(width: int = 8) -> TemporalNet:
    """A network whose correction is not zero."""
    made = net(width)
    torch.nn.init.normal_(made.leave.weight)
    return made


def given(size: int, length: int, frames: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    grid = rng.normal(size=(1, size + 1, length)).astype(np.float32)
    grid[:, -1] = 1
    own = rng.normal(size=(frames, size)).astype(np.float32)
    column = rng.integers(REACH, length - REACH, frames)
    return grid, own, np.zeros(frames, np.int64), column


def test_an_untrained_network_says_what_the_frame_network_says() -> None:
    made = net()
    grid, own, row, column = given(made.size, 2 * REACH + 9, 5)
    said = made(*map(torch.from_numpy, (grid, own, row, column)))
    flat = torch.from_numpy(own[:, EMBEDDING : EMBEDDING + made.logits])
    assert torch.equal(said.grades.flatten(1), flat[:, :4])
    assert torch.equal(said.scorable, flat[:, 4:6])
    assert torch.equal(said.states, flat[:, 6:9])


def test_the_graph_says_what_the_network_says_for_any_number_of_frames() -> None:
    made = stirred()
    session = onnxruntime.InferenceSession(temporal_graph(made))
    for frames, length in ((1, 2 * REACH + 1), (7, 2 * REACH + 64)):
        values = given(made.size, length, frames)
        expected = made(*map(torch.from_numpy, values))
        names = ("ticks", "own", "row", "column")
        got = session.run(None, dict(zip(names, values, strict=True)))
        for mine, theirs in zip(got, expected, strict=True):
            assert mine == pytest.approx(theirs.detach().numpy(), abs=1e-4)


def test_nothing_beyond_reach_changes_an_answer() -> None:
    made = stirred()
    length = 4 * REACH
    grid, own, row, _ = given(made.size, length, 1)
    column = np.array([2 * REACH])
    before = made(*map(torch.from_numpy, (grid, own, row, column))).states
    far = grid.copy()
    far[:, :, : REACH - 1] += 5
    far[:, :, 3 * REACH + 1 :] -= 5
    assert torch.equal(made(*map(torch.from_numpy, (far, own, row, column))).states, before)
    near = grid.copy()
    near[:, :-1, REACH] += 50
    assert not torch.equal(made(*map(torch.from_numpy, (near, own, row, column))).states, before)


def test_a_chunk_gives_every_frame_what_a_chunk_of_its_own_would() -> None:
    made = stirred()
    context = Context(temporal_graph(made))
    rng = np.random.default_rng(1)
    times = np.sort(rng.uniform(3, 30, 150))
    rows = rng.normal(size=(150, made.size)).astype(np.float32)
    whole = context.at(times, rows, np.arange(150))
    some = np.array([149, 0, 77])
    apart = context.at(times, rows, some)
    assert apart.grades == pytest.approx(whole.grades[some], abs=1e-5)
    assert apart.states == pytest.approx(whole.states[some], abs=1e-5)


def clips(number: int, seed: int) -> list[Clip]:
    """Clips whose grade shows in the ticks before the frame, not in the frame."""
    rng = np.random.default_rng(seed)
    made = net()
    result = []
    for _ in range(number):
        grade = int(rng.integers(3))
        length = 2 * REACH + 20
        grid = np.zeros((made.size + 1, length), np.float32)
        grid[:, REACH : REACH + 20] = rng.normal(size=(made.size + 1, 20)) * 0.1
        grid[0, REACH : REACH + 8] += grade
        grid[-1, REACH : REACH + 20] = 1
        own = rng.normal(size=(2, made.size)).astype(np.float32) * 0.1
        above = np.tile([[float(grade > 0), float(grade > 1)]] * 2, (2, 1, 1)).astype(np.float32)
        states = np.tile([1.0, 0.0, 0.0], (2, 1)).astype(np.float32)
        scorable = np.ones((2, 2), np.float32)
        result.append(Clip(grid, own, np.array([REACH + 12, REACH + 15]), above, scorable, states))
    return result


class Two:
    """A scale of two units and three states, as far as the network asks."""

    class Unit:
        top_grade = 2

    units = (Unit, Unit)
    states = (1, 2, 3)


def test_context_that_tells_the_grade_is_learnt_and_the_same_twice() -> None:
    config = TemporalConfig(width=16, epochs=8, batch=8, dropout=0.0, jitter=0.05)
    share, rarity = torch.full((2, 2), 0.7), torch.ones(3)
    train, held = clips(40, 1), clips(16, 2)
    fits = [
        fit_temporal(config, Two, EMBEDDING, train, held, share, rarity, seed=3)  # type: ignore[arg-type]
        for _ in range(2)
    ]
    (one, facts), (other, _) = fits
    assert facts["losses"][facts["epoch"]] < 0.7 * facts["losses"][0]
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)


def test_without_epochs_the_frame_networks_answers_stay() -> None:
    config = TemporalConfig(width=8, epochs=0)
    share, rarity = torch.full((2, 2), 0.7), torch.ones(3)
    train = clips(4, 1)
    made, facts = fit_temporal(config, Two, EMBEDDING, train, [], share, rarity, seed=3)  # type: ignore[arg-type]
    assert facts["epoch"] == 0
    assert float(made.leave.weight.detach().abs().sum()) == 0
    assert mean_loss(made, train, (share, rarity, config)) == pytest.approx(
        facts["losses"][0], abs=1e-4
    )


@pytest.fixture
def begun(scale: Scale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a run's temporal network begins with after a warm start from one of some width."""

    def start(width: int, mine: int) -> tuple[TemporalNet | None, TemporalNet]:
        torch.manual_seed(1)
        before = zoo.temporal_net(TemporalConfig(width=width), scale, EMBEDDING)
        torch.nn.init.normal_(before.leave.weight)
        save_weights(tmp_path / "weights.safetensors", temporal=before)
        given: dict[str, Any] = {}

        def fit(*arguments: Any, **more: Any) -> tuple[None, dict[str, Any]]:
            given.update(inspect.signature(fit_temporal).bind(*arguments, **more).arguments)
            return None, {}

        monkeypatch.setattr(training, "fit_temporal", fit)
        monkeypatch.setattr(training, "clips", lambda sequences, targets: [])
        monkeypatch.setattr(training, "targets_of", lambda frames, scale: None)
        run = SimpleNamespace(
            config=SimpleNamespace(temporal=TemporalConfig(width=mine), seed=1),
            manifest=SimpleNamespace(scale=scale),
            warm_start=SimpleNamespace(path=tmp_path),
        )
        module = SimpleNamespace(net=SimpleNamespace(features=EMBEDDING), share=None, rarity=None)
        parts = {name: pd.DataFrame() for name in ("train", "validation")}
        sequences: dict[str, list[Any]] = {name: [] for name in parts}
        training._fit_temporal(run, module, parts, sequences, Progress(silent, {}))  # type: ignore[arg-type]
        return given.get("start"), before

    return start


def test_a_warm_start_from_a_temporal_network_that_fits_takes_all_of_it(begun) -> None:
    start, before = begun(8, 8)
    assert start is not None
    for name, value in before.state_dict().items():
        assert torch.equal(start.state_dict()[name], value), name


@pytest.mark.parametrize("width", [4, 16])
def test_a_warm_start_from_a_temporal_network_of_another_width_takes_nothing(
    begun, width: int
) -> None:
    start, _ = begun(width, 8)
    assert start is None, "half of another network is worse than none"

from dataclasses import replace

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from models import zoo
from models.bundle import default_bundle
from models.config import ConfigError, CropConfig, FinderConfig, FitConfig, NetConfig, load_config
from models.data.compositions import compose
from models.data.labels import image_scores, shuffled, targets_of
from models.data.stream import (
    Labelled,
    RegionMixer,
    TrainingStream,
    augmented,
    batch_of,
    shine,
    steps_per_epoch,
)
from models.module import landmark_loss, ordinal_loss, scorable_loss, state_loss, state_rarity
from models.nets.export import finder_graph, frame_graph
from models.nets.finder_fit import cached_finder, finder_digest
from models.nets.frame import FURTHEST
from models.regions import landmark_homes, region_windows
from models.scale import Scale
from models.stats.ordinal import corn_probabilities

NET = NetConfig(widths=(4, 8, 16))
WINDOWS = NetConfig(recipe="windows", widths=(4, 8, 16), window_widths=(4, 6, 8))
CROP = CropConfig(size=32)
FACE = replace(WINDOWS, evened_by="face")


@pytest.mark.parametrize("config", [NET, WINDOWS], ids=["small", "windows"])
def test_heads_follow_the_scale(config: NetConfig, scale: Scale) -> None:
    outputs = zoo.frame_net(config, CROP, scale).eval()(torch.rand(3, 1, 32, 32))
    assert outputs.grades.shape == (3, len(scale.units), 2)
    assert outputs.scorable.shape == (3, len(scale.units))
    assert outputs.states.shape == (3, len(scale.states))
    assert outputs.familiar.shape == (3,)
    assert outputs.embedding.shape == (3, 16)


def test_the_baseline_is_small(scale: Scale) -> None:
    config = load_config("demo")
    size = sum(p.numel() for p in zoo.frame_net(config.net, config.crop, scale).parameters())
    assert 80_000 < size < 400_000


def test_an_unknown_network_is_refused(scale: Scale) -> None:
    with pytest.raises(ConfigError, match="use small"):
        zoo.frame_net(NetConfig(recipe="huge"), CROP, scale)


def frontal(scale: Scale, n: int = 1) -> torch.Tensor:
    """The landmarks of n frontal faces."""
    homes = torch.from_numpy(landmark_homes(scale, CROP)).float()
    return homes.expand(n, *homes.shape).clone()


def slopes(net: torch.nn.Module, even: torch.Tensor, places: torch.Tensor) -> list[torch.Tensor]:
    """How each unit's grade depends on the pixels of one even crop (32, 32)."""
    even = even.clone().requires_grad_(True)
    grades = net.grade(even, torch.zeros(1), places).grades
    return [
        torch.autograd.grad(grades[0, unit].sum(), even, retain_graph=True)[0][0, 0].abs()
        for unit in range(grades.shape[1])
    ]


def test_a_unit_sees_its_windows_and_nothing_else(scale: Scale) -> None:
    torch.manual_seed(0)
    net = zoo.frame_net(WINDOWS, CROP, scale).eval()
    # Even light is taken from the whole crop; here it is even already.
    even = torch.randn(1, 1, 32, 32)
    moved = frontal(scale)
    moved[:, :, 0] += 2 / 32
    plain, turned = (slopes(net, even, places) for places in (frontal(scale), moved))
    for unit, windows in enumerate(region_windows(scale, CROP, WINDOWS.window_margin)):
        for slope, by in ((plain[unit], 0), (turned[unit], 2)):
            outside = torch.ones(32, 32, dtype=torch.bool)
            for left, top, width, height, *_ in windows:
                outside[top : top + height, max(left + by, 0) : left + by + width] = False
            # A window that reaches beyond the crop repeats its border.
            assert float(slope[:, : 32 - by][outside[:, : 32 - by]].abs().max()) == 0
            assert float(slope.sum()) > 0


def test_no_unit_sees_the_landmarks_of_another(scale: Scale) -> None:
    torch.manual_seed(0)
    net = zoo.frame_net(WINDOWS, CROP, scale).eval()
    places = frontal(scale)
    eyes = [scale.landmarks.index(name) for name in ("left_eye", "right_eye")]
    # A head so far turned that an eye lies where the bridge of the nose was.
    places[0, eyes[0]] = torch.tensor([0.5, 0.6])
    found = slopes(net, torch.randn(1, 1, 32, 32), places)
    for unit, slope in zip(scale.units, found, strict=True):
        seen = float(slope[17:22, 14:18].sum())
        assert (seen > 0) == (unit.region == "eyes"), unit.key


def test_both_sides_of_a_face_are_seen_alike(scale: Scale) -> None:
    torch.manual_seed(0)
    net = zoo.frame_net(WINDOWS, CROP, scale).eval()
    even, places = torch.randn(2, 1, 32, 32), frontal(scale, 2)
    told = [net.grade(way, torch.zeros(2), places).grades for way in (even, even.flip(3))]
    paired = [len(scale.region(unit.region).boxes) == 2 for unit in scale.units]
    assert torch.allclose(told[0][:, paired], told[1][:, paired], atol=1e-5)


def test_a_wall_behind_the_face_changes_no_face_that_is_evened_by_itself(scale: Scale) -> None:
    torch.manual_seed(0)
    crops = torch.rand(2, 1, 32, 32)
    walled = crops.clone()
    walled[:, :, :8] = 0.9
    middle = (slice(None), slice(None), slice(10, 27), slice(8, 24))
    for config, same in ((WINDOWS, False), (FACE, True)):
        net = zoo.frame_net(config, CROP, scale)
        one, other = net.evened(crops), net.evened(walled)
        assert torch.allclose(one[middle], other[middle]) == same
    # Twice the contrast and another level are the same face, and a lamp cannot be far brighter.
    net = zoo.frame_net(FACE, CROP, scale)
    assert torch.allclose(net.evened(200 * crops), net.evened(400 * crops + 30), atol=1e-3)
    walled[:, :, 0, 0] = 1000.0
    assert float(net.evened(walled).max()) == FURTHEST


def test_landmarks_are_centres_of_gravity(scale: Scale) -> None:
    net = zoo.frame_net(WINDOWS, CROP, scale).eval()
    with torch.no_grad():
        net.locator.weight.zero_()
        assert torch.allclose(net.located(torch.rand(2, 16, 4, 4)), torch.full((2, 5, 2), 0.5))
        net.locator.weight[:, 0] = 50.0
        features = torch.zeros(1, 16, 4, 4)
        features[0, 0, 3, 1] = 1.0
        found = net.located(features)
    assert found[0, 0].tolist() == pytest.approx([1.5 / 4, 3.5 / 4])
    assert float(landmark_loss(found, found)) == 0
    off = found.clone()
    off[0, :, 0] += 0.1
    off[0, 0] = float("nan")
    assert float(landmark_loss(found, off)) == pytest.approx(0.05)


@pytest.mark.parametrize("config", [NET, WINDOWS, FACE], ids=["small", "windows", "face"])
def test_the_onnx_graphs_equal_the_networks(config: NetConfig, scale: Scale) -> None:
    torch.manual_seed(0)
    net = zoo.frame_net(config, CROP, scale).eval()
    graph = frame_graph(net, 32)
    crops = torch.rand(5, 1, 32, 32)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(crops)]
    found = onnxruntime.InferenceSession(graph).run(None, {"crops": crops.numpy()})
    p, q = (corn_probabilities(outputs[0]) for outputs in (wanted, found))
    assert np.abs(p - q).max() <= 1e-4
    assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))
    finder = zoo.finder(FinderConfig(width=6), scale).eval()
    luma = torch.rand(3, 1, 48, 96)
    with torch.no_grad():
        wanted = [part.numpy() for part in finder(luma)]
    session = onnxruntime.InferenceSession(finder_graph(finder))
    found = session.run(None, {"luma": luma.numpy()})
    assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))


def test_the_ordinal_loss_is_the_expectation_over_raters() -> None:
    """Two raters who say 0 and 2 cost the mean of what each alone would cost."""
    logits = torch.tensor([[[0.3, -0.4]]], dtype=torch.float64)
    share = torch.ones(1, 2, dtype=torch.float64)

    def cost(above: list[float]) -> float:
        target = torch.tensor([[above]], dtype=torch.float64)
        return float(ordinal_loss(logits, target, share))

    assert cost([0.5, 0.5]) == pytest.approx((cost([0.0, 0.0]) + cost([1.0, 1.0])) / 2)
    p = corn_probabilities(logits.numpy())[0, 0]
    assert cost([1.0, 1.0]) == pytest.approx(-np.log(p[2]) / 2)
    assert cost([1.0, 0.0]) == pytest.approx(-np.log(p[1]) / 2)


def test_unknown_targets_cost_nothing() -> None:
    nan = float("nan")
    logits = torch.randn(2, 1, 2)
    above = torch.tensor([[[1.0, 0.0]], [[nan, nan]]])
    both = ordinal_loss(logits, above, torch.ones(1, 2))
    assert float(both) == pytest.approx(
        float(ordinal_loss(logits[:1], above[:1], torch.ones(1, 2)))
    )
    assert float(scorable_loss(torch.zeros(2, 1), torch.tensor([[nan], [1.0]]))) == pytest.approx(
        np.log(2)
    )
    assert float(state_loss(torch.randn(2, 3), torch.zeros(2, 3), torch.ones(3))) == 0.0


def test_any_allowed_state_satisfies_the_state_loss() -> None:
    logits = torch.tensor([[0.0, 9.0, 9.0]])
    assert float(state_loss(logits, torch.tensor([[0.0, 1.0, 1.0]]), torch.ones(3))) < 1e-3
    assert float(state_loss(logits, torch.tensor([[1.0, 0.0, 0.0]]), torch.ones(3))) > 5


def labelled(n: int = 20) -> Labelled:
    rng = np.random.default_rng(0)
    return Labelled(
        rng.integers(0, 255, (n, 16, 16)).astype(np.uint8),
        rng.random((n, 2, 2)),
        rng.random((n, 2)),
        np.ones((n, 3)),
    )


def test_a_stream_entered_late_equals_the_rest_of_the_whole() -> None:
    fit = FitConfig(epochs=2, batch=8)
    strange = labelled(5).crops
    assert steps_per_epoch(20, fit) == 2
    whole = list(TrainingStream(labelled(), strange, fit, seed=5))
    late = list(TrainingStream(labelled(), strange, fit, seed=5, start=3))
    assert len(whole) == 4
    assert whole[0].familiar.tolist() == [1.0] * 8 + [0.0] * 4
    assert torch.isnan(whole[0].above[8:]).all()
    assert all(
        torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))
        for one, other in zip(whole[3:], late, strict=True)
        for a, b in zip(one[:5], other[:5], strict=True)
    )
    assert not torch.equal(whole[0].crops, whole[2].crops)


def test_a_mixed_face_has_the_grade_of_the_region_it_was_lent() -> None:
    data = replace(labelled(8), kinds=np.array(["north"] * 4 + ["south"] * 3 + [""]))
    regions = np.zeros((2, 16, 16))
    regions[0, :8, :8] = 1
    regions[1, 8:, 8:] = 1
    rows, rng = np.arange(8), np.random.default_rng(1)
    mixed = RegionMixer(data, regions, 1.0).mixed(rows, rng)
    assert np.array_equal(mixed.crops[7], data.crops[7]), "no kind: nobody lends it anything"
    assert np.array_equal(mixed.states[7], data.states[7])
    for row in range(7):
        lent = int(np.isnan(mixed.scorable[row]).argmax())
        kept = 1 - lent
        assert np.array_equal(mixed.above[row, kept], data.above[row, kept])
        lenders = [
            other
            for other in range(7)
            if np.array_equal(mixed.above[row, lent], data.above[other, lent])
        ]
        assert [data.kinds[other] for other in lenders] == [data.kinds[row]]
        inside = (slice(2, 6), slice(2, 6)) if lent == 0 else (slice(10, 14), slice(10, 14))
        assert np.array_equal(mixed.crops[row][inside], data.crops[lenders[0]][inside])
        assert not mixed.states[row].any()
    untouched = RegionMixer(data, regions, 0.0).mixed(rows, rng)
    assert np.array_equal(untouched.crops, data.crops)


def test_augmentation_is_a_function_of_its_generator() -> None:
    crop = labelled().crops[0]
    fit = FitConfig(augment=1.0, glare=1.0)
    one, two = (augmented(crop, np.random.default_rng(3), fit).crop for _ in range(2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, augmented(crop, np.random.default_rng(4), fit).crop)
    assert augmented(crop, np.random.default_rng(3), FitConfig(augment=0)).crop is crop


def test_a_lens_blurs_some_crops_and_a_camera_sharpens_others() -> None:
    crop = np.random.default_rng(1).integers(60, 190, (48, 48)).astype(np.uint8)
    plain = FitConfig(augment=1.0, blur=0.0)
    soft, sharp = replace(plain, blur=0.5), replace(plain, sharpen=0.5)

    def detail(fit: FitConfig) -> list[float]:
        found = (augmented(crop, np.random.default_rng(seed), fit).crop for seed in range(40))
        return [cv2.Laplacian(one, cv2.CV_64F).var() for one in found]

    usual, blurred, sharpened = detail(plain), detail(soft), detail(sharp)
    less = np.array([after < before for before, after in zip(usual, blurred, strict=True)])
    more = np.array([after > before for before, after in zip(usual, sharpened, strict=True)])
    assert 10 < less.sum() < 30
    assert 10 < more.sum() < 30
    assert not (less & more).any()


def test_contrast_and_level_are_changed_once_the_light_is_even() -> None:
    data, fit = labelled(64), FitConfig(epochs=1, batch=64, augment=1.0, contrast=0.3)
    batch = TrainingStream(data, data.crops[:4], fit, seed=1).batch(0)
    assert batch.light.shape == (len(batch.crops), 2)
    contrast, level = batch.light.unbind(1)
    assert 0.7 < float(contrast.min()) < 0.97 < 1.03 < float(contrast.max()) < 1.4
    assert -0.3 <= float(level.min()) < 0 < float(level.max()) <= 0.3
    assert set(map(tuple, batch_of(data).light.tolist())) == {(1.0, 0.0)}
    plain = TrainingStream(data, data.crops[:4], replace(fit, contrast=0.0), seed=1).batch(0)
    assert set(map(tuple, plain.light.tolist())) == {(1.0, 0.0)}
    assert torch.equal(plain.crops, batch.crops)


def test_glare_only_adds_light() -> None:
    for seed in range(20):
        light = shine(48, np.random.default_rng(seed))
        assert light.shape == (48, 48)
        assert light.min() >= 0
        assert light.max() <= 255


def test_landmarks_move_with_the_face_they_are_in() -> None:
    """A bright spot at the only landmark is still there after turning, moving and mirroring."""
    data = labelled(8)
    crops = np.zeros((8, 48, 48), np.uint8)
    places = np.zeros((8, 2, 2))
    for row, crop in enumerate(crops):
        x, y = 14 + row, 24
        crop[y - 1 : y + 2, x - 1 : x + 2] = 255
        crop[y, x] = 255
        places[row] = (np.array([[x, y], [31, 40]]) + 0.5) / 48
    data = replace(data, crops=crops, places=places)
    fit = FitConfig(epochs=1, batch=8, augment=1.0)
    stream = TrainingStream(data, crops[:0], fit, seed=1, sides=(1, 0))
    batch = stream.batch(0)
    swapped = 0
    for picture, (first, second) in zip(batch.crops[:, 0].numpy(), batch.places, strict=True):
        bright = picture > picture.max() / 2
        y, x = (axis.mean() for axis in np.nonzero(bright))
        # In a mirror the left landmark is the right one.
        spot, other = (first, second) if first[1] < second[1] else (second, first)
        swapped += first[1] > second[1]
        assert ((spot * 48 - 0.5) - torch.tensor([x, y])).abs().max() < 0.7
        assert float(other[1]) > float(spot[1])
    assert 0 < swapped < 8
    with pytest.raises(ValueError, match="mirrored"):
        TrainingStream(data, crops[:0], fit, seed=1).batch(0)


def test_targets_come_from_distributions_and_votes(study, scale: Scale) -> None:
    frames = study.read().part("train")
    found = targets_of(frames, scale)
    key = scale.unit_keys[0]
    assert found.above[:, 0, 0] == pytest.approx(1 - frames[f"{key}__p0"])
    assert found.above[:, 0, 1] == pytest.approx(frames[f"{key}__p2"])
    assert np.array_equal(found.states, np.tile([1.0] + [0.0] * 6, (len(frames), 1)))
    expected = np.mean(
        [frames[f"{u}__p1"] + 2 * frames[f"{u}__p2"] for u in scale.unit_keys], axis=0
    )
    assert image_scores(found.above, found.scorable, 3) == pytest.approx(expected)


def test_a_frame_nobody_could_score_is_in_the_state_of_the_reason(study, scale: Scale) -> None:
    import json

    frames = study.read().part("train").head(3).copy()

    def votes(reason: str) -> str:
        return json.dumps(
            [
                {"rater": "r", "unit": key, "grade": None, "reason": reason, "weight": 1.0,
                 "source": "import"}
                for key in scale.unit_keys
            ]
        )  # fmt: skip

    frames["votes"] = [votes("asleep"), votes("occluded"), votes("other")]
    states = targets_of(frames, scale).states
    named = [{scale.state_keys[i] for i in np.flatnonzero(row)} for row in states]
    assert named == [{"asleep"}, {"eating", "occluded"}, {"unclear"}]


def test_shuffling_keeps_every_label_but_not_its_frame(study, scale: Scale) -> None:
    frames = study.read().part("train")
    dealt = shuffled(frames, ["votes"], seed=1)
    assert sorted(dealt["votes"]) == sorted(frames["votes"])
    assert list(dealt["votes"]) != list(frames["votes"])
    assert list(dealt["frame"]) == list(frames["frame"])


def test_compositions_repeat_and_mirror(scale: Scale) -> None:
    config = FinderConfig(long_side=96, renderings=6)
    one, two = compose(config, scale), compose(config, scale, threads=2)
    assert np.array_equal(one.pictures, two.pictures)
    n = len(one) // 2
    assert n == 24
    assert np.array_equal(one.pictures[:n], one.pictures[n:, :, ::-1])
    seen = np.isfinite(one.points[:n]).all((1, 2))
    left, right = (scale.landmarks.index(name) for name in ("left_eye", "right_eye"))
    assert one.points[n:][seen, left, 0] == pytest.approx(95 - one.points[:n][seen, right, 0])
    assert {-1, 0} <= set(one.views.tolist())
    assert np.isnan(one.centres[one.views < 0]).all()


def test_a_finder_is_fitted_once_per_configuration(scale: Scale, tmp_path) -> None:
    config = FinderConfig(long_side=64, width=6, renderings=2, steps=2, batch=2)
    told: list[float] = []
    first = cached_finder(config, scale, tmp_path, on_progress=told.append)
    assert told
    told.clear()
    second = cached_finder(config, scale, tmp_path, on_progress=told.append)
    assert not told
    assert first.graph == second.graph
    assert np.array_equal(first.strangers, second.strangers)
    assert first.loss == second.loss
    assert finder_digest(FinderConfig(), scale) != first.digest


def test_a_rare_state_weighs_more_but_not_without_bound() -> None:
    allowed = torch.tensor([[1.0, 1.0, 0.0]] * 96 + [[0.0, 0.0, 1.0]] * 4)
    rarity = state_rarity(allowed)
    assert rarity[0] == rarity[1] == 1
    assert float(rarity[2]) == pytest.approx((0.96 / 0.04) ** 0.5)
    assert float(state_rarity(torch.tensor([[1.0, 0.0]]))[1]) == 6.0


def test_the_network_of_a_bundle_says_what_its_graph_says() -> None:
    bundle = default_bundle()
    net = zoo.trained_frame_net(bundle)
    assert not net.training
    torch.manual_seed(2)
    crops = torch.rand(2, 1, bundle.crop.size, bundle.crop.size)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(crops)]
    session = onnxruntime.InferenceSession(bundle.path / "frame.onnx")
    found = session.run(None, {"crops": crops.numpy()})
    assert all(np.abs(w - f).max() <= 1e-3 for w, f in zip(wanted, found, strict=True))

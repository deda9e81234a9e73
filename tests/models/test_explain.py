"""Saliency and its faithfulness, on networks of which it is known what they look at."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from models import zoo
from models.config import CropConfig, NetConfig
from models.explain import (
    CELLS,
    expected_grades,
    explain_crops,
    explain_evaluation,
    faithfulness,
    integrated_gradients,
    masks_at,
    saliency_orders,
    spread_over_animals,
    squares,
    with_other_background,
)
from models.regions import landmark_homes, region_masks
from models.scale import Scale

CROP = CropConfig(size=36, margin=0.12)


class Outputs(NamedTuple):
    grades: Tensor


class Looker(nn.Module):
    """Grades the contrast inside one mask per unit, and sees nothing else."""

    def __init__(self, masks: np.ndarray) -> None:
        super().__init__()
        self.masks = nn.Parameter(torch.from_numpy(masks.astype(np.float32)))

    def forward(self, crops: Tensor) -> Outputs:
        local = crops - nn.functional.avg_pool2d(crops, 7, 1, 3)
        seen = (local.square() * self.masks).sum((2, 3)) / self.masks.sum((1, 2))
        return Outputs(torch.stack([150 * seen - 3, 150 * seen - 5], 2))


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(60, 220, (6, CROP.size, CROP.size), dtype=np.uint8)


@pytest.fixture(scope="module")
def looker(scale: Scale) -> Looker:
    return Looker(region_masks(scale, CROP))


def test_attributions_add_up_to_the_change_of_the_grade(looker: Looker, crops: np.ndarray) -> None:
    import cv2

    found = integrated_gradients(looker, crops, steps=64)
    sharp = crops / 255
    dull = np.stack([cv2.GaussianBlur(one, (0, 0), CROP.size / 9) for one in sharp])
    change = expected_grades(looker, sharp) - expected_grades(looker, dull)
    assert found.sum((2, 3)) == pytest.approx(change, abs=0.02)
    assert np.abs(change).min() > 0.1


def test_saliency_lies_where_the_network_looks(
    looker: Looker, crops: np.ndarray, scale: Scale
) -> None:
    found = explain_crops(looker, crops)
    assert found.shape == (6, len(scale.units), CROP.size, CROP.size)
    told = faithfulness(looker, crops, scale, CROP)
    assert told["n"] == 6
    for key, mask in zip(scale.unit_keys, region_masks(scale, CROP), strict=True):
        row = told["units"][key]
        assert row["energy"] > max(0.55, 1.8 * row["region_area"])
        assert row["region_area"] == pytest.approx(mask.mean(), abs=1e-4)
        assert row["deletion"]["saliency"] < row["deletion"]["centre"]
        assert row["deletion"]["saliency"] < row["deletion"]["random"]
        assert row["insertion"]["saliency"] > row["insertion"]["random"]
        assert row["above_centre"]["interval"][0] > 0
    # The eyes lie well inside the face, so that no seam comes near them.
    assert told["units"][scale.unit_keys[0]]["background_swap"] < 0.01


def test_energy_is_counted_where_the_landmarks_put_the_regions(
    looker: Looker, crops: np.ndarray, scale: Scale
) -> None:
    homes = landmark_homes(scale, CROP)
    still = np.broadcast_to(homes, (6, *homes.shape))
    plain = faithfulness(looker, crops, scale, CROP)
    assert faithfulness(looker, crops, scale, CROP, places=still)["units"] == plain["units"]
    moved = faithfulness(looker, crops, scale, CROP, places=still + np.array([0.3, 0.0]))
    for key in scale.unit_keys:
        assert moved["units"][key]["energy"] < 0.8 * plain["units"][key]["energy"]
    assert masks_at(scale, CROP, None, 2).shape == (2, *region_masks(scale, CROP).shape)


def test_landmarks_stay_where_they_are_in_the_whole_crop(scale: Scale) -> None:
    """What is taken away from a crop must not move the windows of the rest."""
    torch.manual_seed(0)
    net = zoo.frame_net(
        NetConfig(recipe="windows", widths=(4, 8, 16), window_widths=(4, 6, 8)), CROP, scale
    )
    crops = np.random.default_rng(2).integers(0, 255, (2, CROP.size, CROP.size), np.uint8)
    asked: list[bool] = []
    net.register_forward_pre_hook(lambda _, given: asked.append(len(given) == 2))
    explain_crops(net, crops, steps=2)
    assert asked[0] is False
    assert all(asked[1:])


def test_a_network_that_looks_elsewhere_is_found_out(crops: np.ndarray, scale: Scale) -> None:
    border = np.ones((len(scale.units), CROP.size, CROP.size))
    border[:, 4:-4, 4:-4] = 0
    told = faithfulness(Looker(border), crops, scale, CROP)
    for row in told["units"].values():
        assert row["energy"] < 0.35
        assert row["background_swap"] > 0.02


def test_the_network_is_left_as_it_was_and_answers_twice_the_same(
    scale: Scale, crops: np.ndarray
) -> None:
    torch.manual_seed(0)
    net = zoo.frame_net(NetConfig(widths=(4, 8, 16)), CROP, scale).train()
    first = explain_crops(net, crops[:2])
    assert net.training
    assert all(weight.requires_grad for weight in net.parameters())
    assert all(weight.grad is None for weight in net.parameters())
    assert (first == explain_crops(net, crops[:2])).all()
    assert faithfulness(net, crops[:2], scale, CROP) == faithfulness(net, crops[:2], scale, CROP)


def test_no_crops_say_nothing(looker: Looker, scale: Scale) -> None:
    none = np.zeros((0, CROP.size, CROP.size), np.uint8)
    assert faithfulness(looker, none, scale, CROP)["units"] == {}
    frames = pd.DataFrame({"animal": ["a"], "score": [np.nan]})
    assert explain_evaluation(looker, frames, none, scale, CROP, 3, np.ones(1, bool)) is None


def test_squares_go_by_rank_and_cover_all(scale: Scale) -> None:
    saliency = np.zeros((1, 2, 36, 36))
    saliency[0, 0, :3, 33:] = 1.0
    orders = saliency_orders(saliency, 0)
    assert len(orders) == 2 + 3 + 1
    assert orders[0][0].reshape(CELLS, CELLS)[0, -1] == 0
    assert all(sorted(one[0]) == list(range(CELLS**2)) for one in orders)
    middle = orders[-1][0].reshape(CELLS, CELLS)[5:7, 5:7]
    assert sorted(middle.ravel()) == [0, 1, 2, 3]
    mask = squares(orders[0], 1 / CELLS**2, 36)
    assert mask.sum() == 9
    assert mask[0, 0, -1] == 1
    assert squares(orders[0], 1.0, 35).all()


def test_frames_are_spread_over_animals() -> None:
    frames = pd.DataFrame({"animal": list("aaabbc"), "score": [1, 2, np.nan, 1, 1, np.nan]})
    frontal = np.ones(6, bool)
    assert spread_over_animals(frames, 2, frontal).tolist() == [0, 3]
    assert spread_over_animals(frames, 3, frontal).tolist() == [0, 1, 3]
    assert spread_over_animals(frames, 99, frontal).tolist() == [0, 1, 3, 4]
    frontal[0] = False
    assert spread_over_animals(frames, 2, frontal).tolist() == [1, 3]


def test_an_evaluation_explains_graded_frames_of_its_animals(
    looker: Looker, crops: np.ndarray, scale: Scale
) -> None:
    frames = pd.DataFrame({"animal": list("aabbcc"), "score": [1.0, np.nan, 1, 1, 1, 1]})
    frontal = np.array([True, True, False, True, False, False])
    found = explain_evaluation(looker, frames, crops, scale, CROP, 3, frontal)
    assert found is not None
    assert (found["n"], found["n_frontal"]) == (3, 2)
    rows = [0, 2, 3]
    alone = faithfulness(looker, crops[rows], scale, CROP, list("abb"))
    assert found["units"] == alone["units"]


def test_the_background_comes_from_another_crop_and_the_face_stays() -> None:
    crops = np.stack([np.full((48, 48), 0.2), np.full((48, 48), 0.8)])
    face = np.zeros((48, 48))
    face[12:36, 12:36] = 1
    found = with_other_background(crops, face)
    assert found[0, 24, 24] == pytest.approx(0.2)
    assert found[0, 2, 2] == pytest.approx(0.8)
    alone = np.zeros((1, 48, 48))
    alone[0, 24, 24] = 1
    assert with_other_background(alone, face)[0, 2, 2] == pytest.approx(alone.mean())

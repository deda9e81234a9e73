from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.config import CropConfig
from models.data.heads import any_face
from models.faces import cut
from models.phantom.render import FaceParams, render_face
from models.phantom.units import TOP
from models.regions import (
    face_fractions,
    face_mask,
    hidden_landmarks,
    landmark_homes,
    pulls,
    region_cells,
    region_masks,
    region_windows,
)
from models.scale import Scale


def test_the_face_box_fills_the_crop_but_for_its_margin() -> None:
    place = face_fractions(CropConfig(size=100, margin=0.25))
    assert place[0] == pytest.approx(0.005 * 1.5 - 0.25)
    assert ((place >= 0) & (place < 1)).sum() == pytest.approx(100 / 1.5, abs=1)
    assert place[49] + place[50] == pytest.approx(1.0)


def test_masks_are_the_boxes_of_the_scale(scale: Scale) -> None:
    crop = CropConfig(size=200, margin=0.0)
    masks = region_masks(scale, crop)
    assert masks.shape == (len(scale.units), 200, 200)
    assert set(np.unique(masks)) == {0.0, 1.0}
    for mask, unit in zip(masks, scale.units, strict=True):
        area = np.zeros((1000, 1000), bool)
        for x0, y0, x1, y1 in scale.region(unit.region).boxes:
            area[round(y0 * 1000) : round(y1 * 1000), round(x0 * 1000) : round(x1 * 1000)] = True
        assert mask.mean() == pytest.approx(area.mean(), abs=0.01)


def test_a_margin_makes_regions_smaller(scale: Scale) -> None:
    plain = region_masks(scale, CropConfig(size=144, margin=0.0)).mean((1, 2))
    wide = region_masks(scale, CropConfig(size=144, margin=0.25)).mean((1, 2))
    assert wide == pytest.approx(plain / 1.5**2, rel=0.1)


def test_the_face_holds_every_region_and_no_margin(scale: Scale) -> None:
    crop = CropConfig(size=96, margin=0.2)
    face = face_mask(scale, crop)
    assert (face >= region_masks(scale, crop).max(0)).all()
    assert face[0].sum() == face[:, 0].sum() == 0
    assert 0.3 < face.mean() < 1 / 1.4**2


def test_coarse_cells_hold_the_share_of_their_pixels_that_lies_in_a_region(scale: Scale) -> None:
    crop = CropConfig(size=32)
    masks, cells = region_masks(scale, crop), region_cells(scale, crop, 8)
    assert cells.shape == (len(scale.units), 8, 8)
    means = masks.reshape(len(scale.units), 8, 4, 8, 4).mean((2, 4))
    assert cells == pytest.approx(means, abs=1e-6)


def test_windows_hold_their_regions_and_those_of_the_right_are_mirrored(scale: Scale) -> None:
    crop = CropConfig(size=80)
    masks = region_masks(scale, crop)
    for mask, windows in zip(masks, region_windows(scale, crop, 0.02), strict=True):
        seen = np.zeros((80, 80))
        for left, top, width, height, *_ in windows:
            assert min(left, top) >= 0 <= 80 - max(left + width, top + height)
            seen[top : top + height, left : left + width] = 1
        assert (seen >= mask).all()
        assert [window[4] for window in windows] == [False, True][: len(windows)]


def test_regions_follow_the_landmarks(scale: Scale) -> None:
    crop = CropConfig(size=100, margin=0.0)
    homes = landmark_homes(scale, crop)
    plain = region_masks(scale, crop)
    assert np.array_equal(region_masks(scale, crop, homes), plain)
    moved = region_masks(scale, crop, homes + np.array([0.1, 0.0]))
    assert np.array_equal(moved[:, :, 10:], plain[:, :, :-10])
    turned = homes.copy()
    turned[scale.landmarks.index("nose"), 0] += 0.2
    found = region_masks(scale, crop, turned)

    def middle(masks: NDArray[np.float64], unit: int) -> float:
        return float((masks[unit].sum(0) * np.arange(100)).sum() / masks[unit].sum())

    by = {
        unit.key: middle(found, index) - middle(plain, index)
        for index, unit in enumerate(scale.units)
    }
    assert by["nose_bulge"] > 5 > by["orbital_tightening"]
    assert by["ear_position"] == pytest.approx(0, abs=1.0)


def test_what_pulls_a_box_adds_up_and_eyes_are_shown_to_their_own_unit(scale: Scale) -> None:
    for unit in scale.units:
        for box in scale.region(unit.region).boxes:
            assert sum(pulls(scale, box)) == pytest.approx(1)
        hidden = {scale.landmarks[index] for index in hidden_landmarks(scale, unit)}
        assert ("left_eye" in hidden) == (unit.region != "eyes")
        assert "nose" not in hidden


def test_most_of_what_a_unit_changes_lies_in_its_region(scale: Scale) -> None:
    """The regions are where raters look, and where the renderer shows a unit."""
    crop = CropConfig()
    masks = region_masks(scale, crop)
    changed = np.zeros_like(masks)
    for seed in range(4):
        face = _at_ease(seed, scale)
        plain, truth = _grey(face, scale)
        for index, unit in enumerate(scale.units):
            shown, _ = _grey(replace(face, intensities={**face.intensities, unit.key: TOP}), scale)
            before, after = (cut(picture, truth, crop) for picture in (plain, shown))
            changed[index] += np.abs(before.astype(float) - after)
    inside = (changed * masks).sum((1, 2)) / changed.sum((1, 2))
    assert inside.min() >= 0.7, dict(zip(scale.unit_keys, inside, strict=True))


def _at_ease(seed: int, scale: Scale) -> FaceParams:
    """A frontal face without a grimace, blur or noise in a laboratory at random."""
    face = any_face(np.random.default_rng(seed), np.random.default_rng(100 + seed), scale)
    return replace(
        face,
        intensities=dict.fromkeys(scale.unit_keys, 0.0),
        pose=replace(face.pose, yaw=6.0 * (seed % 3 - 1), pitch=0.0, roll=0.0),
        look=replace(face.look, noise=0.0, bars=0),
        lids=0.1,
        relaxed=0.0,
        paws=0.0,
        smear=(0.0, 0.0),
    )


def _grey(face: FaceParams, scale: Scale) -> tuple[NDArray[np.uint8], tuple[float, ...]]:
    picture, truth = render_face(face, scale)
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), truth.box

import numpy as np
import pytest

from models.config import CropConfig
from models.regions import face_fractions, face_mask, region_masks
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

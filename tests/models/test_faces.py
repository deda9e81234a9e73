"""Boxes and squares of faces: geometry by hand."""

import numpy as np
import pytest

from models.config import CropConfig
from models.faces import Peak, Square, cut, in_crop, overlap, same_face
from models.records import Face


def face(*box: float) -> Face:
    return Face(box=box, landmarks={}, confidence=1.0, view="frontal", sharpness=0.0)  # type: ignore[arg-type]


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 2, 2), (0, 0, 2, 2)) == 1
    assert overlap((0, 0, 2, 2), (2, 0, 4, 2)) == 0


def test_a_face_in_the_middle_of_another_is_the_same_one_and_a_neighbour_is_not() -> None:
    large = face(0, 0, 100, 100)
    assert same_face(face(40, 40, 60, 60), large), "its middle lies inside"
    assert not same_face(face(95, 40, 195, 140), large)
    assert same_face(large, large)


def test_a_square_round_a_box_has_the_factor_of_its_longer_side() -> None:
    square = Square.round_box((10, 20, 30, 60), 1.5)
    assert square == Square(-10, 10, 60)
    assert Square.round_box((5, 5, 5, 5), 0.1).edge == 2, "never smaller than two pixels"


def test_a_large_square_is_thinned_and_a_small_one_left_alone() -> None:
    luma = np.arange(400, dtype=np.uint8).repeat(400).reshape(400, 400)
    same, whole = Square(0, 0, 60).thinned(luma, 48)
    assert same == Square(0, 0, 60)
    assert whole is luma
    square, thin = Square(40, 80, 300).thinned(luma, 48)
    assert square == Square(10, 20, 75)
    assert np.array_equal(thin, luma[::4, ::4])


def test_a_peak_moves_with_its_places_into_a_larger_picture() -> None:
    peak = Peak(0.9, (1, 2, 3, 4), np.array([[1.0, 1.0]]), np.ones(4))
    moved = peak.moved(2, 10, 20)
    assert moved.box == (12, 24, 16, 28)
    assert moved.places.tolist() == [[12.0, 22.0]]
    assert moved.confidence == 0.9


def test_points_of_a_picture_are_told_in_shares_of_its_crop() -> None:
    """A spot at a landmark is found in the crop where its share says."""
    luma = np.zeros((200, 300), np.uint8)
    luma[79:82, 139:142] = 255
    box, how = (100.0, 50.0, 180.0, 110.0), CropConfig(size=80, margin=0.15)
    share = in_crop(np.array([[[140.5, 80.5]]]), np.array([box]), how)
    rows, columns = np.nonzero(cut(luma, box, how) > 60)
    assert share[0, 0] * 80 - 0.5 == pytest.approx([columns.mean(), rows.mean()], abs=0.5)

"""What a finder learns from: parts of pictures, mirror images, points of real stills."""

from pathlib import Path

import numpy as np
import pytest

from models.config import FinderConfig
from models.data.compositions import Compositions, canvas, part_of, too_near, with_mirror_images
from models.data.heads import Head
from models.data.profiles import credible, still_points
from models.data.real import Still, material_digest, packaged, used
from models.scale import Scale

SLOPE = np.add.outer(np.arange(40), 2 * np.arange(60)).astype(np.uint8)


def test_a_composed_picture_has_whole_cells_of_the_finder() -> None:
    assert canvas(FinderConfig(long_side=160)) == (160, 128)
    assert canvas(FinderConfig(long_side=32)) == (32, 32)


def test_a_part_of_a_picture_is_drawn_from_its_generator_and_stretched() -> None:
    rng = np.random.default_rng(3)
    part = part_of(SLOPE, (32, 24), rng, 0.5)
    assert part.shape == (24, 32)
    assert part.dtype == np.uint8
    assert np.array_equal(part, part_of(SLOPE, (32, 24), np.random.default_rng(3), 0.5))
    whole = part_of(SLOPE, (60, 40), np.random.default_rng(0), 1.0)
    assert np.array_equal(np.sort(whole, axis=1), np.sort(SLOPE, axis=1)), "mirrored at most"


@pytest.mark.parametrize("box", [(5.0, 5.0, 35.0, 35.0), (-90.0, -90.0, -50.0, -50.0)])
def test_a_part_of_a_face_is_no_face_and_never_empty(box: tuple[float, ...]) -> None:
    head = Head(SLOPE, None, box, np.zeros((0, 2), np.float32), 0)  # type: ignore[arg-type]
    part = too_near(head, (32, 24), np.random.default_rng(1))
    assert part.shape == (24, 32)
    assert part.dtype == np.uint8


def test_in_a_mirror_image_left_is_right(scale: Scale) -> None:
    names, n, wide = list(scale.landmarks), 2, 60
    rng = np.random.default_rng(4)
    data = Compositions(
        np.stack([SLOPE, SLOPE[::-1]]),
        rng.uniform(0, 40, (n, 2)).astype(np.float32),
        rng.uniform(0, 40, (n, len(names), 2)).astype(np.float32),
        np.ones((n, 2), np.float32),
        np.arange(n),
    )
    both = with_mirror_images(data, scale)
    assert len(both.pictures) == 2 * n
    assert np.array_equal(both.pictures[n:], data.pictures[:, :, ::-1])
    assert both.centres[n:, 0] == pytest.approx(wide - 1 - data.centres[:, 0])
    left = next(place for place, name in enumerate(names) if name.startswith("left"))
    right = names.index(names[left].replace("left", "right"))
    assert both.points[n:, left, 0] == pytest.approx(wide - 1 - data.points[:, right, 0])
    again = with_mirror_images(both, scale)
    assert np.array_equal(again.pictures[3 * n :], data.pictures)


def still(nose: tuple[float, float], eye: tuple[float, float]) -> Still:
    x, y = eye
    rim = {"top": (x, y - 4), "front": (x - 6, y), "bottom": (x, y + 4), "back": (x + 6, y)}
    points = {"nose tip": nose, **{f"eye {part}": at for part, at in rim.items()}}
    return Still(Path("img1.jpg"), points)


def test_the_eye_of_a_still_is_the_middle_of_its_rim() -> None:
    assert still_points(still((10, 90), (60, 50))) == ((10, 90), (60.0, 50.0))


def test_a_still_whose_nose_was_marked_elsewhere_is_not_learnt_from() -> None:
    good = [still((10 + n, 90), (60, 50)) for n in range(5)]
    slipped = still((200, 10), (60, 50))
    assert credible([*good, slipped]) == good
    assert credible([]) == []


def test_without_real_material_nothing_real_is_stated() -> None:
    assert used(None) == []
    assert material_digest(None) == ""
    for name, picture in packaged().items():
        assert ": " in name
        assert picture.ndim == 2
        assert picture.dtype == np.uint8

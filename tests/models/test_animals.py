"""Several animals in view: told apart from reflections, and scored region by region."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.animal_regions import AnimalRegion, read_region, region_of, within_picture
from models.animals import EARLY, Census, CountingFinder, is_reflection
from models.events import Refused
from models.faces import FaceFinder
from models.phantom.look import Look
from models.phantom.pose import Pose
from models.phantom.render import render_face
from models.phantom.truth import FaceParams
from models.records import Face
from models.scale import Scale

LEFT, RIGHT = (20.0, 20.0, 120.0, 120.0), (220.0, 20.0, 320.0, 120.0)


def face(box: tuple[float, float, float, float], **changes: object) -> Face:
    return replace(Face(box, {}, 0.9, "frontal", 50.0), **changes)  # type: ignore[arg-type]


def fur(seed: int) -> np.ndarray:
    """A picture of 100 × 100 pixels with coarse structure of its own."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 215, (6, 6)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (100, 100), interpolation=cv2.INTER_CUBIC))


def scene(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    luma = np.full((140, 340), 120, np.uint8)
    luma[20:120, 20:120], luma[20:120, 220:320] = one, other
    return luma


def test_two_faces_of_their_own_are_no_reflection() -> None:
    assert not is_reflection(scene(fur(1), fur(2)), LEFT, RIGHT)


def test_a_mirror_image_and_a_faint_image_are_reflections() -> None:
    dull = cv2.GaussianBlur(fur(1)[:, ::-1].copy(), (0, 0), 1.5)
    assert is_reflection(scene(fur(1), dull), LEFT, RIGHT)
    faint = np.asarray(120 + 0.15 * (fur(2).astype(float) - 120), np.uint8)
    assert is_reflection(scene(fur(1), faint), LEFT, RIGHT)
    assert is_reflection(scene(faint, fur(1)), LEFT, RIGHT)


def seen(pairs: int, alone: int, mirrored: int = 0, faceless: int = 0) -> Census:
    census = Census()
    two, mirror = scene(fur(1), fur(2)), scene(fur(1), fur(1)[:, ::-1])
    for _ in range(pairs):
        census.see(two, [face(LEFT), face(RIGHT)])
    for _ in range(mirrored):
        census.see(mirror, [face(LEFT), face(RIGHT)])
    for _ in range(alone):
        census.see(two, [face(LEFT), face(RIGHT, confidence=0.2)])
    for _ in range(faceless):
        census.see(two, [face(LEFT, confidence=0.1)])
    return census


@pytest.mark.parametrize(
    ("pairs", "alone", "mirrored", "several"),
    [
        (8, 2, 0, True),
        (3, 10, 0, True),
        (1, 0, 0, True),  # one photo
        (2, 8, 0, False),  # a false face now and then
        (3, 60, 0, False),
        (4, 2, 5, False),  # a mirror wall
        (0, 10, 0, False),
        (0, 0, 0, False),
    ],
)
def test_several_looks_are_needed(pairs: int, alone: int, mirrored: int, several: bool) -> None:
    census = seen(pairs, alone, mirrored, faceless=30)
    assert census.several is several
    assert census.looks == pairs + alone + mirrored


def test_looking_ends_early_only_where_there_is_no_doubt() -> None:
    assert not seen(EARLY - 1, 0).certain
    assert seen(EARLY, 0).certain
    assert not seen(EARLY, 2 * EARLY).certain


def test_another_head_counts_only_where_it_is_a_mouse() -> None:
    census = Census()
    census.see(scene(fur(1), fur(2)), [face(LEFT), face(RIGHT, view="none")])
    assert (census.looks, census.pairs) == (1, 0)


@pytest.fixture(scope="module")
def finder(scale: Scale) -> FaceFinder:
    from models.config import FinderConfig
    from models.shipped import shipped_part

    folder, _ = shipped_part(
        "finder",
        FinderConfig(shipped=True, recipe="deep_heatmap", long_side=160),
        ("recipe", "long_side"),
    )
    return FaceFinder(folder / "finder.onnx", 160, scale.landmarks)


@pytest.fixture(scope="module")
def mice(scale: Scale) -> list[np.ndarray]:
    """Luma of two animals of different coats, in pictures of one size."""
    pictures = []
    for number in range(2):
        params = FaceParams(
            coat=scale.coats[number],
            look=Look(),
            animal=number + 1,
            pose=Pose(8.0 - 14 * number, 2.0, 0.0, 150.0, 120.0, 48.0),
        )
        rgb, _ = render_face(params, scale)
        pictures.append(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    return pictures


def test_the_counting_finder_finds_the_same_and_counts(
    finder: FaceFinder, mice: list[np.ndarray]
) -> None:
    two = np.hstack(mice)
    census = Census()
    assert CountingFinder(finder, census).find([two, two]) == finder.find([two, two])
    assert census.looks == 2
    assert census.pairs == 2
    for luma in mice:
        alone = Census()
        assert CountingFinder(finder, alone).find([luma]) == finder.find([luma])
        assert (alone.looks, alone.pairs) == (1, 0)


def test_a_perspex_wall_that_mirrors_the_animal_is_no_second_animal(
    finder: FaceFinder, mice: list[np.ndarray]
) -> None:
    for luma in mice:
        census = Census()
        mirrored = cv2.GaussianBlur(luma[:, ::-1].copy(), (0, 0), 1.5)
        wall = cv2.addWeighted(mirrored, 0.3, np.full_like(luma, 110), 0.7, 0)
        CountingFinder(finder, census).find([np.hstack([luma, wall])])
        assert (census.looks, census.pairs) == (1, 0)


@pytest.mark.parametrize("text", ["m1=0,0,100,80", " m1 =0,0,100,80"])
def test_a_region_is_read(text: str) -> None:
    assert read_region(text) == AnimalRegion("m1", (0, 0, 100, 80))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("m1", "is no region"),
        ("m1=0,0,a,4", "is no region"),
        ("m1=0,0,100", "needs four numbers"),
        ("m1=0,0,10,80", "no part of a picture"),
        ("m1=-5,0,90,80", "no part of a picture"),
        ("../x=0,0,100,80", "cannot name an animal"),
        ("=0,0,100,80", "cannot name an animal"),
    ],
)
def test_a_region_that_cannot_be_one_is_refused_with_the_reason(text: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        read_region(text)


def test_a_region_is_cut_to_the_picture_or_refused(phantom_clip) -> None:
    path: Path = phantom_clip.path
    width, height = phantom_clip.plan.size
    region = region_of("m1", (40, 0, 5000, 5000))
    assert within_picture(region, path) == (40, 0, width, height)
    with pytest.raises(Refused, match=f"which is {width} pixels wide and {height} high"):
        within_picture(region_of("m1", (width, 0, width + 90, 90)), path)

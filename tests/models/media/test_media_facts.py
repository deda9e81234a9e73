from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.bundle import default_bundle
from models.media import open_media, probe
from models.media.facts import measure
from models.media.frames import Picture
from models.named_finder import NamedFinder, finder_of, shipped_finder
from models.records import Face, MediaFacts, View, from_json, to_json

Find = Callable[[str], Path]
Write = Callable[..., Path]


class Told:
    """A finder that sees a face wherever the picture is bright."""

    name = "told"

    def __init__(self) -> None:
        self.looked = 0

    def face(self, luma: Picture) -> Face | None:
        self.looked += 1
        mean = float(luma.mean())
        if mean < 100:
            return None
        view: View = "frontal" if mean < 180 else "profile"
        return Face((2.0, 3.0, 22.0, 33.0), {}, 0.9, view, 20.0)


def looked_at(path: Path, finder: NamedFinder | Told) -> MediaFacts:
    with open_media(path) as media:
        return measure(media, finder=finder)


def test_faces_are_looked_for_only_when_asked(tmp_path: Path, film: Write) -> None:
    facts = probe(film(tmp_path / "film.mkv", range(0, 400, 40)))
    assert (facts.faces_share, facts.view, facts.finder, facts.faces_looked) == (
        None,
        None,
        None,
        0,
    )


def test_the_share_of_frames_with_a_face_and_the_usual_view_name_their_finder(
    tmp_path: Path, film: Write, brightness: Callable[[int], int]
) -> None:
    facts = looked_at(film(tmp_path / "film.mkv", range(0, 600, 40)), Told())
    assert facts.finder == "told"
    assert facts.faces_looked == 15
    assert facts.faces_share is not None
    assert 0.5 < facts.faces_share < 0.8
    assert facts.view == "frontal"
    assert facts.head_side == 20.0
    assert facts.edge_brightness is not None
    assert set(facts.telling) == {"dark", "burnt", "soft", "small", "profile", "faceless"}
    assert all(0 <= index < facts.frame_count for index in facts.telling.values())
    assert from_json(MediaFacts, to_json(facts)) == facts


def test_the_edge_is_what_lies_round_the_animal(tmp_path: Path) -> None:
    values = np.full((60, 80, 3), 200, np.uint8)
    values[6:-6, 8:-8] = 20
    Image.fromarray(values).save(tmp_path / "a.png")
    facts = probe(tmp_path / "a.png")
    assert facts.edge_brightness == pytest.approx(200, abs=1)
    assert facts.head_side is None
    assert facts.text_boxes == ()


def test_a_long_film_is_sampled(tmp_path: Path, film: Write) -> None:
    finder = Told()
    facts = looked_at(film(tmp_path / "film.mkv", range(0, 40 * 300, 40)), finder)
    assert 64 <= facts.faces_looked < 128
    assert finder.looked < 300


def test_black_and_white_pictures_are_told_by_their_shares(tmp_path: Path) -> None:
    values = np.full((40, 40, 3), 128, np.uint8)
    values[:10] = 5
    values[35:] = 250
    Image.fromarray(values).save(tmp_path / "a.png")
    facts = looked_at(tmp_path / "a.png", Told())
    assert facts.black_share == pytest.approx(0.25)
    assert facts.white_share == pytest.approx(0.125)


@pytest.mark.parametrize(
    ("name", "view", "least", "most"),
    [
        ("mouse-video-side/head_fixed_side.mp4", "profile", 0.9, 1.0),
        ("eye-closeups/velocity_frames", "none", 0.0, 0.0),
        ("videos-odd/video_90.mov", "none", 0.0, 0.0),
    ],
)
def test_the_shipped_finder_looks_at_real_recordings(
    real: Find, name: str, view: str, least: float, most: float
) -> None:
    facts = looked_at(real(name), shipped_finder())
    assert facts.faces_share is not None
    assert least <= facts.faces_share <= most
    assert facts.view == view
    assert facts.finder is not None
    assert facts.finder.endswith(", shipped")


def test_the_finder_of_a_bundle_is_named_by_graph_and_bundle() -> None:
    bundle = default_bundle()
    name = finder_of(bundle).name
    assert bundle.digest[:12] in name
    assert name.startswith("finder ")

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from models import eyes
from models.eyes import EYE_POINTS, EyeReader, eye_places, opening, shrunk
from models.faces import Square
from models.records import Face, from_json, to_json

FRONTAL = Face(
    box=(100.0, 60.0, 300.0, 260.0),
    landmarks={
        "left_eye": (150.0, 140.0),
        "right_eye": (250.0, 140.0),
        "left_ear": (120.0, 80.0),
        "right_ear": (280.0, 80.0),
        "nose": (200.0, 226.0),
    },
    confidence=0.9,
    view="frontal",
    sharpness=50.0,
)
PROFILE = replace(
    FRONTAL,
    view="profile",
    landmarks={"left_eye": (240.0, 120.0), "right_eye": (240.0, 120.0), "nose": (110.0, 160.0)},
)


class DarkDisc:
    """Stands for the graph: the ends of what is darker than 0.4, seen where there is any."""

    def __init__(self, size: int = 48) -> None:
        self.size, self.calls = size, []

    def get_inputs(self) -> list[Any]:
        return [type("Input", (), {"shape": ["batch", 1, self.size, self.size]})]

    def run(self, names: list[str], inputs: dict[str, Any]) -> list[Any]:
        squares = inputs["eyes"]
        assert squares.dtype == np.float32
        assert squares.max() <= 1.0
        self.calls.append(len(squares))
        points, seen = np.full((len(squares), 4, 2), 0.5, np.float32), []
        for row, square in enumerate(squares[:, 0]):
            y, x = np.nonzero(square < 0.4)
            seen.append(1.0 if len(x) else -1.0)
            if len(x):
                ends = [y == y.min(), x == x.min(), y == y.max(), x == x.max()]
                middles = [(x[end].mean() + 0.5, y[end].mean() + 0.5) for end in ends]
                points[row] = np.array(middles) / self.size
        return [points, np.array(seen, np.float32)]


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> EyeReader:
    monkeypatch.setattr(eyes, "session", lambda graph, threads: DarkDisc())
    return EyeReader(b"")


def picture(*discs: tuple[float, float, float, float]) -> np.ndarray:
    """Bright, with dark ellipses (x, y, half width, half height)."""
    luma = np.full((300, 400), 200, np.uint8)
    for x, y, wide, high in discs:
        ends = (round(x * 16), round(y * 16)), (round(wide * 16), round(high * 16))
        cv2.ellipse(luma, ends[0], ends[1], 0, 0, 360, 20, -1, cv2.LINE_AA, 4)
    return luma


def test_from_the_front_both_eyes_are_read_and_their_front_lies_towards_the_nose(
    reader: EyeReader,
) -> None:
    luma = picture((153, 142, 17, 12), (247, 138, 17, 12))
    (face,) = reader.read([luma], [FRONTAL])
    assert face.opening == pytest.approx(12 / 17, abs=0.06)
    marks = face.landmarks
    assert marks["left_eye_front"] == pytest.approx((170, 142), abs=3)
    assert marks["left_eye_back"] == pytest.approx((136, 142), abs=3)
    assert marks["right_eye_front"] == pytest.approx((230, 138), abs=3)
    assert marks["right_eye_top"] == pytest.approx((247, 126), abs=3)
    assert marks["right_eye_bottom"] == pytest.approx((247, 150), abs=3)
    assert {"left_eye", "nose"} < set(marks)


def test_only_eyes_that_are_seen_count(reader: EyeReader) -> None:
    both = reader.read(
        [picture((247, 138, 17, 8)), picture()], [FRONTAL, replace(FRONTAL, opening=0.7)]
    )
    assert both[0].opening == pytest.approx(8 / 17, abs=0.06)
    assert set(EYE_POINTS["right_eye"]) < set(both[0].landmarks)
    assert not set(EYE_POINTS["left_eye"]) & set(both[0].landmarks)
    assert both[1].opening is None
    assert both[1].landmarks == FRONTAL.landmarks


def test_an_earlier_reading_is_forgotten(reader: EyeReader) -> None:
    (open_face,) = reader.read([picture((153, 142, 17, 12))], [FRONTAL])
    (again,) = reader.read([picture()], [open_face])
    assert again == FRONTAL


def test_from_the_side_the_near_eye_alone_is_read() -> None:
    (place,) = eye_places(PROFILE)
    assert place.eye == "right_eye"
    assert not place.mirrored
    turned = {name: (400 - x, y) for name, (x, y) in PROFILE.landmarks.items()}
    (place,) = eye_places(replace(PROFILE, landmarks=turned))
    assert place.eye == "left_eye"
    assert place.mirrored
    only = {name: PROFILE.landmarks[name] for name in ("left_eye", "nose")}
    assert [place.eye for place in eye_places(replace(PROFILE, landmarks=only))] == ["left_eye"]


def test_landmarks_that_are_missing_are_no_place_to_look() -> None:
    assert eye_places(replace(FRONTAL, landmarks={})) == []
    nowhere = {**FRONTAL.landmarks, "left_eye": (math.nan, 1.0)}
    (place,) = eye_places(replace(FRONTAL, landmarks=nowhere))
    assert place.eye == "right_eye"
    only = {"right_eye": (250.0, 140.0)}
    (place,) = eye_places(replace(FRONTAL, landmarks=only))
    assert not place.mirrored
    assert 20 < place.side < 200


def test_the_second_look_is_centred_and_spared_where_the_first_was(reader: EyeReader) -> None:
    places = eye_places(FRONTAL)
    wide = places[1].side / 4.4
    luma = picture((250, 140, wide, 12))
    assert reader.measure([luma], places[1:])[0] is not None
    assert reader.session.calls == [1]
    reader.measure([picture((262, 140, wide, 12))], places[1:])
    assert reader.session.calls == [1, 1, 1]


def test_what_the_closer_look_doubts_is_no_eye(
    reader: EyeReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = reader.session.run
    answers = iter([np.array([1.0, 1.0], np.float32), np.array([0.3, -0.2], np.float32)])
    monkeypatch.setattr(reader.session, "run", lambda *asked: [said(*asked)[0], next(answers)])
    luma = picture((160, 150, 17, 12), (262, 130, 17, 12))
    (face,) = reader.read([luma], [FRONTAL])
    assert reader.session.calls == [2, 2]
    assert set(EYE_POINTS["left_eye"]) < set(face.landmarks)
    assert not set(EYE_POINTS["right_eye"]) & set(face.landmarks)


def test_points_go_to_the_square_and_back() -> None:
    for place in eye_places(FRONTAL):
        corners = place.to_picture(np.array([[0.0, 0.0], [1.0, 1.0], [0.25, 0.5]]))
        assert np.allclose(place.to_square(corners), [[0, 0], [1, 1], [0.25, 0.5]])
        assert (corners[1, 0] > corners[0, 0]) != place.mirrored


def test_the_opening_is_height_over_width() -> None:
    four = np.array([[5.0, 0.0], [0.0, 5.0], [5.0, 8.0], [10.0, 5.0]])
    assert opening(four) == pytest.approx(0.8)
    assert opening(np.stack([four, four * 3])).tolist() == pytest.approx([0.8, 0.8])
    assert opening(np.zeros((4, 2))) == 0.0


@pytest.mark.parametrize("edge", [20, 48, 70, 96, 200, 431])
def test_a_square_shrinks_without_being_shifted(edge: int) -> None:
    size = 48
    xs = np.arange(900, dtype=np.float32)
    luma = np.clip(np.broadcast_to(xs / 4, (700, 900)), 0, 255).astype(np.uint8)
    square = Square(200, 100, edge)
    small = shrunk(square, luma, size)
    assert small.shape == (size, size)
    # The middle of each cell, and what truncation to whole grey levels may take.
    wanted = (200 + (np.arange(size) + 0.5) * edge / size - 0.5) / 4
    assert np.abs(small[24, 2:-2] - wanted[2:-2]).max() < 1.0


def test_the_border_is_repeated_outside_the_picture() -> None:
    luma = picture()
    luma[:, 0] = 90
    outside = shrunk(Square(-300, -20, 250), luma, 48)
    assert (outside == 90).all()
    assert shrunk(Square(-20, 280, 60), luma, 48).shape == (48, 48)


def test_no_faces_are_no_work(reader: EyeReader) -> None:
    assert reader.read([], []) == []
    assert reader.session.calls == []
    assert reader.measure([], []) == []


def test_a_face_without_the_newer_fields_can_be_read() -> None:
    plain = {key: value for key, value in to_json(FRONTAL).items() if key not in {"opening"}}
    face = from_json(Face, plain)
    assert face.opening is None
    assert from_json(Face, to_json(replace(FRONTAL, opening=0.5))).opening == 0.5

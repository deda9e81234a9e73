"""The face finder: what it learns from, what it says of a picture, how it is kept and tried."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from models import zoo
from models.__main__ import parser
from models.bundle import load_bundle
from models.config import CropConfig, FinderConfig, load_config
from models.data import real
from models.data.compositions import Material, compose, strangers
from models.data.heads import any_face, bent, phantom_head, stranger, varied
from models.data.profiles import credible, drawn_profile, real_profile, still_box, with_holder
from models.data.scenery import (
    covered,
    leaves,
    pelt,
    scenery,
    smeared,
    weathered,
    with_hand,
    with_mouse_from_above,
)
from models.events import Refused
from models.faces import VIEWS, FaceFinder, inner, motion_blur, sharpness
from models.grader import refuse_face
from models.nets.export import finder_graph
from models.nets.finder_command import run
from models.nets.finder_fit import borrowed_finder, finder_digest, trained_on
from models.nets.finder_trial import noticed, recalled
from models.records import Face
from models.scale import Scale

TINY = FinderConfig(long_side=64, width=6, renderings=4, steps=2, batch=4, variety=1.0)
POINTS = (
    "eye top", "eye front", "eye bottom", "eye back", "nose top", "nose tip", "nose bottom",
)  # fmt: skip
PLACES = ((584, 66), (503, 109), (568, 172), (637, 153), (170, 138), (124, 187), (152, 246))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like the real material: ten stills and one close-up recording."""
    folder = tmp_path_factory.mktemp("material")
    (folder / real.STILLS).mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(10):
        name = f"img{9 - number:04d}.jpg"
        cv2.imwrite(str(folder / real.STILLS / name), scenery((864, 646), rng))
        row: dict[str, object] = {"image": name}
        for point, (x, y) in zip(POINTS, PLACES, strict=True):
            row |= {f"{point} x": x + number, f"{point} y": y}
        rows.append(row)
    with (folder / real.STILLS / "landmarks.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    closeups = folder / "eye-closeups" / "eye"
    closeups.mkdir(parents=True)
    for number in range(4):
        cv2.imwrite(str(closeups / f"eye{number}.png"), scenery((80, 60), rng))
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, found through the variable."""
    monkeypatch.setenv(real.VARIABLE, str(folder))
    return folder


def test_the_last_fifth_in_time_is_held_out(folder: Path) -> None:
    learnt, held = real.stills(folder, "train"), real.stills(folder, "held_out")
    assert [still.path.name for still in held] == ["img0008.jpg", "img0009.jpg"]
    assert len(learnt) == 8
    assert learnt[0].path.name == "img0000.jpg"
    assert held[-1].points["nose tip"] == (124.0, 187.0)


def test_real_stills_are_split_once_for_everybody() -> None:
    found = real.real_material()
    if found is None:
        pytest.skip("the real recordings are absent: ../shared/data/mouse-faces-side")
    learnt, held = real.stills(found, "train"), real.stills(found, "held_out")
    assert (len(learnt), len(held)) == (158, 39)
    assert learnt[-1].path.name < held[0].path.name


def test_halves_of_faceless_recordings_do_not_meet(folder: Path) -> None:
    learnt, held = (real.faceless(folder, part)["eye-closeups/eye"] for part in
                    ("train", "held_out"))  # fmt: skip
    assert (len(learnt), len(held)) == (2, 2)
    assert not any(np.array_equal(one, other) for one in learnt for other in held)


def test_the_variable_names_the_material_and_can_say_there_is_none(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert real.real_material() == here
    monkeypatch.setenv(real.VARIABLE, "")
    assert real.real_material() is None
    monkeypatch.setenv(real.VARIABLE, str(tmp_path))
    assert real.real_material() is None


def test_a_finder_is_named_by_the_material_it_learnt_from(
    here: Path, scale: Scale, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_real = finder_digest(replace(TINY, real=True), scale)
    plain = finder_digest(TINY, scale)
    monkeypatch.setenv(real.VARIABLE, "")
    assert finder_digest(replace(TINY, real=True), scale) != with_real
    assert finder_digest(TINY, scale) == plain


def test_the_sources_of_a_finder_are_stated_with_their_licence(folder: Path) -> None:
    assert trained_on(None) == [{"name": "rendered faces", "phantom": True}]
    stated = {entry["name"]: entry for entry in trained_on(folder)}
    assert stated[real.STILLS]["licence"] == "MIT"
    assert stated[real.STILLS]["phantom"] is False
    assert real.FILM not in stated


def test_a_cut_out_face_is_opaque_where_the_face_is(scale: Scale) -> None:
    params = any_face(np.random.default_rng(1), np.random.default_rng(2), scale)
    head = phantom_head(replace(params, paws=0.0), scale, cut_out=True)
    assert head.matte is not None
    x0, y0, x1, y1 = (round(value) for value in head.box)
    middle = head.matte[(y0 + y1) // 2 - 5 : (y0 + y1) // 2 + 5, (x0 + x1) // 2 - 5 :][:, :10]
    assert middle.mean() > 200
    assert head.matte[:20].mean() < 60


def test_bending_moves_landmarks_with_the_picture(scale: Scale) -> None:
    rng = np.random.default_rng(0)
    head = phantom_head(any_face(rng, rng, scale), scale)
    mark = np.zeros_like(head.picture)
    x, y = (round(float(value)) for value in head.points[scale.landmarks.index("nose")])
    cv2.circle(mark, (x, y), 3, 255, -1)
    moved = bent(replace(head, picture=mark), (0.5, 1.3, 1.2), 0.9)
    rows, columns = np.nonzero(moved.picture > 128)
    nose = moved.points[scale.landmarks.index("nose")]
    assert (columns.mean(), rows.mean()) == pytest.approx(tuple(nose), abs=1.5)
    assert varied(head, rng).view == head.view
    assert VIEWS[stranger(head, rng).view] == "none"


def test_a_holder_is_no_part_of_the_head(scale: Scale) -> None:
    rng = np.random.default_rng(0)
    bare = drawn_profile(scale, rng)
    held = with_holder(bare, rng)
    assert held.box == bare.box
    assert held.matte is not None
    assert bare.matte is not None
    assert (held.matte.astype(int) >= bare.matte).all()
    assert not np.array_equal(held.picture, bare.picture)
    uncut = replace(bare, matte=None)
    assert with_holder(uncut, rng) is uncut


def test_points_that_have_slipped_are_not_believed(folder: Path) -> None:
    some = real.stills(folder, "train")
    slipped = replace(some[0], points={**some[0].points, "nose tip": (400.0, 187.0)})
    assert credible([slipped, *some[1:]]) == some[1:]
    assert credible([]) == []


def test_a_profile_looks_to_the_left_and_hides_half_its_landmarks(
    folder: Path, scale: Scale
) -> None:
    rng = np.random.default_rng(4)
    still = real.stills(folder, "train")[0]
    for head in (
        *(drawn_profile(scale, rng) for _ in range(4)),
        *(real_profile(still, scale, rng) for _ in range(8)),
    ):
        points = dict(zip(scale.landmarks, head.points, strict=True))
        assert points["nose"][0] < points["right_eye"][0]
        assert np.isnan(points["left_eye"]).all()
        assert VIEWS[head.view] == "profile"
        assert head.matte is None or head.matte.shape == head.picture.shape
        x0, y0, x1, y1 = head.box
        assert x0 < points["right_eye"][0] < x1
        assert y0 < points["right_eye"][1] < y1
    assert still_box(still, (646, 864))[2] == 864


@pytest.mark.parametrize(
    "drawn",
    [
        lambda rng: pelt((64, 48), rng),
        lambda rng: leaves((64, 48), rng),
        lambda rng: with_hand(scenery((64, 48), rng), rng),
        lambda rng: with_mouse_from_above(scenery((64, 48), rng), rng),
        lambda rng: weathered(scenery((64, 48), rng), rng),
        lambda rng: covered(scenery((64, 48), rng), (10, 10, 40, 40), rng),
    ],
)
def test_scenery_is_a_function_of_its_generator(drawn) -> None:
    for seed in range(6):
        one, two = (drawn(np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == (48, 64)
        assert one.dtype == np.uint8
        assert np.array_equal(one, two)


def test_compositions_hold_every_kind_of_picture(folder: Path, scale: Scale) -> None:
    config = replace(TINY, pictures=60, cut_out_share=0.5, stranger_share=0.2)
    material = Material.of(folder)
    one = compose(config, scale, material=material)
    two = compose(config, scale, threads=2, material=material)
    assert np.array_equal(one.pictures, two.pictures)
    assert {-1, 0, VIEWS.index("profile"), VIEWS.index("none")} <= set(one.views.tolist())
    assert np.isfinite(one.centres[one.views >= 0]).all()
    assert np.isnan(one.centres[one.views < 0]).all()
    assert strangers(config, scale, 6, material).shape == (6, 240, 320)


def test_the_deep_finder_equals_its_graph(scale: Scale) -> None:
    torch.manual_seed(0)
    net = zoo.finder(replace(TINY, recipe="deep_heatmap"), scale).eval()
    luma = torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        wanted = [part.numpy() for part in net(luma)]
    found = onnxruntime.InferenceSession(finder_graph(net)).run(None, {"luma": luma.numpy()})
    assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))


class Bright:
    """A graph for which whatever is bright is a face of two cells, of a view told by its grey."""

    views = 4

    def run(self, names: object, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        luma = inputs["luma"][:, 0]
        n, height, width = luma.shape
        cells = luma.reshape(n, height // 8, 8, width // 8, 8).mean((2, 4))
        view = np.zeros((n, self.views, *cells.shape[1:]), np.float32)
        view[:, 0] = 8.0
        box = np.zeros((n, 4, *cells.shape[1:]), np.float32)
        box[:, 2:] = np.log(2.0)
        return [(cells * 12 - 6)[:, None], box, np.zeros((n, 2, *cells.shape[1:])), view]


@pytest.fixture
def bright(monkeypatch: pytest.MonkeyPatch) -> FaceFinder:
    monkeypatch.setattr("models.faces.session", lambda graph, threads=1: Bright())
    return FaceFinder(b"", 160, ("nose",))


def with_squares(*squares: tuple[int, int, int]) -> np.ndarray:
    luma = np.full((128, 160), 20, np.uint8)
    for x, y, grey in squares:
        luma[y : y + 16, x : x + 16] = grey
    return luma


def test_every_face_of_a_picture_is_found_once(bright: FaceFinder) -> None:
    luma = with_squares((16, 24, 250), (112, 80, 235))
    first, second = bright.find_all(luma)
    assert first.confidence > second.confidence > 0.4
    assert first.box[0] < 32 < 100 < second.box[0]
    assert bright.find([luma])[0] == first
    assert bright.find_all(with_squares()) == []


def test_a_known_face_is_followed_by_one_look(bright: FaceFinder) -> None:
    luma = with_squares((16, 24, 250), (112, 80, 235))
    followed = bright.follow([luma], [(108.0, 78.0, 126.0, 94.0)])[0]
    assert 100 < (followed.box[0] + followed.box[2]) / 2 < 132
    assert bright.follow([], []) == bright.find([]) == []


def test_a_graph_that_knows_no_other_animals_is_still_read(
    bright: FaceFinder, monkeypatch: pytest.MonkeyPatch
) -> None:
    luma = with_squares((16, 24, 250))
    known = bright.find([luma])[0]
    monkeypatch.setattr(Bright, "views", 3)
    assert bright.find([luma])[0].view == known.view == "frontal"


def test_quality_is_measured_inside_the_box(scale: Scale) -> None:
    rng = np.random.default_rng(3)
    head = phantom_head(replace(any_face(rng, rng, scale), smear=(0.0, 0.0), paws=0.0), scale)
    wide = head.box[2] - head.box[0]
    still, moved = (
        motion_blur(inner(picture, head.box))
        for picture in (head.picture, smeared(head.picture, 0.15 * wide, 0.4))
    )
    assert still < 0.03
    assert 0.06 < moved < 0.3
    assert sharpness(head.picture, head.box) > sharpness(smeared(head.picture, 9, 1.0), head.box)
    assert motion_blur(inner(head.picture, (5.0, 5.0, 6.0, 6.0))) == 0.0


FACE = Face((10.0, 10.0, 110.0, 110.0), {}, 0.9, "frontal", 100.0)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({}, None),
        ({"view": "three_quarter"}, None),
        ({"confidence": 0.1}, "absence"),
        ({"view": "none"}, "species"),
        ({"box": (10.0, 10.0, 73.0, 110.0)}, "size"),
        ({"view": "profile"}, "angle"),
        ({"confidence": 0.5}, "unnamed"),
    ],
)
def test_a_candidate_is_refused_with_its_cause(change, cause: str | None, scale: Scale) -> None:
    assert refuse_face(replace(FACE, **change), CropConfig(sure_confidence=0.6)) == cause
    assert cause is None or scale.reason_because(cause).key  # type: ignore[arg-type]


def test_recall_asks_for_confidence_view_and_place() -> None:
    crop, profile = CropConfig(), replace(FACE, view="profile")
    assert recalled(profile, FACE.box, crop)
    assert not recalled(FACE, FACE.box, crop)
    assert noticed(profile, (50.0, 50.0, 300.0, 300.0), crop)
    assert not recalled(profile, (50.0, 50.0, 300.0, 300.0), crop)
    assert not noticed(profile, (80.0, 10.0, 180.0, 110.0), crop)
    assert not recalled(replace(profile, confidence=0.1), FACE.box, crop)
    assert not recalled(profile, (80.0, 10.0, 180.0, 110.0), crop)


def test_a_run_may_borrow_the_finder_of_a_bundle(tiny_run) -> None:
    bundle = load_bundle(tiny_run.bundle)
    finder = borrowed_finder(bundle)
    assert finder.graph == (bundle.path / "finder.onnx").read_bytes()
    assert finder.digest == bundle.info["finder_digest"]
    assert finder.trained_on == [{"name": "rendered faces", "phantom": True}]
    kept = next((tiny_run.cache / "finders").iterdir())
    assert np.array_equal(finder.strangers, np.load(kept / "strangers.npy"))


def test_the_shipped_finder_learns_from_real_material() -> None:
    config = load_config("finder").finder
    assert config.real
    assert config.recipe == "deep_heatmap"


def test_a_finder_is_fitted_tried_and_kept_by_one_command(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(real.VARIABLE, "")
    (tmp_path / "little.yaml").write_text(
        "finder: {long_side: 64, width: 6, renderings: 4, pictures: 24, steps: 2, batch: 4,"
        " real: true}\n"
    )
    out = tmp_path / "finder"
    words = ["finder", "--config", str(tmp_path / "little.yaml"), "--out", str(out), "--real"]
    events: list[dict[str, object]] = []
    for _ in range(2):
        events.clear()
        assert run(parser().parse_args([*words, str(folder)]), events.append) == 0
    # The second time it was there already: nothing was fitted, so nothing was told of it.
    assert [event["event"] for event in events] == ["done"]
    facts = json.loads((out / "facts.json").read_text())
    assert facts["real"]["held_out_stills"]["n"] == 2
    assert facts["real"]["faceless"]["held_out"]["eye-closeups/eye"]["n"] == 2
    assert {"name": "rendered faces", "phantom": True} in facts["trained_on"]
    assert (out / "detections.png").is_file()
    with pytest.raises(Refused, match="no real material"):
        run(parser().parse_args([*words, str(tmp_path)]), events.append)

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import onnxruntime
import pytest
import torch

from models import zoo
from models.__main__ import main
from models.config import ConfigError, EyesConfig
from models.data import real
from models.data.eye_crops import PATCH, ROOM, Patches, eye_of, face_of, gather_patches, steadied
from models.data.eye_figures import SLIPS, real_figures, shut_figures, slipped
from models.data.eye_sheet import write_sheet
from models.data.eye_squares import Lids, deal
from models.data.real import Still
from models.data.real import stills as real_stills
from models.eyes import EyeReader, eye_places, opening
from models.nets.export import eyes_graph
from models.nets.eyes import EyeOutputs
from models.nets.eyes_fit import cached_eyes, eyes_digest, eyes_loss
from models.scale import Scale

TINY = EyesConfig(widths=(4, 8, 8), renderings=8, steps=6, batch=8)
HEADER = ["image", *(f"{part} {axis}" for part in (
    "eye top", "eye front", "eye bottom", "eye back", "nose tip") for axis in "xy")]  # fmt: skip


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten drawn profiles that stand for real ones; their names sort otherwise than their frames."""
    folder = tmp_path_factory.mktemp("material")
    stills = folder / "mouse-faces-side"
    stills.mkdir()
    rows = [",".join(HEADER)]
    for number in (3, 12, 700, 40, 5, 66, 101, 9, 1000, 88):
        picture = np.full((160, 240), 90, np.uint8)
        x, y = 150 + number % 7, 70
        cv2.ellipse(picture, (x, y), (20, 15), 0, 0, 360, 10, -1, cv2.LINE_AA)
        assert cv2.imwrite(str(stills / f"img{number}.png"), picture)
        four = [x, y - 15, x - 20, y, x, y + 15, x + 20, y]
        rows.append(",".join(map(str, [f"img{number}.png", *four, 25, 90])))
    (stills / "landmarks.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="module")
def stills(material: Path) -> tuple[list[Still], list[Still]]:
    return real_stills(material, "train"), real_stills(material, "held_out")


@pytest.fixture(scope="module")
def patches(scale: Scale, stills: tuple[list[Still], list[Still]]) -> Patches:
    return gather_patches(TINY, scale, stills[0])


def test_the_last_fifth_in_time_is_held_out(stills: tuple[list[Still], list[Still]]) -> None:
    learnt, held_out = stills
    assert [still.path.name for still in learnt][-2:] == ["img88.png", "img101.png"]
    assert [still.path.name for still in held_out] == ["img700.png", "img1000.png"]
    assert opening(eye_of(held_out[0])) == pytest.approx(0.75)
    (place,) = eye_places(face_of(held_out[0]))
    assert place.eye == "right_eye"
    assert not place.mirrored


def test_shapes_of_real_eyes_are_steadied_in_their_places() -> None:
    four = np.array([[5.0, 0.0], [0.0, 5.0], [5.0, 8.0], [10.0, 5.0]])
    wobbling = [four, np.add(four, [[0, 4], [0, 0], [0, 0], [0, 0]]), four + 30]
    steady = steadied(wobbling)
    assert np.std(opening(np.stack(steady))) < 0.3 * np.std(opening(np.stack(wobbling)))
    for marked, used in zip(wobbling, steady, strict=True):
        assert marked.mean(axis=0) == pytest.approx(used.mean(axis=0))
    assert steadied([]) == []


def test_patches_show_eyes_with_the_nose_on_the_left_and_what_is_none(patches: Patches) -> None:
    seen = patches.points[patches.eyes]
    assert patches.real.sum() == 8
    assert len(seen) > 16
    assert (~patches.eyes).sum() >= 16
    top, front, bottom, back = (seen[:, place] for place in range(4))
    assert (front[:, 0] < back[:, 0]).all()
    assert (top[:, 1] <= bottom[:, 1] + 1e-6).all()
    assert np.abs(seen.mean(axis=1) - PATCH / 2).max() < 12
    assert (opening(seen) < 0.1).any()


def test_the_points_of_patches_lie_on_their_eyes(patches: Patches) -> None:
    for picture, points in zip(
        patches.pictures[patches.real], patches.points[patches.real], strict=True
    ):
        y, x = np.nonzero(picture < 50)
        ends = [x.min(), x.max(), y.min(), y.max()]
        found = [points[1, 0], points[3, 0], points[0, 1], points[2, 1]]
        assert np.abs(np.subtract(ends, found)).max() < 2.5


def test_squares_are_a_function_of_the_step(patches: Patches) -> None:
    one, other, later = (deal(patches, TINY, step) for step in (3, 3, 4))
    assert np.array_equal(one.eyes, other.eyes)
    assert np.array_equal(one.points, other.points, equal_nan=True)
    assert not np.array_equal(one.eyes, later.eyes)
    assert one.eyes.shape == (8, 1, 48, 48)
    assert one.eyes.min() >= 0
    assert one.eyes.max() <= 1


def test_without_real_eyes_phantoms_alone_are_dealt(scale: Scale) -> None:
    phantom = gather_patches(TINY, scale, [])
    assert not phantom.real.any()
    squares = deal(phantom, replace(TINY, batch=40, negative_share=0.25), 0)
    eyes = np.isfinite(squares.points).all(axis=(1, 2))
    assert 20 <= eyes.sum() <= 38


def test_the_middle_of_a_patch_is_what_is_read(
    scale: Scale, stills: tuple[list[Still], list[Still]]
) -> None:
    still = stills[0][0]
    (place,) = eye_places(face_of(still))
    patches = gather_patches(TINY, scale, [still])
    (patch,), (points,) = patches.pictures[patches.real], patches.points[patches.real]
    first = round(PATCH * (1 - 1 / ROOM) / 2)
    middle = patch[first : PATCH - first, first : PATCH - first]
    inside = (points - first + 0.5) / len(middle)
    assert np.abs(inside - place.to_square(eye_of(still))).max() < 0.02
    small = cv2.resize(middle, (48, 48), interpolation=cv2.INTER_AREA).astype(np.float32)
    assert np.abs(small - place.cut_from(still.luma(), 48)).mean() < 8


@pytest.mark.parametrize("seam", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0])
def test_lids_close_to_a_part_of_the_opening(gap: float, seam: float) -> None:
    picture = np.full((PATCH, PATCH), 120, np.uint8)
    cv2.ellipse(picture, (80, 80), (30, 22), 0, 0, 360, 10, -1, cv2.LINE_AA)
    points = np.array([[80.0, 58.0], [50.0, 80.0], [80.0, 102.0], [110.0, 80.0]])
    lids = replace(Lids.at_random(points, np.random.default_rng(0)), gap=gap, seam=seam)
    ys, xs = np.mgrid[:PATCH, :PATCH].astype(np.float32)
    shut = cv2.remap(picture, *lids.opened(xs, ys), cv2.INTER_LINEAR)
    moved = lids.closed(points)
    assert opening(moved) == pytest.approx(gap * opening(points), abs=1e-6)
    dark = np.flatnonzero(shut[:, 80] < 60)
    assert len(dark) == pytest.approx(44 * gap, abs=3)
    if len(dark):
        assert dark[0] == pytest.approx(moved[0, 1], abs=2)
        assert dark[-1] == pytest.approx(moved[2, 1], abs=2)
    # Beyond the reach of the lids nothing moves.
    assert np.array_equal(shut[:15], picture[:15])


def test_the_graph_equals_the_network_at_any_batch() -> None:
    torch.manual_seed(0)
    net = zoo.eyes(TINY).eval()
    graph = eyes_graph(net, 48)
    session = onnxruntime.InferenceSession(graph)
    assert session.get_inputs()[0].shape[1:] == [1, 48, 48]
    for number in (1, 5):
        eyes = torch.rand(number, 1, 48, 48)
        with torch.no_grad():
            wanted = [part.numpy() for part in net(eyes)]
        found = session.run(["points", "seen"], {"eyes": eyes.numpy()})
        assert found[0].shape == (number, 4, 2)
        assert all(np.abs(w - f).max() <= 1e-4 for w, f in zip(wanted, found, strict=True))
        assert found[0].min() >= 0
        assert found[0].max() <= 1
    dark = session.run(["points", "seen"], {"eyes": np.zeros((1, 1, 48, 48), np.float32)})
    assert all(np.isfinite(part).all() for part in dark)


def test_an_impossible_network_is_refused() -> None:
    with pytest.raises(ConfigError, match="multiple of 8"):
        zoo.eyes(replace(TINY, size=50))
    with pytest.raises(ConfigError, match="three numbers"):
        zoo.eyes(replace(TINY, widths=(4, 8)))
    with pytest.raises(ConfigError, match="use gravity"):
        zoo.eyes(replace(TINY, recipe="huge"))


def test_the_loss_vanishes_where_all_is_right(patches: Patches) -> None:
    squares = deal(patches, TINY, 0)
    eye = torch.isfinite(torch.from_numpy(squares.points)).all(dim=2).all(dim=1)
    assert eye.any()
    assert not eye.all()
    sure = torch.where(eye, 20.0, -20.0)
    right = EyeOutputs(torch.nan_to_num(torch.from_numpy(squares.points), 0.3), sure)
    assert float(eyes_loss(right, squares)) < 1e-4
    assert float(eyes_loss(EyeOutputs(right.points + 0.1, sure), squares)) > 0.5
    assert float(eyes_loss(EyeOutputs(right.points, -sure), squares)) > 5
    nothing = replace(squares, points=np.full_like(squares.points, np.nan))
    assert float(eyes_loss(EyeOutputs(right.points, torch.full_like(sure, -20.0)), nothing)) < 1e-4


def test_a_fitted_reader_is_kept_and_judged(
    scale: Scale, material: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(real.VARIABLE, str(material))
    told: list[float] = []
    first = cached_eyes(TINY, scale, tmp_path, on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    second = cached_eyes(TINY, scale, tmp_path)
    assert second.graph == first.graph
    assert second.facts == json.loads(json.dumps({**first.facts, "digest": first.digest}))
    assert first.facts["material"] == "phantom and real stills"
    assert first.facts["real_eyes"] == 8
    stills = first.facts["real"]["stills"]
    assert stills["stills"] == 2
    assert stills["constant_mae"] == pytest.approx(0.0, abs=1e-6)
    assert first.digest != eyes_digest(replace(TINY, steps=7), scale, material)
    assert first.digest != eyes_digest(TINY, scale, None)


def test_without_real_material_the_facts_say_so(
    scale: Scale, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(real.VARIABLE, "")
    fitted = cached_eyes(replace(TINY, steps=2), scale, tmp_path)
    assert fitted.facts["material"] == "phantom alone"
    assert fitted.facts["real"] == {}
    assert not write_sheet(fitted.graph, tmp_path / "sheet.png")


def test_a_reader_that_sees_nothing_has_no_figures_to_be_proud_of(material: Path) -> None:
    net = zoo.eyes(TINY).eval()
    torch.nn.init.constant_(net.seen.bias, -50.0)
    figures = real_figures(eyes_graph(net, 48), material)["stills"]
    assert figures["missed"] == figures["readings"] == 16
    assert figures["landmark_error_median"] is None
    assert figures["opening_mae"] is None


def test_a_slip_is_a_quarter_of_an_eye_at_most(
    stills: tuple[list[Still], list[Still]],
) -> None:
    face, rng = face_of(stills[0][0]), np.random.default_rng(0)
    for _ in range(20):
        eye = slipped(face, 40.0, rng).landmarks["right_eye"]
        assert np.abs(np.subtract(eye, face.landmarks["right_eye"])).max() <= 10


def test_the_command_writes_graph_weights_facts_and_sheet(
    material: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(real.VARIABLE, str(material))
    config, out = tmp_path / "own.yaml", tmp_path / "out"
    config.write_text("eyes: {widths: [4, 8, 8], renderings: 8, steps: 3, batch: 8}\n")
    assert main(["eyes", "--config", str(config), "--out", str(out)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1] == {"event": "done", "path": str(out), "sheet": str(out / "sheet.png")}
    names = {path.name for path in out.iterdir()}
    assert names == {"eyes.onnx", "weights.safetensors", "facts.json", "sheet.png"}
    assert EyeReader(out / "eyes.onnx").size == 48
    assert main(["eyes", "--config", "nowhere", "--out", str(out)]) == 3


def test_readings_of_a_shut_eye_are_counted_below_the_threshold(phantom_clip: Any) -> None:
    class Reader:
        """Says a little more of every frame, and nothing of every fourth face."""

        frames = 0

        def read(self, lumas: list[Any], faces: list[Any]) -> list[Any]:
            assert len(lumas) == len(faces) == SLIPS
            self.frames += 1
            openings = [None if n % 4 == 3 else 0.01 * self.frames for n in range(SLIPS)]
            return [SimpleNamespace(opening=opening) for opening in openings]

    found = shut_figures(Reader(), phantom_clip.path, threshold=0.105)  # type: ignore[arg-type]
    frames = found["frames"]
    assert frames == len(phantom_clip.truth) > 10
    assert found["readings"] == frames * SLIPS
    assert found["seen"] == 0.75
    assert found["below"] == pytest.approx(10 * 0.75 / frames)
    assert found["opening_largest"] == pytest.approx(0.01 * frames)

"""Scoring in the browser: the same faces, probabilities and scores as on the server."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from models.grader import Grader, state_probabilities
from models.looker import Looker
from models.media import open_media
from models.result import summarise
from models.scorer import Scorer

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

SHIPPED = Path(__file__).resolve().parents[2] / "models/bundles/phantom"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE = 120_000
NODE_MODULES = Path(__file__).resolve().parents[2] / "node_modules"
PAGE = "/score/on-device/"

FIND = """async ([base, pictures]) => {
  const { createFinder } = await import("/static/amgs/device/finder.js");
  const finder = await createFinder({ base });
  const found = [];
  for (const { pixels, width, height } of pictures) {
    const data = Uint8ClampedArray.from(atob(pixels), (one) => one.charCodeAt(0));
    found.push(await finder.find(new ImageData(data, width, height)));
  }
  finder.close();
  return found;
}"""


@pytest.fixture(scope="module")
def bundle() -> Any:
    """Return the shipped bundle."""
    return load_bundle(SHIPPED)


def _pixels(image: Any) -> dict[str, Any]:
    height, width, _ = image.shape
    alpha = np.full((height, width, 1), 255, np.uint8)
    data = np.concatenate([image, alpha], axis=2).tobytes()
    return {"pixels": base64.b64encode(data).decode(), "width": width, "height": height}


def _base(page: Any) -> str:
    return page.locator("#device").get_attribute("data-base")


def opened(open_page: Any, **options: Any) -> Any:
    """Open the page with patience: a first look at a graph takes seconds on a busy machine."""
    page = open_page(**options)
    page.set_default_timeout(PATIENCE)
    page.goto(PAGE)
    return page


def test_the_finder_finds_the_faces_that_the_server_finds(shipped, bundle, open_page, phantom_clip):
    finder = Looker.of(bundle).finder
    pictures, faces = [], []
    for seed in (1, 2, 3):
        with open_media(phantom_clip(seed)) as media:
            frame = next(iter(media))
            image = frame.image
        if seed == 3:  # a face that leaves the picture
            image = np.ascontiguousarray(image[:, image.shape[1] // 2 :])
        # Brightness as the device computes it: rounded otherwise, the highest of two neighbouring
        # places in the heat map may be the other one. A film's own plane is compared in the films.
        weights = np.array([65.481, 128.553, 24.966]) / 255
        luma = np.floor(16 + image.astype(np.float64) @ weights + 0.5).astype(np.uint8)
        stored = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)[: image.shape[0]]
        assert np.abs(luma.astype(int) - stored).max() <= 1
        faces.append(finder.find([luma])[0])
        pictures.append(_pixels(image))
    page = opened(open_page)
    found = page.evaluate(FIND, [_base(page), pictures])
    for face, one in zip(faces, found, strict=True):
        assert one["view"] == face.view
        assert one["found"] == (face.confidence >= bundle.crop.minimum_confidence)
        assert one["confidence"] == pytest.approx(face.confidence, abs=0.02)
        assert one["box"] == pytest.approx(face.box, abs=0.3)
        assert one["sharpness"] == pytest.approx(face.sharpness, rel=0.05)
        sides = face.box[2] - face.box[0], face.box[3] - face.box[1]
        assert one["size"] == pytest.approx(min(sides), abs=0.6)
    assert any(one["found"] for one in found), json.dumps(found)


PROBABILITIES = """async ([base, pixels]) => {
  const { Device } = await import("/static/amgs/device/client.js");
  const device = new Device(base);
  const crops = Uint8Array.from(atob(pixels), (one) => one.charCodeAt(0));
  const said = await device.ask("probabilities", { crops });
  device.close();
  return said;
}"""
CROPS = 32
CLOSEST = 1e-3
P95 = 0.05


def phantom_crops(bundle: Any) -> Any:
    """Crops (CROPS, size, size) of rendered faces, as training cuts them."""
    from models.faces import cut
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan, course
    from models.phantom.render import render_face

    looker, found = Looker.of(bundle), []
    for seed in range(1, 5):
        plan = ClipPlan(
            coat=bundle.scale.coats[seed % len(bundle.scale.coats)],
            look=Look(),
            animal=seed,
            pain=(seed % 3) / 2,
            duration_s=0.7,
        )
        for params in list(course(plan, bundle.scale, seed))[: CROPS // 4]:
            picture, _ = render_face(params, bundle.scale)
            luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
            found.append(cut(luma, looker.finder.find([luma])[0].box, bundle.crop))
    return np.stack(found)


def test_probabilities_of_the_same_crops_are_those_of_the_server(shipped, bundle, open_page):
    crops = phantom_crops(bundle)
    assert len(crops) == CROPS
    looker, grader = Looker.of(bundle), Grader.of(bundle)
    grades, scorable, states, *_ = looker._say(crops, np.ones(len(crops), bool))
    page = opened(open_page)
    pixels = base64.b64encode(crops.tobytes()).decode()
    said = page.evaluate(PROBABILITIES, [_base(page), pixels])
    expected = grader.calibrated.probabilities(grades.astype(np.float64))
    for unit, likely in enumerate(expected):
        there = np.array([one["grades"][unit] for one in said])
        assert np.abs(there - likely).max() <= CLOSEST
    seen = grader.calibrated.scorable(scorable.astype(np.float64))
    assert np.abs(np.array([one["scorable"] for one in said]) - seen).max() <= CLOSEST
    awake = state_probabilities(states, grader.told)
    assert np.abs(np.array([one["states"] for one in said]) - awake).max() <= CLOSEST


@pytest.mark.parametrize(
    ("viewport", "name"), [(DESKTOP, "desktop"), (PHONE, "phone")], ids=["desktop", "phone"]
)
def test_a_film_gets_the_scores_that_the_server_gives(
    shipped, bundle, open_page, phantom_clip, picture, score_here, viewport, name
):
    film = phantom_clip(2)
    predictions = list(Scorer(bundle).score(film))
    result = summarise(predictions, bundle.scale, phantom=True)
    page = opened(open_page, viewport=viewport)
    sent = []
    picture(page, f"device-{name}-empty")
    page.on("request", lambda one: sent.append(one) if one.method != "GET" else None)
    told = score_here(page, film)
    picture(page, f"device-{name}")
    assert not sent, "something was sent"
    assert told["origin"]["kind"] == "every frame"
    assert told["origin"]["disclaimer"] == result.disclaimer
    assert "rendered mouse" in told["origin"]["phantom"]
    assert told["origin"]["bundle_digest"] == bundle.digest
    assert told["result"]["score"] == pytest.approx(result.score, abs=P95)
    assert told["result"]["coverage"] == pytest.approx(result.coverage, abs=0.1)
    there = told["predictions"]
    assert [one["time"] for one in there] == pytest.approx(
        [one.time_s for one in predictions], abs=1e-5
    )
    both = [
        abs(one["score"] - other.image_score)
        for one, other in zip(there, predictions, strict=True)
        if one["score"] is not None and other.image_score is not None
    ]
    assert len(both) > len(predictions) / 2
    assert np.quantile(both, 0.95) <= P95
    assert "nothing was sent" in page.locator("#device-result").inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    page.evaluate((NODE_MODULES / "axe-core/axe.min.js").read_text())
    wrong = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not wrong, [(one["id"], one["nodes"][0]["html"]) for one in wrong]


def test_only_pages_that_compute_may_compile_webassembly(shipped, client):
    allowed = client.get(PAGE)["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in allowed
    assert "'unsafe-eval'" not in allowed.replace("'wasm-unsafe-eval'", "")
    assert "wasm-unsafe-eval" not in client.get("/score/")["Content-Security-Policy"]


def test_files_of_the_model_are_kept_for_good_and_of_this_model_only(shipped, client):
    answer = client.get(f"{PAGE}{shipped.digest}/frame.onnx")
    assert "immutable" in answer["Cache-Control"]
    assert b"".join(answer.streaming_content) == (SHIPPED / "frame.onnx").read_bytes()
    assert client.get(f"{PAGE}{shipped.digest}/weights.onnx").status_code == 404
    assert client.get(f"{PAGE}{'0' * 64}/frame.onnx").status_code == 404


def test_no_model_is_handed_out_where_none_may_give_grades(shipped, client, settings):
    settings.ALLOW_PHANTOM = False
    assert client.get(f"{PAGE}{shipped.digest}/frame.onnx").status_code >= 400
    assert "No validated model" in client.get(PAGE).content.decode()

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
from models.looker import Looker
from models.media import open_media

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

SHIPPED = Path(__file__).resolve().parents[2] / "models/bundles/phantom"
PATIENCE = 120_000
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


@pytest.fixture
def shipped(settings, transactional_db) -> Any:
    """Let the shipped bundle serve, as on a demonstration site."""
    from amgs.registry.shipped import register_shipped

    settings.ALLOW_PHANTOM = True
    version = register_shipped(SHIPPED)
    assert version is not None
    return version


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
        yuv = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420) if image.shape[1] % 2 == 0 else None
        luma = yuv[: image.shape[0]] if yuv is not None else frame.luma
        faces.append(finder.find([np.ascontiguousarray(luma)])[0])
        pictures.append(_pixels(image))
    page = opened(open_page)
    found = page.evaluate(FIND, [_base(page), pictures])
    for face, one in zip(faces, found, strict=True):
        assert one["view"] == face.view
        assert one["found"] == (face.confidence >= bundle.crop.minimum_confidence)
        assert one["confidence"] == pytest.approx(face.confidence, abs=0.02)
        assert one["box"] == pytest.approx(face.box, abs=1.5)
        assert one["sharpness"] == pytest.approx(face.sharpness, rel=0.05)
        sides = face.box[2] - face.box[0], face.box[3] - face.box[1]
        assert one["size"] == pytest.approx(min(sides), abs=1.5)
    assert any(one["found"] for one in found), json.dumps(found)

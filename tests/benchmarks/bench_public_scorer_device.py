"""Scoring in the browser beside scoring on the server, with the shipped bundle and one browser.

A plain file server stands for the site: what is measured are the modules of the page, the graphs
and the browser's own decoding.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "platform/amgs/web/static/amgs/device"
VENDOR = {
    "script": "onnxruntime-web/dist/ort.wasm.bundle.min.mjs",
    "wasm": "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm",
    "demuxer": "mediabunny/dist/bundles/mediabunny.min.mjs",
}
CROPS = 32
FILMS = (2, 5)
SECONDS = 2.0
PATIENCE = 300_000

PAGE = """<!doctype html><meta charset="utf-8"><title>Measured</title>
<input type="file" id="file">"""
ASK = """async ([task, pixels]) => {
  const { Device } = await import("/device/client.js");
  const device = (window.device ??= new Device("/base/"));
  if (task === "score") {
    return device.ask("score", { file: document.getElementById("file").files[0] });
  }
  const crops = Uint8Array.from(atob(pixels), (one) => one.charCodeAt(0));
  return device.ask("probabilities", { crops });
}"""


def device() -> Iterator[Row]:
    """Largest difference of a probability, p95 of the image score's, and frames per second."""
    import numpy as np

    from models.bundle import default_bundle
    from models.scorer import Scorer

    bundle = default_bundle()
    scorer = Scorer(bundle)
    with tempfile.TemporaryDirectory() as name, _page(Path(name), bundle) as page:
        crops = _crops(scorer)
        ones = np.ones(len(crops), bool)
        grades = scorer.looker._say(crops, ones)[0].astype(np.float64)
        pixels = base64.b64encode(crops.tobytes()).decode()
        said = page.evaluate(ASK, ["probabilities", pixels])
        apart = [
            float(np.abs(likely - np.array([one["grades"][unit] for one in said])).max())
            for unit, likely in enumerate(scorer.grader.calibrated.probabilities(grades))
        ]
        yield _row("device_probability_difference", max(apart), "probability", "≤ 0.001")
        away: list[float] = []
        frames, seconds = 0, 0.0
        for seed in FILMS:
            film = Path(name) / f"film-{seed}.mp4"
            _film(film, seed)
            page.locator("#file").set_input_files(str(film))
            told = page.evaluate(ASK, ["score", ""])
            frames, seconds = frames + len(told["predictions"]), seconds + told["seconds"]
            for one, other in zip(told["predictions"], scorer.score(film), strict=True):
                if (one["score"] is None) != (other.image_score is None):
                    away.append(2.0)  # graded on one side only: as far apart as scores can be
                elif one["score"] is not None:
                    away.append(abs(one["score"] - other.image_score))
        p95 = float(np.quantile(away, 0.95))
        yield _row("device_score_difference_p95", p95, "image score", "≤ 0.05")
        yield _row("device_frames_per_second", frames / seconds, "frames/s", None)


def _row(name: str, value: float, unit: str, target: str | None) -> Row:
    return {"name": f"public_scorer.{name}", "value": value, "unit": unit, "target": target}


def _film(path: Path, seed: int) -> None:
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    coats = load_scale().coats
    look, coat = Look(), coats[seed % len(coats)]
    plan = ClipPlan(coat=coat, look=look, animal=seed, pain=(seed % 3) / 2, duration_s=SECONDS)
    write_clip(path, plan, seed)


def _crops(scorer: Any) -> Any:
    """Crops (CROPS, size, size) of rendered faces."""
    import cv2
    import numpy as np

    from models.faces import cut
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan, course
    from models.phantom.render import render_face

    scale, found = scorer.bundle.scale, []
    for seed in range(4):
        plan = ClipPlan(
            coat=scale.coats[seed % len(scale.coats)],
            look=Look(),
            animal=seed,
            pain=(seed % 3) / 2,
            duration_s=SECONDS,
        )
        for params in list(course(plan, scale, seed))[: CROPS // 4]:
            luma = cv2.cvtColor(render_face(params, scale)[0], cv2.COLOR_RGB2GRAY)
            box = scorer.looker.finder.find([luma])[0].box
            found.append(cut(luma, box, scorer.bundle.crop))
    return np.stack(found)


class _Files(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the rows are what is read."""


@contextlib.contextmanager
def _page(folder: Path, bundle: Any) -> Iterator[Any]:
    """A page of the browser beside modules, graphs and runtime."""
    from playwright.sync_api import sync_playwright

    from deploy.local_stack import browser as program
    from models.bundle import GRAPHS
    from models.device import device_facts

    site = folder / "site"
    shutil.copytree(MODULES, site / "device")
    (site / "base").mkdir()
    (site / "index.html").write_text(PAGE, encoding="utf-8")
    told = device_facts(bundle) | {"runtime": {}}
    for part, file in VENDOR.items():
        shutil.copy(ROOT / "node_modules" / file, site / "base" / Path(file).name)
        told["runtime"][part] = f"/base/{Path(file).name}"
    (site / "base/device.json").write_text(json.dumps(told), encoding="utf-8")
    for graph in GRAPHS:
        shutil.copy(bundle.path / f"{graph}.onnx", site / "base" / f"{graph}.onnx")
    handler = functools.partial(_Files, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        with sync_playwright() as driver:
            chromium = driver.chromium.launch(
                executable_path=str(program.find()), args=list(program.FLAGS)
            )
            page = chromium.new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(f"http://127.0.0.1:{server.server_port}/")
            yield page
            chromium.close()
        server.shutdown()
        thread.join()

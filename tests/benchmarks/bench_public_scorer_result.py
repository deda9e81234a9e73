"""The page of a result: how smoothly a chart of a long recording is moved and zoomed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
FRAMES = 100_000
SECONDS = 4
# Every picture of the screen the wheel is turned by one step: in and out, left and right by turns.
MOVE = """
async (seconds) => {
  const over = document.querySelector('.u-over');
  const box = over.getBoundingClientRect();
  const turn = (deltaX, deltaY) => over.dispatchEvent(new WheelEvent('wheel', {
    deltaX, deltaY, clientX: box.left + box.width * 0.4, bubbles: true, cancelable: true}));
  const gaps = [];
  let last = null, count = 0;
  const begin = performance.now();
  return await new Promise((done) => {
    const step = (now) => {
      if (last !== null) gaps.push(now - last);
      last = now;
      count += 1;
      const zooming = Math.floor(count / 30) % 2 === 0;
      const there = Math.floor(count / 60) % 2 === 0 ? 1 : -1;
      turn(zooming ? 0 : 25 * there, zooming ? -60 * there : 0);
      if (now - begin < 1000 * seconds) return requestAnimationFrame(step);
      gaps.sort((a, b) => a - b);
      done({fps: 1000 * gaps.length / gaps.reduce((a, b) => a + b, 0),
            p95: gaps[Math.floor(0.95 * gaps.length)]});
    };
    requestAnimationFrame(step);
  });
}
"""


def chart_frames_per_second() -> Iterator[dict[str, Any]]:
    """Pictures a second while a chart of 100,000 frames is moved and zoomed in Chromium.

    All frames of the image score and five units are drawn, not only stretches. The page is that of
    the site, in a window of 1280 × 900. Told beside: the gap between two pictures that 95 % of them
    stay under, and the seconds until the chart has its frames.
    """
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        environment = os.environ | {
            "AMGS_VAR": folder,
            "DJANGO_SETTINGS_MODULE": "amgs.settings.base",
            "LOG_LEVEL": "ERROR",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "platform"))),
        }
        site = subprocess.Popen(
            [sys.executable, str(HERE / "chart_site.py"), str(FRAMES)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            address = site.stdout.readline().strip() if site.stdout else ""
            if not address:
                raise RuntimeError("the site of the chart did not start")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(
                    executable_path="/usr/bin/chromium", args=["--no-sandbox"]
                )
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                page.goto(address)
                page.wait_for_selector(f"#chart[data-frames='{FRAMES}']", timeout=60_000)
                ready = page.evaluate("performance.now() / 1000")
                page.get_by_role("button", name="Every frame").click()
                page.locator("#chart").scroll_into_view_if_needed()
                page.evaluate(MOVE, 1)
                found = page.evaluate(MOVE, SECONDS)
                browser.close()
        finally:
            site.communicate("")
    yield _row("chart_frames_per_second", found["fps"], "≥ 50", "1/s")
    yield _row("chart_frame_gap_p95_ms", found["p95"], None, "ms")
    yield _row("chart_ready_seconds", ready, None, "s")


def _row(name: str, value: float, target: str | None, unit: str) -> dict[str, Any]:
    return {"name": f"public_scorer.{name}", "value": value, "unit": unit, "target": target}

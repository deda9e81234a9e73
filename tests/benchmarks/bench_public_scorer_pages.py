"""The landing page and the score page as a telephone gets them: Lighthouse's marks and the weight.

Lighthouse slows the network and the processor to those of a telephone. A busy machine makes the
mark for performance worse, so the best of three is told; the two other marks and the weight do
not depend on that.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("page_weight.mjs")
PAGES = {"landing": "/", "score_page": "/score/"}
ROUNDS = 3
MARKS = {
    "performance": "≥ 90",
    "accessibility": "= 100",
    "best-practices": "= 100",
}


def pages() -> Iterator[Row]:
    """Lighthouse on both pages of a new site with the shipped model."""
    sys.path.insert(0, str(Path(__file__).parent))
    import upload_site

    with (
        tempfile.TemporaryDirectory(prefix="amgs-bench-") as var,
        upload_site.serve(Path(var)) as site,
    ):
        for name, path in PAGES.items():
            yield from _rows(name, [_looked_at(site.url + path) for _ in range(ROUNDS)])


def _rows(name: str, told: list[dict[str, Any]]) -> Iterator[Row]:
    for mark, target in MARKS.items():
        value = max(one[mark] for one in told)
        if value < 100:
            print(f"{name}, {mark}: {told[0]['failed']}", file=sys.stderr)
        yield {
            "name": f"public_scorer.{name}_{mark.replace('-', '_')}",
            "value": value,
            "unit": "of 100",
            "target": target,
        }
    yield {
        "name": f"public_scorer.{name}_kilobytes",
        "value": max(one["kilobytes"] for one in told),
        "unit": "kB",
        "target": "≤ 150",
    }


def _looked_at(url: str) -> dict[str, Any]:
    browser = os.environ.get("AMGS_BROWSER") or shutil.which("chromium")
    if browser is None:
        raise RuntimeError("Lighthouse needs Chromium; `make test SERVICES=install` installs it")
    environment = os.environ | {"CHROME_PATH": browser}
    answer = subprocess.run(
        ["node", str(SCRIPT), url],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=300,
    )
    return json.loads(answer.stdout.splitlines()[-1])

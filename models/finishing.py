"""From what training left and what the evaluation found to the released bundle.

A training run cannot read the frames it will be judged on, so it leaves a bundle without a report.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from models.bundle import FROM_TRAINING, Bundle, load_bundle, seal
from models.provenance import judged_info
from models.report import model_card
from models.runs import write_json


def finish_bundle(
    trained: Bundle, frames: pd.DataFrame, report: dict[str, Any], page: Path, out: Path
) -> Bundle:
    """Write the bundle with report, page and card to `out` in one step, and return it.

    `frames` are the rows of the manifest that `report` rests on. A bundle that lies at `out` is
    replaced.
    """
    info = judged_info(trained.info, frames)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    for name in FROM_TRAINING:
        shutil.copyfile(trained.path / name, unfinished / name)
    write_json(unfinished / "bundle.json", info)
    text = json.dumps(report, indent=1, ensure_ascii=False)
    (unfinished / "report.json").write_text(text, encoding="utf-8")
    shutil.copyfile(page, unfinished / "report.html")
    card = model_card(info, report, trained.scale, trained.calibration)
    (unfinished / "card.md").write_text(card, encoding="utf-8")
    seal(unfinished)
    shutil.rmtree(out, ignore_errors=True)
    unfinished.replace(out)
    return load_bundle(out)

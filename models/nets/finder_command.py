"""`python -m models finder`: fit a finder by itself, try it on real recordings, draw a sheet."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from models.events import Emit, Refused


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options to the parser of `finder`."""
    parser.add_argument("--config", default="finder", help="a shipped name or a YAML file")
    parser.add_argument("--out", type=Path, required=True, help="a finished one there is kept")
    parser.add_argument("--real", type=Path, help="folder with real material, default: beside us")
    parser.add_argument("--threads", type=int, default=1)


def run(options: argparse.Namespace, emit: Emit) -> int:
    """Fit and try a finder; raises Refused where the folder with real material holds none."""
    import os

    import cv2
    import torch

    from models.config import load_config, to_dict
    from models.data.real import VARIABLE, real_material
    from models.faces import FaceFinder
    from models.nets.finder_fit import finder_digest, fitted_finder, keep_finder, kept_finder
    from models.nets.finder_trial import detections, try_finder
    from models.scale import load_scale

    if options.real is not None:
        os.environ[VARIABLE] = str(options.real)
    folder = real_material()
    if options.real is not None and folder is None:
        raise Refused(f"{options.real} holds no real material; name the folder of the recordings.")
    config, scale, out = load_config(options.config), load_scale(), Path(options.out)
    cv2.setNumThreads(1)
    torch.set_num_threads(options.threads)
    digest, started = finder_digest(config.finder, scale), time.monotonic()

    def told(part: float) -> None:
        emit({"event": "progress", "stage": "finder", "fraction": round(part, 3)})

    if not (out / "finder.onnx").is_file():
        material = folder if config.finder.real else None
        fitted = fitted_finder(config.finder, scale, material, digest, options.threads, told)
        keep_finder(fitted, out)
    fitted = kept_finder(config.finder, scale, out, digest)
    facts: dict[str, Any] = json.loads((out / "facts.json").read_text(encoding="utf-8"))
    if facts["digest"] != digest:
        raise Refused(f"{out} holds another finder; choose another folder.")
    facts["config"] = to_dict(config.finder)
    facts.setdefault("seconds", round(time.monotonic() - started, 1))
    if folder is not None:
        faces = FaceFinder(fitted.graph, config.finder.long_side, scale.landmarks)
        facts["real"] = try_finder(faces, folder, config.crop)
        cv2.imwrite(str(out / "detections.png"), detections(faces, folder, config.crop))
    (out / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    emit({"event": "done", "finder": str(out / "finder.onnx"), **facts})
    return 0

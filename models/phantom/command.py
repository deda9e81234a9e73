"""`python -m models phantom study|clip|sheet`: options and what they do."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from models.phantom.plans import PLANS, study_plan
from models.phantom.sheet import SHEETS, write_contact_sheet
from models.phantom.study import write_study, write_unseen_clip
from models.scale import load_scale


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands to the parser of `phantom`."""
    commands = parser.add_subparsers(dest="phantom", required=True)
    study = commands.add_parser("study", help="render whole studies with metadata and scores")
    study.add_argument("--plan", choices=sorted(PLANS), help="a named study instead of numbers")
    study.add_argument("--labs", type=int, default=3, help="number of labs")
    study.add_argument("--animals", type=int, default=6, help="animals per lab and coat")
    study.add_argument(
        "--coats",
        nargs="+",
        choices=load_scale().coat_keys,
        help="coats of every lab (default: the first two of the scale)",
    )
    study.add_argument("--seconds", type=float, default=10.0, help="length of a clip")
    study.add_argument(
        "--independent",
        type=int,
        help="animals per coat of one more lab that only judges (default: a quarter, 0: none)",
    )
    study.add_argument("--stills", action="store_true", help="also write graded frames as PNG")
    study.add_argument("--processes", type=int, default=1, help="clips rendered at a time")
    clip = commands.add_parser("clip", help="render one clip of an animal that no study holds")
    clip.add_argument("--coat", choices=load_scale().coat_keys)
    sheet = commands.add_parser("sheet", help="draw a contact sheet")
    sheet.add_argument(
        "--kind",
        choices=sorted(SHEETS),
        default="faces",
        help="faces: coats, units, poses; labs: cameras and states",
    )
    for command in (study, clip, sheet):
        command.add_argument("--out", type=Path, required=True, help="folder of the study, or file")
        command.add_argument("--seed", type=int, default=0)


def run(
    options: argparse.Namespace, emit: Callable[[dict[str, object]], None] | None = None
) -> int:
    """Do what the options say; one JSON event per line goes to `emit` (default: stdout)."""
    emit = emit or _print
    if options.phantom == "clip":
        coat = load_scale().coat(options.coat) if options.coat else None
        truth = write_unseen_clip(options.out, options.seed, coat)
        emit({"event": "done", "path": str(options.out), "frames": len(truth)})
        return 0
    if options.phantom == "sheet":
        write_contact_sheet(str(options.out), options.kind)
        emit({"event": "done", "path": str(options.out)})
        return 0
    if options.labs < 1 or options.animals < 1:
        emit({"event": "refused", "sentence": "A study needs at least one lab and one animal."})
        return 3
    if options.seconds < 0.2:
        emit({"event": "refused", "sentence": "A clip needs at least 0.2 seconds."})
        return 3
    scale = load_scale()
    coats = tuple(scale.coat(key) for key in options.coats or ())
    judging = options.animals // 4 if options.independent is None else options.independent
    plan = (
        PLANS[options.plan]()
        if options.plan
        else study_plan(
            options.labs,
            options.animals,
            scale,
            seconds=options.seconds,
            coats=coats,
            independent=judging,
        )
    )
    started = time.monotonic()

    def progress(done: int, total: int) -> None:
        spent = time.monotonic() - started
        emit(
            {
                "event": "progress",
                "stage": "render",
                "fraction": done / total,
                "seconds_left": round(spent / done * (total - done), 1),
                "sentence": f"Rendered {done} of {total} clips.",
            }
        )

    write_study(options.out, plan, options.seed, progress, options.processes, stills=options.stills)
    emit({"event": "done", "path": str(options.out), "labs": len(plan.labs)})
    return 0


def _print(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()

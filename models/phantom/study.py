"""Whole phantom studies on disk: videos, metadata, noisy score sheets, and the truth beside them.

Layout of every lab's folder: `dataset.json` (design and metadata), `videos/r0001.mp4` … under
neutral names in shuffled order, `scores.csv` (one row per graded frame and rater); never part of a
contribution: `truth.csv` (every frame), `evaluation.csv` (eight further raters), `oracle.csv`.
With `stills` the graded frames also lie in `stills/` as PNG. Equal plan and seed give equal files.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from models.phantom.animals import (
    AFTER,
    BASELINE,
    Recording,
    draw_recordings,
    frequent_states,
)
from models.phantom.clip import FrameTruth, write_clip
from models.phantom.looks import LOOKS
from models.phantom.motion import ClipPlan, Stretch
from models.phantom.plans import BRIEF_STATES, LabPlan, StudyPlan
from models.phantom.raters import draw_rater
from models.phantom.tables import panel, truth_columns, truth_row, write_oracle, write_votes
from models.scale import Coat, load_scale

__all__ = ["draw_recordings", "write_study", "write_unseen_clip"]

Progress = Callable[[int, int], None]

# Salts of the random numbers of the sheets and of the evaluation.
SHEET, EVALUATION = 67, 71


@dataclass(frozen=True)
class _Task:
    path: Path
    recording: Recording
    graded: int
    stills: Path | None


@dataclass(frozen=True)
class _Done:
    """The rows of the truth as text, and the truth of the frames that raters see."""

    rows: str
    graded: list[FrameTruth]


def write_study(
    out: Path,
    plan: StudyPlan,
    seed: int,
    progress: Progress | None = None,
    processes: int = 1,
    stills: bool = False,
) -> Path:
    """Render a study into `out` and return it; `progress(done, all)` counts clips.

    Several `processes` render clips at the same time; the files do not depend on their number.
    """
    scale = load_scale()
    out.mkdir(parents=True, exist_ok=True)
    everyone = (*plan.labs, *plan.independent)
    labs = [(lab, draw_recordings(lab, seed + 1000 * n, scale)) for n, lab in enumerate(everyone)]
    total = sum(len(recordings) for _, recordings in labs)
    tasks = []
    for lab, recordings in labs:
        folder = out / lab.key
        (folder / "videos").mkdir(parents=True, exist_ok=True)
        if stills:
            (folder / "stills").mkdir(exist_ok=True)
        tasks += [
            _Task(
                folder / one.file, one, lab.graded_per_clip, folder / "stills" if stills else None
            )
            for one in recordings
        ]
    with _rendering(tasks, processes) as done:
        finished = 0
        for n, (lab, recordings) in enumerate(labs):
            folder = out / lab.key
            graded = []
            with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as file:
                file.write(",".join(truth_columns(scale)) + "\n")
                for one in recordings:
                    result = next(done)
                    file.write(result.rows)
                    graded.append((_sheet_name(one), one.seed, result.graded))
                    finished += 1
                    if progress:
                        progress(finished, total)
            _write_json(folder / "dataset.json", describe(lab, recordings))
            raters = [
                draw_rater(f"rater-{r + 1}", (seed + 1000 * n) * 10 + r, lab.rater_bias, scale)
                for r in range(lab.raters)
            ]
            write_votes(folder / "scores.csv", graded, raters, scale, SHEET)
            write_votes(
                folder / "evaluation.csv", graded, panel(seed + 1000 * n, scale), scale, EVALUATION
            )
            write_oracle(folder / "oracle.csv", graded, scale)
    _write_json(
        out / "study.json",
        {
            "phantom": True,
            "plan": plan.name,
            "seed": seed,
            "scale": {"name": scale.name, "version": scale.version},
            "labs": [lab.key for lab in plan.labs],
            "independent": [lab.key for lab in plan.independent],
        },
    )
    return out


def write_unseen_clip(path: Path, seed: int, coat: Coat | None = None) -> list[FrameTruth]:
    """An 8-second clip of an animal no study holds: in pain and awake, with a stretch of each of
    the three most frequent other states."""
    scale = load_scale()
    others = frequent_states(scale, BRIEF_STATES)
    seconds = 8.0
    # Equal turns: awake, state, awake, state, …, awake.
    turn = seconds / (2 * len(others) + 1)
    stretches = tuple(
        Stretch(state, (2 * n + 1) * turn, (2 * n + 2) * turn) for n, state in enumerate(others)
    )
    plan = ClipPlan(
        coat=coat or scale.coats[0],
        look=replace(LOOKS[0], light=(-0.2, -0.7, 0.7)),
        animal=900_000 + seed,
        pain=0.70,
        duration_s=seconds,
        fps=15,
        stretches=stretches,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_clip(path, plan, seed, scale)


def describe(lab: LabPlan, recordings: list[Recording]) -> dict[str, Any]:
    """The content of `dataset.json`."""
    animals = sorted({one.animal.name: one.animal for one in recordings}.items())
    hours = {BASELINE: -24.0, AFTER: lab.after_hours}
    return {
        "title": lab.title,
        "description": lab.description,
        "phantom": True,
        "licence": "CC0-1.0",
        "metadata": dict(lab.metadata),
        "groups": [
            {"name": group.name, "treatment": dict(group.treatment)} for group in lab.groups
        ],
        "animals": [
            {
                "name": name,
                "group": animal.group.name,
                "cage": animal.cage,
                "sex": animal.sex,
                "strain": animal.coat.strain,
                "coat": animal.coat.key,
                "age_weeks": animal.age_weeks,
            }
            for name, animal in animals
        ],
        "observations": [
            {"animal": name, "name": when, "hours_after_procedure": hours[when]}
            for name, _ in animals
            for when in (BASELINE, AFTER)
        ],
        "recordings": [
            {"file": one.file, "animal": one.animal.name, "observation": one.observation}
            for one in recordings
        ],
        "permissions": {
            "outside_raters": True,
            "train": True,
            "show_frames": True,
            "download": True,
        },
        "right_to_share": True,
        "ethics": "Rendered pictures: no animal was used and no approval was needed.",
        "funder": "none",
    }


@contextmanager
def _rendering(tasks: list[_Task], processes: int) -> Iterator[Iterator[_Done]]:
    """The results of the tasks in their order, rendered by several processes."""
    if processes <= 1:
        yield map(_render, tasks)
        return
    # Spawned, because forking a process that has run threads may hang.
    with ProcessPoolExecutor(processes, get_context("spawn"), _single_threaded) as pool:
        yield pool.map(_render, tasks, chunksize=4)


def _single_threaded() -> None:
    cv2.setNumThreads(1)


def _render(task: _Task) -> _Done:
    scale = load_scale()
    one = task.recording
    truth = write_clip(task.path, one.plan, one.seed, scale)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for frame in truth:
        writer.writerow(truth_row(_sheet_name(one), frame, scale))
    rng = np.random.default_rng([one.seed, 59])
    count = min(task.graded, len(truth))
    chosen = sorted(int(i) for i in rng.choice(len(truth), count, replace=False))
    if task.stills is not None:
        _write_stills(task.path, task.stills, set(chosen))
    return _Done(text.getvalue(), [truth[i] for i in chosen])


def _write_stills(video: Path, folder: Path, chosen: set[int]) -> None:
    # From the file, so that a still shows what the video shows.
    with av.open(str(video)) as container:
        for n, frame in enumerate(container.decode(video=0)):
            if n in chosen:
                target = folder / f"{video.stem}_f{n:04d}.png"
                if not cv2.imwrite(str(target), frame.to_ndarray(format="bgr24")):
                    raise OSError(f"The still {target.name} cannot be written; is the disk full?")


def _sheet_name(one: Recording) -> str:
    return Path(one.file).name


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

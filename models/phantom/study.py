"""Whole phantom studies on disk: videos, metadata, noisy score sheets, and the truth beside them.

Layout of every lab's folder: `dataset.json` (design and metadata), `videos/r0001.mp4` … under
neutral names in shuffled order, `scores.csv` (one row per frame and rater), `truth.csv` (never
part of a contribution). Equal plan and seed give equal files.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.phantom.clip import FrameTruth, write_clip
from models.phantom.motion import ClipPlan, Stretch
from models.phantom.plans import BASELINE_PAIN, LOOKS, GroupPlan, LabPlan, StudyPlan
from models.phantom.raters import Rater, draw_rater, rate
from models.records import Vote
from models.scale import Coat, Scale, State, load_scale

Progress = Callable[[int, int], None]

BASELINE, AFTER = "baseline", "after"
NOT_SCORABLE = "9"
REASON_COLUMN = "reason"


@dataclass(frozen=True)
class Animal:
    """An animal of a study; `seed` is its face."""

    name: str
    coat: Coat
    sex: str
    cage: str
    group: GroupPlan
    age_weeks: int
    seed: int


@dataclass(frozen=True)
class Recording:
    """A clip of one animal at one observation, under its neutral file name."""

    file: str
    animal: Animal
    observation: str
    plan: ClipPlan
    seed: int


def write_study(
    out: Path,
    plan: StudyPlan,
    seed: int,
    progress: Progress | None = None,
    processes: int = 1,
) -> Path:
    """Render a study into `out` and return it; `progress(done, all)` counts clips.

    Several `processes` render clips at the same time; the files do not depend on their number.
    """
    scale = load_scale()
    out.mkdir(parents=True, exist_ok=True)
    labs = [(lab, draw_recordings(lab, seed + 1000 * n, scale)) for n, lab in enumerate(plan.labs)]
    total = sum(len(recordings) for _, recordings in labs)
    for lab, _ in labs:
        (out / lab.key / "videos").mkdir(parents=True, exist_ok=True)
    tasks = [(out / lab.key / one.file, one) for lab, recordings in labs for one in recordings]
    truths: list[list[FrameTruth]] = []
    for truth in _rendered(tasks, processes):
        truths.append(truth)
        if progress:
            progress(len(truths), total)
    start = 0
    for n, (lab, recordings) in enumerate(labs):
        mine = truths[start : start + len(recordings)]
        start += len(recordings)
        folder = out / lab.key
        _write_json(folder / "dataset.json", describe(lab, recordings))
        write_truth(folder / "truth.csv", recordings, mine, scale)
        _write_scores(folder / "scores.csv", lab, recordings, mine, seed + 1000 * n, scale)
    _write_json(
        out / "study.json",
        {
            "phantom": True,
            "plan": plan.name,
            "seed": seed,
            "scale": {"name": scale.name, "version": scale.version},
            "labs": [lab.key for lab in plan.labs],
        },
    )
    return out


def write_unseen_clip(path: Path, seed: int, coat: Coat | None = None) -> list[FrameTruth]:
    """An 8-second clip of an animal no study holds: in pain and awake, with a stretch of every
    other rendered state."""
    scale = load_scale()
    others = [state for state in scale.states if state.shown and not state.graded]
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


def draw_recordings(lab: LabPlan, seed: int, scale: Scale) -> list[Recording]:
    """The animals of a lab and their clips, shuffled so that file names tell nothing."""
    rng = np.random.default_rng([seed, 53])
    animals = _draw_animals(lab, rng, seed)
    pairs = [(animal, when) for animal in animals for when in (BASELINE, AFTER)]
    rng.shuffle(pairs)
    recordings = []
    for n, (animal, when) in enumerate(pairs, start=1):
        level = BASELINE_PAIN if when == BASELINE else animal.group.pain
        plan = ClipPlan(
            coat=animal.coat,
            look=lab.look,
            animal=animal.seed,
            pain=float(np.clip(level * rng.normal(1.0, 0.18), 0.0, 0.95)),
            duration_s=lab.clip_s,
            fps=lab.fps,
            size=lab.size,
            stretches=_draw_stretches(lab, rng, scale),
        )
        recordings.append(Recording(f"videos/r{n:04d}.mp4", animal, when, plan, seed + n))
    return recordings


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
        "ethics": "Rendered pictures: no animal was used and no approval was needed.",
        "funder": "none",
    }


def write_truth(
    path: Path,
    recordings: Iterable[Recording],
    truths: Iterable[list[FrameTruth]],
    scale: Scale,
) -> None:
    """Write what is true of every frame: state, intensities, what is scorable, the face box."""
    units = scale.unit_keys
    box = ["box_x0", "box_y0", "box_x1", "box_y1"]
    columns = ["file", "frame", "time_s", "state"]
    columns += [f"{unit}_{what}" for unit in units for what in ("intensity", "scorable")] + box
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        for one, truth in zip(recordings, truths, strict=True):
            for frame in truth:
                face = frame.face
                row: list[str | int] = [_sheet_name(one), frame.frame, f"{frame.time_s:.4f}"]
                row.append(face.state)
                for unit in units:
                    row.append(f"{face.intensities[unit]:.3f}")
                    row.append(int(unit not in face.not_scorable))
                writer.writerow([*row, *(f"{edge:.1f}" for edge in face.box)])


def _draw_animals(lab: LabPlan, rng: np.random.Generator, seed: int) -> list[Animal]:
    animals: list[Animal] = []
    for coat in lab.coats:
        for n in range(lab.animals_per_coat):
            number = len(animals) + 1
            animals.append(
                Animal(
                    name=f"m{number:02d}",
                    coat=coat,
                    sex=("female", "male")[n % 2],
                    # Two sexes never share a cage, nor do two coats.
                    cage=f"{coat.strain} {('f', 'm')[n % 2]}{n // 6 + 1}",
                    group=lab.groups[(n // 2) % len(lab.groups)],
                    age_weeks=int(rng.integers(8, 15)),
                    seed=seed * 100 + number,
                )
            )
    return animals


def _draw_stretches(lab: LabPlan, rng: np.random.Generator, scale: Scale) -> tuple[Stretch, ...]:
    others: list[State] = [s for s in scale.states if s.shown and not s.graded]
    if rng.uniform() >= lab.restless:
        return ()
    shares = np.array([s.shown.share if s.shown else 0.0 for s in others])
    state = others[int(rng.choice(len(others), p=shares / shares.sum()))]
    length = float(rng.uniform(0.30, 0.55)) * lab.clip_s
    start = float(rng.choice([0.0, lab.clip_s - length, rng.uniform(0, lab.clip_s - length)]))
    return (Stretch(state, start, start + length),)


def _rendered(tasks: list[tuple[Path, Recording]], processes: int) -> Iterator[list[FrameTruth]]:
    if processes <= 1:
        yield from map(_render, tasks)
        return
    # Spawned, because forking a process that has run threads may hang.
    with ProcessPoolExecutor(processes, get_context("spawn"), _single_threaded) as pool:
        yield from pool.map(_render, tasks, chunksize=4)


def _single_threaded() -> None:
    cv2.setNumThreads(1)


def _render(task: tuple[Path, Recording]) -> list[FrameTruth]:
    path, one = task
    return write_clip(path, one.plan, one.seed)


def _write_scores(
    path: Path,
    lab: LabPlan,
    recordings: list[Recording],
    truths: list[list[FrameTruth]],
    seed: int,
    scale: Scale,
) -> None:
    raters = [
        draw_rater(f"rater-{n + 1}", seed * 10 + n, lab.rater_bias, scale)
        for n in range(lab.raters)
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["file", "frame", "rater", *scale.unit_keys, REASON_COLUMN])
        for one, truth in zip(recordings, truths, strict=True):
            rng = np.random.default_rng([one.seed, 67])
            count = min(lab.graded_per_clip, len(truth))
            chosen = sorted(int(i) for i in rng.choice(len(truth), count, replace=False))
            for index in chosen:
                for rater in raters:
                    writer.writerow(
                        [_sheet_name(one), index, *_row(truth[index], rater, rng, scale)]
                    )


def _row(truth: FrameTruth, rater: Rater, rng: np.random.Generator, scale: Scale) -> list[str]:
    votes: list[Vote] = rate(truth.face, rater, rng, scale)
    cells = [NOT_SCORABLE if vote.grade is None else str(vote.grade) for vote in votes]
    # A sheet has room for one reason per row: the most frequent one.
    reasons = Counter(vote.reason for vote in votes if vote.reason)
    return [rater.name, *cells, reasons.most_common(1)[0][0] if reasons else ""]


def _sheet_name(one: Recording) -> str:
    return Path(one.file).name


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

"""The scorer: speed, memory, cold start, graphs against networks, training, real recordings.

Ratios are medians over interleaved rounds, so that a busy machine slows all sides of each. The
films show a rendered mouse whose face is found in every frame: a film without one would be cheap.
The bundle is the shipped one; where none is shipped, ``AMGS_BENCH_BUNDLE`` names a folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[2]
BUNDLE = "AMGS_BENCH_BUNDLE"
ROUNDS = 7
SECONDS, RENDERED_S = 20, 5
RATE = 30
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
SPEED = {("720p", 15): 0.85, ("1080p", 15): 0.8, ("720p", 1): 0.7}
"""Films and the least speed of scoring, as a share of FFmpeg's."""
COST = {15: 1.25, 1: 1.6}
"""Most CPU time of scoring per megabit rate, as a multiple of that of reading alone."""
CROPS = 1_000
STARTS = 5

COLD_START = """
import sys
from models.bundle import load_bundle
from models.scorer import Scorer
Scorer(load_bundle(sys.argv[1]))
print("torch" in sys.modules)
"""
# The peak of this process alone: what the system tells of a child counts its parent's, too.
PEAK = """
import re, sys
from models.__main__ import main
status = main(sys.argv[1:])
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())
print(f"peak {peak[1]}")
sys.exit(status)
"""


def speed() -> Iterator[Row]:
    """Reading alone and scoring with results written, each beside ``ffmpeg -f null``.

    FFmpeg decodes with two threads. The CPU time of scoring is compared with that of reading.
    """
    for (size, mbit), least in SPEED.items():
        film, name = _film(size, mbit), f"{size}_{mbit}mbit"
        spent = _rounds(
            {
                "ffmpeg": functools.partial(_ffmpeg, film),
                "read": functools.partial(_read, film),
                "score": functools.partial(_score, film),
            }
        )
        yield _row(f"decode_ratio_{name}", spent("ffmpeg", "read", 0), "× ffmpeg", "≥ 0.9")
        cost = spent("read", "ffmpeg", 1)
        yield _row(f"decode_cpu_ratio_{name}", cost, "× ffmpeg's CPU time", "≤ 1.1")
        yield _row(f"ratio_{name}", spent("ffmpeg", "score", 0), "× ffmpeg", f"≥ {least}")
        cost, most = spent("score", "read", 1), COST[mbit]
        yield _row(f"cpu_ratio_{name}", cost, "× CPU time of reading alone", f"≤ {most}")


def memory() -> Iterator[Row]:
    """Peak of `python -m models score`, and how much more of it a four times longer film takes.

    Twenty minutes are among the long figures.
    """
    peaks = {minutes: _peak_mib(_long_film("720p", 1, minutes)) for minutes in (1, 4)}
    growth = peaks[4] - peaks[1]
    yield _row("memory_growth_1_to_4_minutes_720p", growth, "MiB", "≤ 30")
    yield _row("memory_peak_720p", peaks[4], "MiB", "≤ 450")
    peak = _peak_mib(_film("1080p", 15))
    yield _row("memory_peak_1080p", peak, "MiB", "≤ 450")


def cold_start() -> Iterator[Row]:
    """From the start of Python until a `Scorer` is ready, median of several processes."""
    seconds, torch = [], 0
    for _ in range(STARTS + 1):
        started = time.perf_counter()
        said = _python(COLD_START, _bundle())
        seconds.append(time.perf_counter() - started)
        torch += said.strip() == "True"
    yield _row("cold_start_seconds", median(seconds[1:]), "s", "≤ 1.5")
    yield _row("cold_start_torch_imported", torch, "processes", "= 0")


def graphs_against_networks() -> Iterator[Row]:
    """Largest difference of a probability of a grade between ONNX Runtime and PyTorch."""
    import numpy as np
    import torch

    from models import zoo
    from models.bundle import load_bundle
    from models.calibration import Calibrated
    from models.looker import Looker, whole
    from models.nets.export import load_weights
    from models.scorer import Scorer

    bundle = load_bundle(_bundle())
    calibrated = Calibrated(bundle.calibration, bundle.scale)

    def apart(one: Any, other: Any) -> float:
        pairs = zip(calibrated.probabilities(one), calibrated.probabilities(other), strict=True)
        return 1e6 * max(float(np.abs(left - right).max()) for left, right in pairs)

    crops = _crops(64, bundle.crop).astype(np.float32)[:, None] / np.float32(255)
    with torch.no_grad():
        said = zoo.trained_frame_net(bundle)(torch.from_numpy(crops)).grades.double().numpy()
    looker = Looker.of(bundle)
    told = looker.frame.run(["grades"], {"crops": crops})[0].astype(np.float64)
    yield _row("onnx_to_torch_frame", apart(told, said), "millionths", "≤ 100")

    net = zoo.temporal_net(bundle.config.temporal, bundle.scale, bundle.config.net.widths[-1])
    load_weights(bundle.path / "weights.safetensors", "temporal", net)
    net.eval()
    seen = whole(looker.blocks(_rendered()))
    session = Scorer(bundle).context.session

    def network(**given: Any) -> list[Any]:
        with torch.no_grad():
            answers = net(**{name: torch.from_numpy(value) for name, value in given.items()})
        return [answer.numpy() for answer in answers]

    both = []
    for run in (lambda given: session.run(None, given), lambda given: network(**given)):
        context = Scorer(bundle).context
        context.session = _Running(run)  # type: ignore[assignment]
        both.append(context.at(seen.times, seen.rows, np.arange(len(seen))).grades)
    told, said = (grades.astype(np.float64) for grades in both)
    yield _row("onnx_to_torch_temporal", apart(told, said), "millionths", "≤ 100")


@dataclasses.dataclass
class _Running:
    """What looks like a session and answers by a function."""

    answer: Callable[[dict[str, Any]], list[Any]]

    def run(self, names: None, given: dict[str, Any]) -> list[Any]:
        return self.answer(given)


def training() -> Iterator[Row]:
    """An epoch of the shipped recipe on crops of a memory-mapped store; the second one counts."""
    import numpy as np
    import torch

    from models.config import load_config
    from models.data.crops import crop_type
    from models.data.stream import CropModule, Labelled
    from models.events import Progress, silent
    from models.module import FrameModule
    from models.nets.fitting import fit
    from models.scale import load_scale

    scale, config = load_scale(), load_config("shipped")
    config = dataclasses.replace(
        config, fit=dataclasses.replace(config.fit, epochs=2, checkpoint_every=10_000)
    )
    folder = Path(_folder().name) / "training"
    folder.mkdir()
    kept = np.zeros(CROPS, crop_type(config.crop.size, len(scale.landmarks)))
    some = _crops(50, config.crop)
    kept["crop"] = some[np.arange(CROPS) % len(some)]
    np.save(folder / "store.npy", kept)
    store = np.load(folder / "store.npy", mmap_mode="r")
    rng = np.random.default_rng(1)
    units, steps = len(scale.units), max(unit.top_grade for unit in scale.units)
    above = np.sort(rng.random((CROPS, units, steps)))[..., ::-1].copy()
    states = np.eye(len(scale.states))[np.zeros(CROPS, np.int64)]
    places = rng.uniform(0.2, 0.8, (CROPS, len(scale.landmarks), 2))
    labelled = Labelled(store["crop"], above, np.ones((CROPS, units)), states, places=places)
    nobody = Labelled(store["crop"][:0], above[:0], np.ones((0, units)), states[:0])
    torch.set_num_threads(config.threads)
    torch.manual_seed(1)
    data = CropModule(labelled, nobody, some[:, ::-1].copy(), config.fit, 1, sides=scale.mirror)
    share, rarity = torch.full((units, steps), 0.5), torch.ones(len(scale.states))
    module = FrameModule(config, scale, share, rarity, data.total_steps)
    ends: list[float] = []

    def told(event: dict[str, Any]) -> None:
        if event["event"] == "metrics":
            ends.append(time.perf_counter())

    fit(module, data, folder / "checkpoints", None, Progress(silent, {"fit": 1.0}), told)
    trained = CROPS // config.fit.batch * config.fit.batch
    seconds = (ends[1] - ends[0]) * 10_000 / trained
    name = f"training_epoch_of_10000_crops_from_{CROPS}"
    yield _row(name, seconds, f"s ({CROPS:,} crops, times {10_000 // CROPS})", "≤ 60")


def real_material() -> Iterator[Row]:
    """The bundle's finder and eye reader on the real recordings, where they are there."""
    from models.bundle import load_bundle
    from models.data import real
    from models.data.eye_figures import real_figures
    from models.faces import FaceFinder
    from models.nets.finder_trial import try_finder

    material = real.real_material()
    if material is None:
        sys.stdout.write("  left out: there is no folder with real recordings beside the project\n")
        return
    bundle = load_bundle(_bundle())
    finder = FaceFinder(
        bundle.path / "finder.onnx", bundle.config.finder.long_side, bundle.scale.landmarks
    )
    tried = try_finder(finder, material, bundle.crop)
    held, film = tried["held_out_stills"], tried["whole_profile_film"]
    yield _row("real_stills_found", held["recalled"], f"of {held['n']} stills", "≥ 38")
    # Found: overlap of 0.5 or more; noticed: the middle of the box lies in the marked head.
    yield _row("real_profile_film_found", film["recalled"], f"of {film['n']} frames", "≥ 38")
    yield _row("real_profile_film_noticed", film["noticed"], f"of {film['n']} frames", "≥ 38")
    for kind, path in (("eye_closeups", "eye-closeups"), ("odd_videos", "videos-odd")):
        n, graded = _graded(tried["faceless"], path)
        yield _row(f"real_{kind}_graded", graded, f"of {n} frames", "= 0")
    n, graded = _graded(tried["faceless"], real.FILM)
    yield _row("real_treadmill_graded", 100 * graded / n, f"% of {n} frames", "≤ 1")
    read = real_figures(bundle.path / "eyes.onnx", material)
    eyes, shut = read["stills"], read["shut"]
    error = 100 * eyes["landmark_error_median"]
    yield _row("real_eye_landmark_error_median", error, "% of eye width", "≤ 3")
    for name, target in (("mae", "≤ 0.03"), ("bias", "≤ 0.01")):
        baseline = f"height ÷ width (a constant: {eyes[f'constant_{name}']:.4f})"
        yield _row(f"real_eye_opening_{name}", abs(eyes[f"opening_{name}"]), baseline, target)
    yield _row("real_shut_eye_below_open_ones", 100 * shut["below"], "% of readings", "≥ 95")


def _peak_mib(film: Path) -> float:
    """Peak resident memory in MiB of a process that scores a film."""
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as out:
        said = _python(PEAK, "score", film, "--out", out, "--bundle", _bundle())
    return int(said.split("peak ")[1]) / 1024


def _graded(faceless: dict[str, dict[str, dict[str, Any]]], path: str) -> tuple[int, int]:
    """Frames, and how many of them would be graded, of the recordings under a path."""
    rows = [row for part in faceless.values() for name, row in part.items() if path in name]
    return sum(row["n"] for row in rows), sum(row["graded"] for row in rows)


def _row(name: str, value: float, unit: str, target: str) -> Row:
    return {"name": f"scorer.{name}", "value": value, "unit": unit, "target": target}


def _rounds(works: dict[str, Callable[[], int]]) -> Callable[[str, str, int], float]:
    """Measure works in turn; the answer gives the median of one ÷ other, wall (0) or CPU (1)."""
    frames = {work() for work in works.values()}  # warms the page cache
    if len(frames) != 1:
        raise RuntimeError(f"not all read the same number of frames: {sorted(frames)}")
    spent: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(ROUNDS):
        for name in list(works) if number % 2 == 0 else reversed(list(works)):
            spent[name].append(_timed(works[name]))

    def ratio(one: str, other: str, clock: int) -> float:
        pairs = zip(spent[one], spent[other], strict=True)
        return median(top[clock] / bottom[clock] for top, bottom in pairs)

    return ratio


def _timed(work: Callable[[], int]) -> tuple[float, float]:
    """Wall and CPU seconds, those of children included."""
    cpu, wall = sum(os.times()[:4]), time.perf_counter()
    work()
    return time.perf_counter() - wall, sum(os.times()[:4]) - cpu


def _read(film: Path) -> int:
    """Read a film as the scorer does, look at a thinned luma plane; the number of frames."""
    from models.media import decoded_ahead, open_media

    count = 0
    with open_media(film, threads=2) as media, contextlib.closing(decoded_ahead(media)) as frames:
        for frame in frames:
            frame.luma[::4, ::4].copy()
            count += 1
    return count


def _score(film: Path) -> int:
    """Score a film as `python -m models score` does; the number of frames."""
    from models.scoring import score_one

    scorer = _scorer()
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as out:
        outcome = score_one(scorer, film, Path(out))
    if outcome["graded"] < 0.5 * outcome["frames"]:
        raise RuntimeError(f"too few frames show a face: {outcome['sentence']}")
    return int(outcome["frames"])


def _ffmpeg(film: Path) -> int:
    """Decode a film with FFmpeg's own program and throw the pictures away."""
    command = ["ffmpeg", "-v", "error", "-threads", "2", "-i", str(film), "-f", "null", "-"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return SECONDS * RATE


def _python(program: str, *arguments: object) -> str:
    """What a fresh process of Python says."""
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@functools.cache
def _bundle() -> Path:
    """The shipped bundle, else the one that the environment names."""
    from models.bundle import BundleError, default_bundle

    try:
        return default_bundle().path
    except BundleError:
        if BUNDLE not in os.environ:
            raise
    return Path(os.environ[BUNDLE])


@functools.cache
def _scorer() -> Any:
    from models.bundle import load_bundle
    from models.scorer import Scorer

    return Scorer(load_bundle(_bundle()))


def _crops(count: int, crop: Any) -> Any:
    """Crops (count, size, size) of rendered faces, as the truth places them."""
    import cv2
    import numpy as np

    from models.faces import cut

    crops = [
        cut(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), truth.face.box, crop)
        for picture, truth in _pictures(count / RATE, (320, 240))
    ]
    return np.stack(crops)


def _pictures(seconds: float, size: tuple[int, int]) -> Iterator[tuple[Any, Any]]:
    from models.phantom.clip import frames

    return frames(_plan(seconds, size), 3)


def _plan(seconds: float, size: tuple[int, int]) -> Any:
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    coat = load_scale().coats[0]
    return ClipPlan(coat, Look(quality=16), 7, 0.4, duration_s=seconds, fps=RATE, size=size)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Folder that the figures of one run share; it goes away with the interpreter."""
    return tempfile.TemporaryDirectory(prefix="amgs-bench-")


@functools.cache
def _rendered() -> Path:
    """A few seconds of a rendered mouse."""
    from models.phantom.clip import write_clip

    path = Path(_folder().name) / "rendered.mp4"
    write_clip(path, _plan(RENDERED_S, (640, 360)), 3)
    return path


@functools.cache
def _film(size: str, mbit: int) -> Path:
    """A rendered mouse, enlarged and noisy, as H.264 with B-frames at 30 frames per second."""
    if shutil.which("ffmpeg") is None:
        raise RuntimeError("the program ffmpeg is not installed: there is nothing to compare with")
    width, height = SIZES[size]
    path = Path(_folder().name) / f"{size}-{mbit}.mp4"
    bits = ["-b:v", f"{mbit}M", "-maxrate", f"{mbit}M", "-bufsize", f"{mbit}M"]
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-stream_loop", str(SECONDS // RENDERED_S - 1)),
            *("-i", str(_rendered())),
            *("-vf", f"scale={width}:{height}:flags=bicubic,noise=alls=12:allf=t+u:all_seed=7"),
            *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
            *("-bf", "2", "-g", "250", *bits, str(path)),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path


@functools.cache
def _long_film(size: str, mbit: int, minutes: int) -> Path:
    """The film again and again, without another encoding."""
    path = Path(_folder().name) / f"{size}-{mbit}-{minutes}min.mp4"
    again = ["-stream_loop", str(minutes * 60 // SECONDS - 1), "-i", str(_film(size, mbit))]
    subprocess.run(
        ["ffmpeg", "-v", "error", *again, "-c", "copy", str(path)],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path

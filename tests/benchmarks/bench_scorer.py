"""The scorer's speed; this part: how near its reader comes to FFmpeg alone.

Ratios are medians over interleaved pairs, so that a busy machine slows both sides of each.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

PAIRS = 7
SECONDS = 20
RATE = 30
SIZES = {"720p": (1280, 720), "1080p": (1920, 1080)}
MBITS = (15, 1)


def decoding() -> Iterator[dict[str, Any]]:
    """Frames per second read ahead, luma touched, ÷ ``ffmpeg -f null`` with as many threads."""
    for size in SIZES:
        for mbit in MBITS:
            film = _film(size, mbit)
            ratio, cpu = _compared(lambda film=film: _read(film), lambda film=film: _ffmpeg(film))
            name = f"{size}_{mbit}mbit"
            yield {
                "name": f"scorer.decode_ratio_{name}",
                "value": ratio,
                "unit": "× ffmpeg",
                "target": "≥ 0.9",
            }
            yield {
                "name": f"scorer.decode_cpu_ratio_{name}",
                "value": cpu,
                "unit": "× ffmpeg's CPU time",
                "target": "≤ 1.1",
            }


def _compared(ours: Callable[[], int], theirs: Callable[[], int]) -> tuple[float, float]:
    """Median speed and median CPU time of ours ÷ theirs, over pairs in alternating order."""
    frames = {ours(), theirs()}  # both warm the page cache
    if len(frames) != 1:
        raise RuntimeError(f"the two do not read the same number of frames: {sorted(frames)}")
    speeds, costs = [], []
    for pair in range(PAIRS):
        order = (ours, theirs) if pair % 2 == 0 else (theirs, ours)
        taken = {work: _timed(work) for work in order}
        speeds.append(taken[theirs][0] / taken[ours][0])
        costs.append(taken[ours][1] / taken[theirs][1])
    return median(speeds), median(costs)


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


def _ffmpeg(film: Path) -> int:
    """Decode a film with FFmpeg's own program and throw the pictures away."""
    command = ["ffmpeg", "-v", "error", "-threads", "2", "-i", str(film), "-f", "null", "-"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return SECONDS * RATE


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Folder that the figures of one run share; it goes away with the interpreter."""
    return tempfile.TemporaryDirectory(prefix="amgs-bench-")


@functools.cache
def _film(size: str, mbit: int) -> Path:
    """A noisy moving test film, H.264 with B-frames at 30 frames per second."""
    if shutil.which("ffmpeg") is None:
        raise RuntimeError("the program ffmpeg is not installed: there is nothing to compare with")
    width, height = SIZES[size]
    path = Path(_folder().name) / f"{size}-{mbit}.mp4"
    picture = f"testsrc2=size={width}x{height}:rate={RATE}:duration={SECONDS}"
    bits = ["-b:v", f"{mbit}M", "-maxrate", f"{mbit}M", "-bufsize", f"{mbit}M"]
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-f", "lavfi"),
            *("-i", f"{picture},noise=alls=12:allf=t+u:all_seed=7"),
            *("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p"),
            *("-bf", "2", "-g", "250", *bits, str(path)),
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )
    return path

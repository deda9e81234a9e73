"""Tiny films written on the spot, with known pictures and timestamps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.priority import same_priority

DATA = Path(__file__).parents[4] / "shared" / "data"
MILLISECONDS = Fraction(1, 1000)
# One thread an encoder: on busy cores, pools of them have waited for themselves for ever.
ALONE = "log-level=none:pools=none:frame-threads=1"
USUAL = {
    "libx264": {"bf": "2", "g": "12", "crf": "10"},
    "libsvtav1": {"preset": "10", "svtav1-params": "lp=1"},
}

FilmWriter = Callable[..., Path]


def level(number: int) -> int:
    """The brightness of the n-th picture of a film."""
    return 30 + 14 * (number % 15)


def picture(number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """The n-th picture, RGB: one grey with a darker patch that wanders."""
    made = np.full((size[1], size[0], 3), level(number), np.uint8)
    left = number * 5 % (size[0] - 8)
    made[8:16, left : left + 8] = level(number) // 2
    return made


def write_film(
    path: Path,
    pts: Sequence[int],
    codec: str = "libx264",
    *,
    size: tuple[int, int] = (64, 48),
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    muxer: dict[str, str] | None = None,
    time_base: Fraction = MILLISECONDS,
    tags: dict[str, str] | None = None,
) -> Path:
    """Write a video whose n-th frame is `picture(n)` at the n-th of these timestamps.

    H.264 has two B-frames between others and a key frame every 12 frames unless `options` differ.
    """
    with same_priority(), av.open(str(path), "w", options=muxer or {}) as container:
        container.metadata.update(tags or {})
        chosen = {**USUAL.get(codec, {}), **(options or {})}
        if codec == "libx265":
            chosen["x265-params"] = ":".join(filter(None, (ALONE, chosen.get("x265-params"))))
        stream = container.add_stream(codec, rate=25, options=chosen)
        stream.codec_context.thread_count = 1
        stream.width, stream.height = size
        stream.pix_fmt = pix_fmt
        stream.time_base = stream.codec_context.time_base = time_base
        for number, at in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
            frame.pts, frame.time_base = at, time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_packets(path: Path, source: Path, pts: Sequence[int | None]) -> Path:
    """Copy the packets of a film, in their order, under these timestamps."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.dts is not None]
        for packet, at in zip(packets, pts, strict=True):
            packet.stream = stream
            packet.pts = packet.dts = at
            packet.time_base = MILLISECONDS
            new.mux(packet)
    return path


@pytest.fixture(scope="session")
def film() -> FilmWriter:
    return write_film


@pytest.fixture(scope="session")
def repacked() -> FilmWriter:
    return write_packets


@pytest.fixture(scope="session")
def brightness() -> Callable[[int], int]:
    return level


@pytest.fixture(scope="session")
def real() -> Callable[[str], Path]:
    """Finds real material by its name under ../shared/data, else skips."""

    def find(name: str) -> Path:
        path = DATA / name
        if not path.exists():
            pytest.skip(f"the real recordings are absent: ../shared/data/{name}")
        return path

    return find


@pytest.fixture(scope="session")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen frames with B-frames at uneven milliseconds."""
    pts = [0, 40, 80, 200, 210, 300, 340, 380, 420, 460, 500, 540, 580, 620]
    return write_film(tmp_path_factory.mktemp("media") / "uneven.mkv", pts)

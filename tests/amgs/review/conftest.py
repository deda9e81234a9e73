"""Versions in review, and raters who rate all they are given."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from models.scale import load_scale


@pytest.fixture
def in_review(draft, take, cora) -> Callable[..., object]:
    """Bring a version into review; Cora begins it."""

    def make(**options):
        version = draft(**options)
        by = options.get("by") or version.dataset.created_by
        return take(version, ("submit", by), ("start_review", cora))

    return make


@pytest.fixture
def grades() -> Callable[..., dict]:
    """Grade every unit alike."""

    def give(grade=1) -> dict:
        return dict.fromkeys(load_scale().unit_keys, grade)

    return give


@pytest.fixture
def rate_all(grades, run_jobs) -> Callable[..., int]:
    """Let a rater rate everything that waits for them; return how many frames that was."""
    from amgs.review.services import next_assignment, rate

    def work(rater, grade: int = 1) -> int:
        count = 0
        while (assignment := next_assignment(rater=rater)) is not None:
            rate(assignment=assignment, by=rater, grades=grades(grade), seconds=3.0)
            count += 1
        run_jobs()
        return count

    return work


@pytest.fixture
def roger(person):
    """Another rater of no lab."""
    return person("Roger Ruiz", "rater")


@pytest.fixture
def publish(in_review, take, rate_all, rita, roger, cora) -> Callable[..., object]:
    """Publish a version of some animals whose audit Rita and Roger have rated."""

    def make(animals: int):
        version = in_review(animals=animals)
        rate_all(rita)
        rate_all(roger)
        return take(version, ("accept", cora), ("publish", cora))

    return make


@pytest.fixture(scope="session")
def moving_clip(tmp_path_factory) -> Callable[..., bytes]:
    """Film blocks that wander for 6 s, other ones for every number, as MPEG-4 in MP4."""
    import av
    import numpy as np

    def film(number: int = 0, quality: int = 5) -> bytes:
        path = tmp_path_factory.mktemp("moving") / f"{number}-{quality}.mp4"
        chance = np.random.default_rng(number)
        places = chance.integers(0, 60, (5, 2))
        steps = chance.integers(-4, 5, (5, 2))
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
            stream.options = {"qscale": str(quality)}
            stream.codec_context.bit_rate = 400_000 // quality
            for index in range(60):
                picture = np.full((96, 128, 3), 60, np.uint8)
                for (top, left), (down, right) in zip(places, steps, strict=True):
                    y, x = (top + index * down) % 76, (left + index * right) % 108
                    picture[y : y + 20, x : x + 20] = 220
                for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        return path.read_bytes()

    return film

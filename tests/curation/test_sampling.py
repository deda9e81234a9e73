"""The audit sample."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from curation.sampling import AUDIT_FRAMES, FrameInfo, audit_sample


def _frames(counts: list[int]) -> list[FrameInfo]:
    return [
        FrameInfo(f"F{observation}-{number}", f"O{observation}", f"A{observation // 2}")
        for observation, count in enumerate(counts)
        for number in range(count)
    ]


@given(st.lists(st.integers(0, 40), max_size=20), st.integers(0, 80), st.integers())
def test_a_sample_is_of_the_size_asked_for_without_doubles_and_fair_to_observations(
    counts: list[int], n: int, seed: int
) -> None:
    frames = _frames(counts)
    drawn = audit_sample(frames, n, seed)
    assert len(drawn) == len(set(drawn)) == min(n, len(frames))
    assert set(drawn) <= {frame.id for frame in frames}
    observation = {frame.id: frame.observation for frame in frames}
    taken = Counter(observation[frame] for frame in drawn)
    held = Counter(frame.observation for frame in frames)
    for one in held:
        for other in held:
            assert taken[one] >= min(held[one], taken[other] - 1)


def test_the_same_frames_and_seed_give_the_same_sample_in_any_order() -> None:
    frames = _frames([30] * 8)
    assert audit_sample(frames, seed=4) == audit_sample(frames[::-1], seed=4)
    assert audit_sample(frames, seed=4) != audit_sample(frames, seed=5)
    assert len(audit_sample(frames)) == AUDIT_FRAMES


def test_the_order_of_the_sample_tells_no_observation() -> None:
    drawn = audit_sample(_frames([30] * 8), seed=1)
    neighbours = sum(a.split("-")[0] == b.split("-")[0] for a, b in itertools.pairwise(drawn))
    assert neighbours < 20
    assert drawn != sorted(drawn)


def test_every_frame_of_an_observation_has_the_same_chance() -> None:
    frames = _frames([10])
    times = Counter(frame for seed in range(600) for frame in audit_sample(frames, 3, seed))
    assert min(times.values()) > 120
    assert max(times.values()) < 240

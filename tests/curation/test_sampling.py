"""The audit sample, and queues for training with their random share."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sampling import (
    ANIMAL_SHARE,
    AUDIT_FRAMES,
    FIXED_RATERS,
    REASONS,
    UNIFORM_EVERY,
    Candidate,
    FrameInfo,
    Pick,
    audit_sample,
    places_for,
    training_queue,
)


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


share = st.floats(0, 1)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    rows = draw(
        st.lists(
            st.tuples(st.integers(0, 6), st.integers(0, 3), st.floats(0, 100), share, share, share),
            max_size=60,
        )
    )
    return [
        Candidate(f"F{at}", f"A{animal}", f"O{visit}", time_s, gap=gap, models=models, rare=rare)
        for at, (animal, visit, time_s, gap, models, rare) in enumerate(rows)
    ]


@given(candidates(), st.integers(0, 80), st.integers())
def test_the_random_share_holds_for_every_queue_and_every_beginning_of_it(
    frames: list[Candidate], n: int, seed: int
) -> None:
    queue = training_queue(frames, n, seed)
    assert len(queue) == len({pick.id for pick in queue}) <= min(n, len(frames))
    for length in range(len(queue) + 1):
        uniform = sum(pick.uniform for pick in queue[:length])
        assert uniform >= length // UNIFORM_EVERY
    uniform = sum(pick.uniform for pick in queue)
    assert uniform * UNIFORM_EVERY >= len(queue)
    assert uniform <= math.ceil(n / UNIFORM_EVERY)
    for pick in queue:
        assert pick.raters == (FIXED_RATERS if pick.uniform else None)
        assert (pick.reason == "uniform") is pick.uniform
        assert pick.sentence.endswith(".")


@given(candidates(), st.integers(0, 60), st.randoms(use_true_random=False))
def test_a_queue_does_not_depend_on_the_order_of_its_input(
    frames: list[Candidate], n: int, shuffler: random.Random
) -> None:
    other = frames[:]
    shuffler.shuffle(other)
    assert training_queue(frames, n, 7) == training_queue(other, n, 7)


@given(candidates(), st.integers(1, 60), st.integers())
def test_no_animal_takes_more_than_its_share_of_what_is_chosen(
    frames: list[Candidate], n: int, seed: int
) -> None:
    chosen = [pick.id for pick in training_queue(frames, n, seed) if not pick.uniform]
    animal = {frame.id: frame.animal for frame in frames}
    held = Counter(animal[one] for one in chosen)
    uniform = {pick.id for pick in training_queue(frames, n, seed) if pick.uniform}
    animals = len({frame.animal for frame in frames if frame.id not in uniform})
    asked = min(n, len(frames)) - math.ceil(min(n, len(frames)) / UNIFORM_EVERY)
    most = max(math.ceil(ANIMAL_SHARE * asked), math.ceil(asked / max(animals, 1)))
    assert all(count <= most for count in held.values())


def _one(**facts: float) -> Pick:
    rest = [Candidate(f"R{n}", f"B{n}", "O") for n in range(40)]
    queue = training_queue([Candidate("X", "A", "O", **facts), *rest], 12, seed=3)
    return next(pick for pick in queue if not pick.uniform)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"gap": 0.75}, "quorum"),
        ({"disagreement": 0.6}, "raters"),
        ({"models": 0.7}, "models"),
        ({"set_size": 2.0}, "set"),
        ({"rare": 0.5}, "rare"),
        ({"new_lab": 1.0}, "lab"),
        ({"new_coat": 1.0}, "coat"),
        ({}, "spread"),
    ],
)
def test_the_first_frame_chosen_is_the_one_worth_it_and_its_reason_is_kept(
    facts: dict[str, float], reason: str
) -> None:
    first = _one(**facts)
    assert first.reason == reason
    assert reason == "spread" or first.id == "X"
    assert first.priority == pytest.approx(
        sum(Candidate("X", "A", "O", **facts).worth().values()) if facts else 0.1
    )
    assert set(Candidate("X", "A", "O").worth()) == set(REASONS)


def test_a_missing_quorum_is_told_as_a_share() -> None:
    assert (
        _one(gap=0.75).sentence
        == "Chosen because 75% of the ratings that its units need are missing."
    )


def test_facts_that_are_not_known_count_for_nothing() -> None:
    assert _one(models=float("nan"), gap=0.5).reason == "quorum"


def test_what_is_chosen_spreads_over_animals_observations_and_time() -> None:
    frames = [
        Candidate(f"F{animal}-{visit}-{second}", f"A{animal}", f"O{visit}", second, gap=0.5)
        for animal in range(4)
        for visit in range(3)
        for second in range(0, 40, 2)
    ]
    chosen = [pick.id for pick in training_queue(frames, 60, seed=1) if not pick.uniform]
    first = [one.split("-") for one in chosen[:12]]
    assert len({(animal, visit) for animal, visit, _ in first}) == 12
    moments = Counter((a, v, int(s) // 10) for a, v, s in (one.split("-") for one in chosen))
    assert max(moments.values()) == 1


def test_the_random_share_is_uniform_whatever_a_frame_is_worth() -> None:
    frames = [Candidate(f"F{n}", f"A{n}", "O", gap=float(n < 5)) for n in range(20)]
    times = Counter(
        pick.id for seed in range(500) for pick in training_queue(frames, 10, seed) if pick.uniform
    )
    assert min(times.values()) > 25
    assert max(times.values()) < 85


def test_a_call_for_data_brings_its_frames_forward() -> None:
    plain = [Candidate(f"f{n}", f"a{n}", f"o{n}") for n in range(20)]
    called = [Candidate(f"c{n}", f"b{n}", f"p{n}", called=True) for n in range(5)]
    queue = [one for one in training_queue([*plain, *called], 20) if not one.uniform]
    first = [one.id for one in queue[:4]]
    assert all(name.startswith("c") for name in first)
    assert "A call for data asks for such frames." in queue[0].sentence
    assert "call for data" not in queue[-1].sentence


def test_what_is_to_be_asked_first_is_chosen_before_all_else() -> None:
    plain = [Candidate(f"f{n}", f"a{n}", f"o{n}", gap=1.0) for n in range(60)]
    # All of one animal and moment: its share of the others does not hold them back.
    first = [Candidate(f"c{n}", "b", "p", first=True) for n in range(9)]
    queue = training_queue([*plain, *first], 40, seed=2)
    ahead = [one for one in queue if one.id.startswith("c")]
    assert len(ahead) == len(first)
    chosen = [one for one in queue if not one.uniform]
    count = sum(not one.uniform for one in ahead)
    assert {one.reason for one in chosen[:count]} == {"first"}
    assert "first" not in {one.reason for one in chosen[count:]}
    uniform = [one.id for one in queue if one.uniform]
    assert uniform == sorted(uniform, key=lambda one: not one.startswith("c"))


@given(candidates(), st.data(), st.integers(0, 60), st.integers())
def test_the_random_share_knows_nothing_of_what_is_asked_first(
    frames: list[Candidate], data: st.DataObject, n: int, seed: int
) -> None:
    marked = [replace(frame, first=data.draw(st.booleans())) for frame in frames]
    queue = training_queue(marked, n, seed)
    for length in range(len(queue) + 1):
        assert sum(pick.uniform for pick in queue[:length]) >= length // UNIFORM_EVERY
    # Of the same draw so many are taken as the chosen ones allow.
    drawn = {pick.id for pick in training_queue(frames, n, seed) if pick.uniform}
    other = {pick.id for pick in queue if pick.uniform}
    assert drawn <= other or other <= drawn


@given(st.integers(0, 500))
def test_a_queue_has_room_for_what_is_asked_first_beside_its_random_share(first: int) -> None:
    n = places_for(first)
    assert n - math.ceil(n / UNIFORM_EVERY) >= first
    assert first == 0 or (n - 1) - math.ceil((n - 1) / UNIFORM_EVERY) < first

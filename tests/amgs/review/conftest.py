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

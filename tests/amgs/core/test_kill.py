"""Real worker processes are killed and stopped; every job ends exactly once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest

pytestmark = pytest.mark.timeout(120)


def until(fact: Callable[[], object], what: str, seconds: float = 40.0) -> object:
    """Poll a fact until it is true; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := fact():
            return found
        time.sleep(0.03)
    return pytest.fail(f"waited {seconds:.0f} s in vain: {what}")


def on(database: str, broker: str):
    """A combination of servers, marked with those it exercises."""
    real = [name for name in (database, broker) if name not in {"sqlite", "folders"}]
    return pytest.param(
        database,
        broker,
        id=f"{database}-{broker}",
        marks=[pytest.mark.service(name) for name in real],
    )


@pytest.mark.parametrize(
    ("database", "broker"),
    [on("sqlite", "folders"), on("postgresql", "redis"), on("postgresql", "rabbitmq")],
)
def test_a_job_whose_worker_was_killed_runs_again_and_ends_once(make_site, database, broker):
    site = make_site(database, broker)
    site.beat()
    first = site.worker("first")
    # Two jobs: the one in work, and one whose hint the worker may hold in its hand.
    running, waiting = site.ask("running", "waiting", steps=12)
    until(lambda: site.job(running)[:2] == ("running", 1), f"the job runs\n{site.log()}")
    until(lambda: site.starts("running") == 1, "the work has begun")
    site.kill(first)
    assert site.ends("running") == 0

    site.worker("second")
    back = time.monotonic()
    until(lambda: site.job(running)[1] == 2, f"the job runs again\n{site.log()}")
    recovered = time.monotonic() - back
    until(lambda: site.job(running)[0] == site.job(waiting)[0] == "done", site.log())
    assert site.ends("running") == site.ends("waiting") == 1
    assert site.starts("running") == 2
    assert recovered < 20


@pytest.mark.parametrize(
    ("database", "broker"), [on("sqlite", "folders"), on("postgresql", "rabbitmq")]
)
def test_a_worker_that_was_stopped_past_its_lease_changes_nothing(make_site, database, broker):
    site = make_site(database, broker)
    site.beat()
    first = site.worker("first")
    (job,) = site.ask("walk", steps=15)
    until(lambda: site.starts("walk") == 1, f"the work has begun\n{site.log()}")
    os.killpg(first.pid, signal.SIGSTOP)
    site.worker("second")
    until(lambda: site.job(job)[1] == 2, f"another worker took the job\n{site.log()}")
    os.killpg(first.pid, signal.SIGCONT)
    until(lambda: site.job(job)[0] == "done", f"the job is done\n{site.log()}")
    until(lambda: "the lease was lost" in site.log(), "the first worker gave up")
    assert site.ends("walk") == 1
    assert site.job(job)[:2] == ("done", 2)


def test_a_finished_job_is_left_alone_by_the_worker_that_wakes_late(make_site):
    site = make_site("sqlite", "folders")
    site.beat()
    first = site.worker("first")
    (job,) = site.ask("walk", steps=6)
    until(lambda: site.starts("walk") == 1, f"the work has begun\n{site.log()}")
    os.killpg(first.pid, signal.SIGSTOP)
    site.worker("second")
    until(lambda: site.job(job)[0] == "done", f"the job is done\n{site.log()}")
    os.killpg(first.pid, signal.SIGCONT)
    until(lambda: "the lease was lost" in site.log(), "the first worker gave up")
    assert site.ends("walk") == 1
    assert site.job(job)[:2] == ("done", 2)

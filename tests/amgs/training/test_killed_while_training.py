"""A worker killed with SIGKILL while it trains: the run goes on from its checkpoint, and once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from django.conf import settings as django_settings

from amgs.core.models import Job
from amgs.core.sweep import sweep
from amgs.registry.models import ModelVersion
from amgs.training import services
from amgs.training.models import Run

ROOT = Path(__file__).parents[3]
PATIENCE_S = 90.0


def until(what: str, holds: Callable[[], object], seconds: float = PATIENCE_S) -> object:
    """Return the first true answer; fail the test after a deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := holds():
            return answer
        time.sleep(0.02)  # a poll of another process, with the deadline above
    return pytest.fail(f"{what} did not happen within {seconds:.0f} s")


@pytest.fixture
def start_worker(settings, tmp_path) -> Iterator[Callable[[], psutil.Process]]:
    """Start a real worker for the train queue on this test's database, storage and broker."""
    log = (tmp_path / "worker.log").open("ab")
    started: list[subprocess.Popen] = []

    def start() -> psutil.Process:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "amgs.settings.testing",
            "DATABASE_URL": f"sqlite://{django_settings.DATABASES['default']['NAME']}",
            "STORAGE_URL": settings.STORAGE_URL,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
            "OMP_NUM_THREADS": "1",
            "PYTHONWARNINGS": "ignore:You're running the worker",
        }
        command = [sys.executable, "-m", "celery", "--skip-checks", "-q", "-A", "amgs.celery"]
        command += [
            "worker",
            "-Q",
            "train",
            "-c",
            "1",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        started.append(process)
        return psutil.Process(process.pid)

    yield start
    for process in started:
        try:
            tree = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            tree = []
        process.kill()
        for child in tree:
            child.kill()
        process.wait()
    log.close()


def trainers(worker: psutil.Process) -> list[psutil.Process]:
    """Return the training processes below a worker."""
    try:
        tree = worker.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    found = []
    for child in tree:
        try:
            if child.cmdline()[1:4] == ["-m", "models", "train"]:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_followed_by_one_that_finishes_the_run_once(
    publish, films, mia, start_worker
):
    publish(animals=20, videos=films)
    run = services.start_run(by=mia, recipe="tiny", profile="demo")

    def job() -> Job:
        sweep()  # what beat does
        return Job.objects.get(pk=run.job.pk)

    worker = start_worker()
    until("a checkpoint", lambda: job() and Run.objects.get(pk=run.pk).checkpoint_key)
    children = trainers(worker)
    # The worker and its pool die at once and cannot tell anybody; the trainer is left alone.
    pool = [child for child in worker.children(recursive=True) if child not in children]
    for process in (worker, *pool):
        process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert Job.objects.get(pk=run.job.pk).state == "running"
    until(
        "the end of the orphaned trainer",
        lambda: not any(c.is_running() and c.status() != "zombie" for c in children),
        20,
    )

    start_worker()
    until("the second attempt", lambda: job().attempt == 2)
    assert time.monotonic() - killed < 60
    until("the end of the run", lambda: job().state not in {"queued", "running"})

    ended = Job.objects.get(pk=run.job.pk)
    assert ended.state == "done", f"{ended.error}\n{ended.trace}"
    row = Run.objects.get(pk=run.pk)
    assert ModelVersion.objects.count() == 1
    assert row.model_version is not None
    assert row.model_version.state in {"in_review", "rejected"}
    assert row.model_version.verdicts
    steps = [point["step"] for point in row.curves]
    assert steps == sorted(set(steps))
    said = [line["sentence"] for line in row.tail]
    assert "going on from the last checkpoint" in said

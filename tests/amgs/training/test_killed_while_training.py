"""A worker killed with SIGKILL while it trains: the run goes on from its checkpoint, and once."""

from __future__ import annotations

import signal
import time

import psutil
import pytest

from amgs.core.models import Job
from amgs.core.sweep import sweep
from amgs.registry.models import ModelVersion
from amgs.training import services
from amgs.training.models import Run


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
    publish, films, mia, start_worker, until
):
    publish(animals=20, videos=films)
    run = services.start_run(by=mia, recipe="tiny", profile="demo")

    def job() -> Job:
        sweep()  # what beat does
        return Job.objects.get(pk=run.job.pk)

    worker = start_worker("train")
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

    start_worker("train")
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

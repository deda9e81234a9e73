"""A worker killed with SIGKILL while it scores: another one gives the one result."""

from __future__ import annotations

import signal
import time

import pytest

from amgs.core import jobs
from amgs.core.models import Job
from amgs.core.sweep import sweep
from amgs.scoring import services
from amgs.scoring.models import ToolRun


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_followed_by_one_that_gives_the_result_once(
    serve_bundle, uploaded, render, start_worker, until, tmp_path
):
    serve_bundle()
    upload = uploaded(render(tmp_path / "film.mp4", seconds=15.0).read_bytes())
    run = services.start_score(upload=upload)
    # The upload is checked here; the score itself is left to the workers.
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    run.refresh_from_db()

    def job() -> Job:
        sweep()  # what beat does
        return Job.objects.get(pk=run.job.pk)

    worker = start_worker("score")
    until("progress", lambda: job().state == "running" and job().progress > 0)
    assert job().attempt == 1
    for process in (worker, *worker.children(recursive=True)):
        process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    assert Job.objects.get(pk=run.job.pk).state == "running"

    start_worker("score")
    until("the second attempt", lambda: job().attempt == 2)
    assert time.monotonic() - killed < 60
    until("the end of the score", lambda: job().state not in {"queued", "running"})
    ended = Job.objects.get(pk=run.job.pk)
    assert (ended.state, ended.attempt) == ("done", 2), ended.trace
    row = ToolRun.objects.get()
    assert row.result["frames"] == 180
    assert all(f"/{ended.public_id}/2/" in key for key in row.outputs.values())

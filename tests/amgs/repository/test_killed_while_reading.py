"""A worker killed with SIGKILL while it reads a recording: another one reads it, once."""

from __future__ import annotations

import signal
import time

import pytest

from amgs.core import jobs
from amgs.core.models import Job
from amgs.core.sweep import sweep
from amgs.files.services import complete_upload
from amgs.repository import services
from amgs.repository.models import Frame

# Enough that the worker is in the middle of it when it is killed.
FRAMES = 20_000


@pytest.mark.django_db(transaction=True)
def test_a_killed_worker_is_followed_by_one_that_reads_the_recording_once(
    alice, harbour, clip, send, start_worker, until
) -> None:
    version = services.create_dataset(by=alice, lab=harbour, title="A long film")
    upload = send(alice, "film.mp4", clip(80, frames=FRAMES), "recording", complete=False)
    recording, _ = services.add_recording(by=alice, version=version, upload=upload, name="film.mp4")
    complete_upload(upload=upload, by=alice)
    # The upload is checked here; reading is left to the workers.
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    reading = Job.objects.get(kind="repository.ingest_recording")

    def job() -> Job:
        sweep()  # what beat does
        return Job.objects.get(pk=reading.pk)

    worker = start_worker("ingest")
    until("progress", lambda: job().state == "running" and job().progress > 0)
    for process in (worker, *worker.children(recursive=True)):
        process.send_signal(signal.SIGKILL)
    killed = time.monotonic()
    recording.refresh_from_db()
    assert (job().state, recording.status) == ("running", "pending")
    assert not Frame.objects.exists()

    start_worker("ingest")
    until("the second attempt", lambda: job().attempt == 2)
    assert time.monotonic() - killed < 60
    until("the end of the reading", lambda: job().state not in {"queued", "running"})
    ended = Job.objects.get(pk=reading.pk)
    assert (ended.state, ended.attempt) == ("done", 2), ended.trace
    recording.refresh_from_db()
    assert recording.status == "ready"
    assert recording.media["frame_count"] == FRAMES
    assert recording.frames.count() == 12
    assert f"/{ended.public_id}/2/" in recording.poster_key

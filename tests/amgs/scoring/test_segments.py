"""Long recordings are scored in parts by all workers and joined into what a single pass gives."""

from __future__ import annotations

import json
import signal
from datetime import datetime

import pytest
from rest_framework.test import APIClient

from amgs.core import jobs
from amgs.core.models import Job
from amgs.core.sweep import sweep
from amgs.files.storage import get_storage
from amgs.scoring import probing, segments, services
from amgs.scoring.models import Segment, ToolRun
from models.context import CHUNK, TICK_S

SECONDS = 27.0


@pytest.fixture(scope="module")
def film(render, tmp_path_factory) -> bytes:
    """A film that is just long enough to be split where parts may be short."""
    return render(tmp_path_factory.mktemp("long") / "film.mp4", seconds=SECONDS).read_bytes()


@pytest.fixture
def short_parts(settings, monkeypatch):
    """Let two workers share even short films."""
    settings.SCORE_WORKERS = 2
    monkeypatch.setattr(segments, "SHORTEST_S", 5.0)


def outputs_of(run: ToolRun) -> dict[str, bytes]:
    kept = {}
    for name, key in run.outputs.items():
        with get_storage().open(key) as stream:
            kept[name] = stream.read()
    return kept


def test_a_short_recording_is_one_part_and_a_long_one_as_many_as_workers() -> None:
    assert segments.plan(30.0, 0.0, 2) == [segments.Part(None, None, 30.0)]
    assert segments.plan(300.0, 0.0, 1) == [segments.Part(None, None, 300.0)]
    assert len(segments.plan(300.0, 0.0, 2)) == 2
    assert len(segments.plan(300.0, 0.0, 4)) == 4
    assert len(segments.plan(120.0, 0.0, 8)) == 3


@pytest.mark.parametrize("workers", [1, 2, 3])
@pytest.mark.parametrize("begins", [0.0, 1.4, 36_000.0])
def test_parts_of_a_very_long_recording_lie_side_by_side(workers: int, begins: float) -> None:
    parts = segments.plan(4 * 3600.0, begins, workers)
    assert parts[0].start_s is None
    assert parts[-1].end_s is None
    assert [part.end_s for part in parts[:-1]] == [part.start_s for part in parts[1:]]
    assert len(parts) % workers == 0
    assert all(0 < part.length_s < segments.LONGEST_S + 2 * CHUNK * TICK_S for part in parts)
    assert sum(part.length_s for part in parts) == pytest.approx(4 * 3600.0)


def test_what_every_part_reads_is_about_the_same() -> None:
    first, *between, last = (part.length_s for part in segments.plan(600.0, 0.0, 4))
    reads = [first + 6.5, *(length + 13 for length in between), last + 6.5]
    assert max(reads) - min(reads) < 2 * CHUNK * TICK_S


def test_workers_that_are_busy_are_not_counted_on(settings, db) -> None:
    settings.SCORE_WORKERS = 4
    assert segments.free_workers() == 4
    for _ in range(3):  # this score and two others
        jobs.enqueue(segments.score_segment, segment="x")
    jobs.enqueue(probing.probe)  # over in a moment
    assert segments.free_workers() == 2


class AtNoon:
    """A clock that stands still."""

    @staticmethod
    def now(zone):
        return datetime(2026, 1, 1, 12, tzinfo=zone)


def test_parts_give_what_a_single_pass_gives_to_the_byte(
    serve_shipped, uploaded, run_jobs, film, short_parts, monkeypatch, settings
):
    serve_shipped()
    split = services.start_score(upload=uploaded(film), name="film.mp4")
    settings.SCORE_WORKERS = 1
    whole = services.start_score(upload=uploaded(film), name="film.mp4")
    settings.SCORE_WORKERS = 2
    # The second one is planned while the first one keeps no worker busy.
    monkeypatch.setattr(segments, "free_workers", lambda: settings.SCORE_WORKERS)
    planned = segments.planned
    monkeypatch.setattr(
        segments,
        "planned",
        lambda row, path: (
            planned(row, path) if row.pk == split.pk else [segments.Part(None, None, SECONDS)]
        ),
    )
    # The files say when they were made.
    monkeypatch.setattr("amgs.scoring.jobs.datetime", AtNoon)
    ended = run_jobs()
    assert [row.kind for row in ended].count("scoring.score_segment") == 2
    split.refresh_from_db()
    whole.refresh_from_db()
    assert split.result["graded"] > 0
    assert split.result == whole.result
    one, other = outputs_of(split), outputs_of(whole)
    assert set(one) == set(other)
    assert {name for name in one if one[name] != other[name]} == set()
    # What the parts left is gone.
    assert not Segment.objects.exists()
    left = [key for key in get_storage().list("jobs/") if "part" in key or "glance" in key]
    assert left == []


def test_a_score_in_parts_is_shown_as_running_with_its_first_frames(
    serve_shipped, uploaded, film, short_parts
):
    serve_shipped()
    run = services.start_score(upload=uploaded(film))
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    run.refresh_from_db()
    jobs.run(run.job.public_id)
    first, second = Segment.objects.order_by("number")
    run.job.refresh_from_db()
    assert run.job.state == "queued"
    jobs.run(first.job.public_id)
    told = APIClient().get(f"/api/scores/{run.token}").json()
    assert told["job"]["state"] == "running"
    assert 0.3 < told["job"]["progress"] < 0.7
    assert told["result"] is None
    assert told["partial"]["frames"] > 0
    assert told["partial"]["graded"] > 0
    assert any(row["score"] is not None for row in told["partial"]["bins"])
    jobs.run(second.job.public_id)
    run.job.refresh_from_db()
    assert jobs.run(run.job.public_id)
    told = APIClient().get(f"/api/scores/{run.token}").json()
    assert told["result"]["frames"] == round(SECONDS * 12)
    assert told["partial"] is None


def test_cancelling_a_score_cancels_its_parts(serve_shipped, uploaded, film, short_parts, run_jobs):
    serve_shipped()
    run = services.start_score(upload=uploaded(film))
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    run.refresh_from_db()
    jobs.run(run.job.public_id)
    first = Segment.objects.order_by("number").first()
    jobs.run(first.job.public_id)
    jobs.cancel(Job.objects.get(pk=run.job.pk))
    states = Job.objects.filter(kind="scoring.score_segment").values_list("state", flat=True)
    assert sorted(states) == ["cancelled", "done"]
    run_jobs()
    assert not Segment.objects.exists()
    assert not [key for key in get_storage().list("jobs/") if key.endswith("part.parquet")]
    run.refresh_from_db()
    assert run.job.state == "cancelled"
    assert not run.result


def test_a_part_that_cannot_be_scored_ends_the_score_with_its_sentence(
    serve_shipped, uploaded, film, short_parts, run_jobs, monkeypatch
):
    from amgs.core.errors import Refused

    def refuse(*_: object) -> None:
        raise Refused("The disc is full.")

    serve_shipped()
    run = services.start_score(upload=uploaded(film))
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    run.refresh_from_db()
    jobs.run(run.job.public_id)
    monkeypatch.setattr(segments, "scorer_of", refuse)
    run_jobs()
    run.job.refresh_from_db()
    assert (run.job.state, run.job.error) == ("failed", "The disc is full.")
    assert not Segment.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_worker_killed_in_the_middle_of_a_part_changes_nothing(
    serve_shipped, uploaded, film, short_parts, start_worker, until
):
    serve_shipped()
    run = services.start_score(upload=uploaded(film))
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    run.refresh_from_db()
    jobs.run(run.job.public_id)  # planned here, where parts may be short
    parts = list(Segment.objects.order_by("number"))
    assert len(parts) == 2

    def job() -> Job:
        sweep()  # what beat does
        return Job.objects.get(pk=run.job.pk)

    def under_way() -> bool:
        sweep()
        return Segment.objects.filter(done=False, progress__gt=0).exists()

    worker = start_worker("score")
    until("frames of a part", under_way)
    for process in (worker, *worker.children(recursive=True)):
        process.send_signal(signal.SIGKILL)
    start_worker("score")
    start_worker("score")
    until("the end of the score", lambda: job().state not in {"queued", "running"}, 180)
    assert job().state == "done", job().trace
    attempts = Job.objects.filter(kind="scoring.score_segment").values_list("attempt", flat=True)
    assert sorted(attempts)[-1] == 2
    run.refresh_from_db()
    assert run.result["frames"] == round(SECONDS * 12)
    from models.bundle import default_bundle
    from models.result import summarise
    from models.scorer import Scorer

    path = get_storage().download(run.blob.key, segments.settings.VAR / "film.mp4")
    alone = summarise(Scorer(default_bundle()).score(path), default_bundle().scale, phantom=True)
    # Pictures and what the site knows of the model's training are added by the site.
    added = {"best_frames", "worst_frames", "independence"}
    told = {key: value for key, value in run.result.items() if key not in added}
    assert told == json.loads(json.dumps(alone.to_json()))

"""A run from published frames to a judged version, in real child processes."""

from __future__ import annotations

import json
import time

import pytest

from amgs.core import decisions, jobs
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.registry import queries as registry_queries
from amgs.registry import services as registry
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.training import services
from amgs.training.jobs import begins_with
from amgs.training.models import Run


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def run_now(run: Run) -> Run:
    jobs.run(run.job.public_id)
    run = Run.objects.select_related("job", "snapshot", "model_version").get(pk=run.pk)
    assert run.job.state == "done", f"{run.job.error}\n{run.job.trace}"
    return run


@pytest.mark.django_db(transaction=True)
def test_a_run_registers_a_version_that_serves_and_the_next_is_measured_against_it(
    publish, films, mia, lenient, settings
):
    publish(animals=20, videos=films)
    first = run_now(services.start_run(by=mia, recipe="tiny", profile=lenient, why="by hand"))

    version = first.model_version
    assert version.state == "in_review"
    assert version.snapshot == first.snapshot.public_id
    assert version.phantom
    assert version.report["training"]["config"]
    assert version.report["n_frames"] > 0
    assert version.verdicts
    assert version.measured_against is None
    assert version.card
    steps = [point["step"] for point in first.curves]
    assert steps == sorted(set(steps))
    assert any("training" in line["sentence"] for line in first.tail)
    assert get_storage().stat(version.report_key).size > 0
    assert bundle_folder(version).joinpath("frame.onnx").is_file()
    assert not (settings.VAR / "runs" / first.public_id).exists()
    assert first.checkpoint_key == ""
    assert not list(get_storage().list(f"jobs/{first.job.public_id}/1/checkpoints"))

    for action in ("approve", "promote"):
        registry.decide_model(by=mia, version=version, action=action, why="to test the next")

    control = services.start_run(
        by=mia, recipe="tiny", profile="demo", seed=2, negative_control=True
    )
    second = run_now(control)
    assert second.snapshot == first.snapshot  # nothing was published in between
    challenger = second.model_version
    assert challenger.negative_control
    assert challenger.report["training"]["shuffled_labels"] is True
    assert challenger.measured_against == version
    # Such a small net may grade nothing at all, so there may be no figures; the frames are known.
    assert challenger.comparison["benchmark_digest"] == challenger.report["benchmark_digest"]
    assert "difference" in challenger.comparison
    assert challenger.state == "rejected"
    refused = [row["gate"] for row in challenger.verdicts if row["passed"] is False]
    assert "benchmark_size" in refused  # by the profile of this run, not of the one before
    last = decisions.history(challenger).last()
    assert last.facts["refused_by"] == refused
    assert last.why.startswith("Refused by the gates: ")
    assert registry_queries.serving() == version


@pytest.mark.django_db
def test_every_attempt_of_a_warm_start_begins_with_the_same_version(publish, mia):
    class Lease:
        """A lease that is never lost."""

        def save_progress(self) -> None:
            """Nothing is to be saved."""

    def serving() -> ModelVersion:
        version = registry.register_version(
            bundle_key="k", bundle_sha256="b" * 64, digest="d" * 64, info={}, report={}
        )
        registry.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        for action in ("approve", "promote"):
            registry.decide_model(by=mia, version=version, action=action, why="for the test")
        return version

    publish()
    first = serving()
    run = services.start_run(by=mia, recipe="tiny", profile="demo", warm_start=True)
    cold = services.start_run(by=mia, recipe="tiny", profile="demo")
    assert begins_with(Lease(), run) == first
    serving()
    assert begins_with(Lease(), Run.objects.get(pk=run.pk)) == first
    assert begins_with(Lease(), cold) is None


def test_too_few_animals_are_refused_in_a_sentence(publish, films, mia):
    publish(animals=1, videos=films)
    run = services.start_run(by=mia, recipe="tiny", profile="demo")
    jobs.run(run.job.public_id)
    job = Job.objects.get(pk=run.job.pk)
    assert job.state == "failed"
    assert job.error
    assert job.trace == ""
    assert "Error" not in job.error


def test_a_snapshot_with_a_version_taken_back_is_not_trained_on(publish, mia):
    version = publish()
    snapshot = services.freeze_snapshot(by=mia)
    run = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=snapshot)
    type(version).objects.filter(pk=version.pk).update(state="withdrawn")
    jobs.run(run.job.public_id)
    job = Job.objects.get(pk=run.job.pk)
    assert (job.state, job.attempt) == ("failed", 1)
    assert "AMGS-000001/1 was taken back" in job.error


@pytest.mark.django_db(transaction=True)
def test_cancelling_a_run_ends_its_child_and_registers_nothing(publish, films, mia, settings):
    import threading

    import psutil
    from django.db import connection

    publish(animals=20, videos=films)
    run = services.start_run(by=mia, recipe="tiny", profile="demo")

    def work() -> None:
        jobs.run(run.job.public_id)
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    deadline = time.monotonic() + 60
    children: list[psutil.Process] = []
    while not children and time.monotonic() < deadline:
        children = [
            child
            for child in psutil.Process().children()
            if child.is_running() and "models" in " ".join(child.cmdline())
        ]
        worker.join(0.05)
    assert children
    services.cancel_run(by=mia, run=run, why="a mistake")
    worker.join(30)
    assert not worker.is_alive()
    assert not any(child.is_running() for child in children)
    job = Job.objects.get(pk=run.job.pk)
    assert job.state == "cancelled"
    assert Run.objects.get(pk=run.pk).model_version is None
    assert not (settings.VAR / "runs" / run.public_id).exists()
    assert json.dumps(job.result) == "{}"

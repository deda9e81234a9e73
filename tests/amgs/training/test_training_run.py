"""A run from published frames to a judged version, in real child processes."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

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
    assert first.benchmark == first.snapshot.benchmark
    assert version.report["benchmark_digest"] == first.benchmark.digest
    assert version.info["benchmark"]["digest"] == first.benchmark.digest
    assert first.made == version.info["made"]
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
    assert second.benchmark == first.benchmark
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


@pytest.mark.django_db(transaction=True)
def test_training_is_given_nothing_of_what_it_is_judged_on(publish, films, mia, monkeypatch):
    from amgs.files.services import local_copy
    from amgs.training import jobs as training
    from models.manifest import read_manifest

    publish(animals=20, videos=films)
    seen: list[tuple[str, set[str]]] = []
    real = training.run_child

    def watched(context, arguments, *rest, **more):
        media = Path(arguments[arguments.index("--media") + 1])
        manifest = Path(arguments[arguments.index("--manifest") + 1])
        assert not {"benchmark", "independent"} & set(read_manifest(manifest).frames["split"])
        seen.append((arguments[0], {path.name for path in media.iterdir()}))
        return real(context, arguments, *rest, **more)

    monkeypatch.setattr(training, "run_child", watched)
    run = run_now(services.start_run(by=mia, recipe="tiny", profile="demo"))
    judging = set(read_manifest(local_copy(run.benchmark.manifest)).frames["blob"])
    ((command, given),) = seen
    assert command == "train"
    assert judging
    assert not given & judging
    assert given == set(read_manifest(local_copy(run.snapshot.manifest)).frames["blob"])


@pytest.mark.django_db(transaction=True)
def test_a_version_is_fetched_and_its_reproduction_is_told(publish, films, mia, tmp_path, capsys):
    import shlex
    import subprocess
    import sys

    from django.conf import settings
    from django.core.management import CommandError, call_command

    data = publish(animals=20, videos=films)
    run = run_now(services.start_run(by=mia, recipe="tiny", profile="demo"))
    identifier = run.model_version.identifier
    call_command("reproduce", identifier, "--out", str(tmp_path / "again"))
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("python -m models reproduce ")
    done = subprocess.run(
        [sys.executable, *shlex.split(line)[1:]],
        cwd=settings.ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1])["reproduced"]
    from amgs.repository import services as repository

    repository.decide_version(by=mia, version=data, action="withdraw", why="The owner asked.")
    with pytest.raises(CommandError, match=r"Not possible since AMGS-000001/1 was withdrawn on"):
        call_command("reproduce", identifier, "--out", str(tmp_path / "later"))


def test_a_run_waits_for_one_that_began_before(publish, mia, monkeypatch):
    publish(animals=1)
    first, second = (
        services.start_run(by=mia, recipe="tiny", profile="demo", seed=seed) for seed in (0, 1)
    )
    now = timezone.now()
    Job.objects.filter(pk=first.job.pk).update(
        state="running", started_at=now, lease_until=now + timedelta(minutes=5)
    )
    waited: list[str] = []

    def sleep(seconds: float) -> None:
        waited.append(Job.objects.get(pk=second.job.pk).note)
        Job.objects.filter(pk=first.job.pk).update(state="done")

    monkeypatch.setattr("amgs.training.jobs.time.sleep", sleep)
    jobs.run(second.job.public_id)
    assert waited == [f"waiting for the end of run {first.public_id}"]


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

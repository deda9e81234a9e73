"""A film that looks like what a model learned from is not independent of it, whatever its bytes."""

from __future__ import annotations

import functools
import json
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from amgs.files.services import local_copy, store_file
from amgs.repository import models as repository
from amgs.scoring import independence, studies, study_plans
from amgs.scoring.independence import independence_of
from amgs.scoring.models import ToolRun
from amgs.scoring.study_jobs import ask_for_analysis
from amgs.training.models import Placement, Snapshot
from models.media import open_media
from models.phantom.clip import write_clip
from models.phantom.motion import ClipPlan
from models.phantom.plans import demo_plan
from models.scale import load_scale


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> dict[str, Path]:
    """Small films: one learned from, one of another animal, and copies of the first.

    The copies are coded anew at another quality, at half the size, and without the first second.
    """
    folder = tmp_path_factory.mktemp("films")
    scale, look = load_scale(), demo_plan().labs[0].look
    made = {}
    for name, animal in (("learned", 0), ("other", 1)):
        plan = ClipPlan(
            scale.coats[animal], look, animal, 0.3, duration_s=5.0, fps=6, size=(160, 120)
        )
        made[name] = folder / f"{name}.mp4"
        write_clip(made[name], plan, seed=animal)
    made["copy"] = coded_anew(made["learned"], folder / "copy.mp4", 0.5)
    made["cut"] = coded_anew(made["learned"], folder / "cut.mp4", 0.8, from_s=1.0)
    made["copy of other"] = coded_anew(made["other"], folder / "other copy.mp4", 0.5)
    return made


def coded_anew(source: Path, target: Path, scale: float, from_s: float = 0.0) -> Path:
    with open_media(source) as old, av.open(str(target), "w") as new:
        stream = None
        for frame in old:
            if frame.time_s < from_s:
                continue
            picture = cv2.resize(np.ascontiguousarray(frame.image), None, fx=scale, fy=scale)
            height, width = (side // 2 * 2 for side in picture.shape[:2])
            if stream is None:
                stream = new.add_stream("libx264", options={"crf": "32", "threads": "1"})
                stream.codec_context.thread_count = 1
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
                stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
            made = av.VideoFrame.from_ndarray(picture[:height, :width].copy(), format="rgb24")
            made.pts, made.time_base = round((frame.time_s - from_s) * 1000), Fraction(1, 1000)
            new.mux(stream.encode(made))
        assert stream is not None
        new.mux(stream.encode())
    return target


@pytest.fixture
def site(lab, films, run_jobs, serve, tmp_path):
    """A site whose serving version learned from the first film; all are read by the ingest.

    ``place(split)`` puts the animal of that film somewhere else; ``add(name)`` brings another film.
    """
    from amgs.core import jobs
    from amgs.repository.jobs import ingest_recording

    dataset = repository.Dataset.objects.create(number=1, lab=lab("Harbour"), phantom=True)
    version = repository.Version.objects.create(dataset=dataset, title="A study")

    def add(name: str, animal_name: str) -> repository.Recording:
        animal, _ = repository.Animal.objects.get_or_create(
            dataset=dataset, name=animal_name, defaults={"pseudonym": animal_name}
        )
        observation = repository.Observation.objects.create(animal=animal, name=name)
        row = repository.Recording.objects.create(
            dataset=dataset,
            observation=observation,
            name=f"{name}.mp4",
            blob=store_file(films[name], "video/mp4"),
        )
        jobs.enqueue(ingest_recording, subject=row, recording=row.public_id)
        run_jobs()
        row.refresh_from_db()
        assert row.likeness_key
        return row

    learned = add("learned", "m1")
    learned.versions.add(version)
    placed = Placement.objects.create(animal=learned.observation.animal, split="train")
    (tmp_path / "manifest").write_bytes(b"a manifest")
    snapshot = Snapshot.objects.create(
        manifest=store_file(tmp_path / "manifest", "application/json"),
        digest="1" * 64,
        frames=1,
        animals=1,
        phantom=True,
    )
    snapshot.versions.add(version)

    @functools.cache
    def model():
        # It serves last: the ingest would look for faces with a bundle that does not exist.
        return serve(snapshot=snapshot.public_id)

    def place(split: str) -> None:
        Placement.objects.filter(pk=placed.pk).update(split=split)

    def ask(name: str) -> dict:
        blob = store_file(films[name], "video/mp4")
        return independence_of(model(), blob, local_copy(blob))

    return SimpleNamespace(model=model, learned=learned, place=place, add=add, ask=ask)


@pytest.mark.parametrize("name", ["copy", "cut"])
def test_a_copy_coded_anew_and_scaled_is_not_independent(site, films, name):
    assert films[name].read_bytes() != films["learned"].read_bytes()
    told = site.ask(name)
    assert told == {
        "independent": "no",
        "sentences": [independence.ALIKE.format(model=site.model().identifier)],
    }
    assert "Harbour" not in json.dumps(told)


def test_an_unrelated_film_is_independent(site):
    assert site.ask("other") == {
        "independent": "yes",
        "sentences": [independence.NOWHERE.format(model=site.model().identifier)],
    }


def test_a_model_that_began_with_one_from_elsewhere_is_told_of_in_part(site, monkeypatch):
    """What it learned from here is known; what the other learned from is not."""
    from amgs.registry import services

    start = services.register_version(
        bundle_key="bundles/start.tar",
        bundle_sha256="a" * 64,
        digest="e" * 64,
        info={"phantom": True},
        report={},
        profile="demo",
        snapshot="elsewhere",
    )
    starts = {site.model().public_id: start.public_id}
    monkeypatch.setattr(independence, "began_with", lambda: starts)
    assert site.ask("copy")["independent"] == "no", "whatever the other learned from"
    told = site.ask("other")
    assert told["independent"] == "unknown"
    assert f"began with the weights of {start.identifier}" in told["sentences"][0]


@pytest.mark.parametrize(
    ("split", "said"), [("validation", "no"), ("calibration", "no"), ("benchmark", "yes")]
)
def test_a_copy_of_what_only_judged_the_model_is_independent(site, split, said):
    site.place(split)
    assert site.ask("copy")["independent"] == said


def test_a_copy_of_another_recording_of_an_animal_that_was_learned_from_is_told(site):
    """What looks like an unused recording leads to its animal, which the model knows."""
    site.add("other", "m1")
    told = site.ask("copy of other")
    assert told["independent"] == "no"
    assert told["sentences"] == [independence.ANIMAL.format(model=site.model().identifier)]


def test_a_copy_of_a_recording_that_nothing_learned_from_is_independent(site):
    site.add("other", "m2")
    assert site.ask("copy of other")["independent"] == "yes"


def test_hashes_that_were_cleared_away_do_not_stop_a_score(site):
    from amgs.files.storage import get_storage

    get_storage().delete(site.learned.likeness_key)
    assert site.ask("copy")["independent"] == "yes"


def test_agreement_leaves_a_copy_out_and_says_so(site, score, alice, run_jobs):
    """What is told of the copy with its score travels into the agreement of a study."""
    told = {name: site.ask(name) for name in ("copy", "other")}
    study = studies.create_study(by=alice, title="Agreement")
    names = ["other", "other", "other", "copy"]
    runs = [
        score(site.model(), f"m{place}.mp4", 0.2 + 0.3 * place, alice)
        for place in range(len(names))
    ]
    for run, name in zip(runs, names, strict=True):
        run.result["independence"] = told[name]
        run.provenance["independent"] = told[name]["independent"]
        ToolRun.objects.filter(pk=run.pk).update(result=run.result, provenance=run.provenance)
    studies.add_scores(by=alice, study=study, scores=[run.token for run in runs])
    changes = [
        {
            "id": row.public_id,
            "animal": f"a{place}",
            "group": "drug" if place % 2 else "vehicle",
            "time_h": 4.0,
            "human_score": 0.1 + 0.3 * place,
        }
        for place, row in enumerate(studies.entries_of(study))
    ]
    studies.change_entries(by=alice, study=study, changes=changes)
    study_plans.set_plan(by=alice, study=study, plan={"cut_off": 1.0, "draws": 99})
    study_plans.lock_plan(by=alice, study=study)
    row = ask_for_analysis(by=alice, study=study)
    run_jobs()
    row.refresh_from_db()
    assert row.job.state == "done", row.job.error
    agreement = row.report["agreement"]
    assert (agreement["observations"], agreement["left_out_not_independent"]) == (3, 1)
    assert "not_independent" in [one["key"] for one in row.report["warnings"]]
    assert "not independent of the model's training are left out" in row.report["methods"]

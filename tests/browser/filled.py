"""What fills a site so that every page has something to show; none of it was measured."""

from __future__ import annotations

import json
import math
from typing import Any


def golden(curator: Any, version: Any) -> None:
    """Let raters agree on a version, and put some of its frames into the training set."""
    from amgs.review import golden
    from amgs.review.models import Consensus
    from amgs.review.services import set_gold
    from models.scale import load_scale

    Consensus.objects.filter(frame__recording__versions=version).update(error=0.1)
    keys = load_scale().unit_keys
    for frame in list(golden.candidates(curator)[:2]):
        grades = {key: place % 3 for place, key in enumerate(keys)}
        note = "The bridge of the nose is what to look at."
        set_gold(by=curator, frame=frame, agreed=grades, training=True, note=note)


def credit(model: Any, version: Any) -> None:
    """Say what a version was good for in a model."""
    from amgs.training.models import Credit

    row = {"n_animals": 9, "animals": 9, "frames": 80, "before": 0.31, "after": 0.26}
    row |= {"difference": -0.05, "interval": [-0.09, -0.01]}
    Credit.objects.create(
        model_version=model,
        version=version,
        used={
            "train": {"frames": 320, "animals": 30},
            "benchmark": {"frames": 80, "animals": 9},
        },
        errors=[
            row | {"coat": "white", "assessed": True},
            row | {"coat": "black", "animals": 3, "assessed": False},
        ],
    )


def first_recording(version: Any) -> str:
    ref = version.identifier.replace("/", ".")
    return f"/review/{ref}/recordings/{version.recordings.first().public_id}"


def withdrawn(version: Any, by: Any) -> Any:
    """Let a version leave that was published without a review."""
    from django.utils import timezone

    from amgs.repository import services
    from amgs.repository.models import Version

    row = Version.objects.filter(pk=version.pk)
    row.update(state="published", published_at=timezone.now())
    version = row.select_related("dataset__lab").get()
    services.decide_version(by=by, version=version, action="withdraw", why="Consent has ended.")
    return version


def register(
    maintainer: Any, *steps: str, refused: bool = False, shown: Any = None, **given: Any
) -> Any:
    """Register a version with a report as a run would, and take its steps.

    ``shown`` is a dataset version whose frames are among those on which two models differ.
    """
    from amgs.registry import services

    version = services.register_version(
        bundle_key="bundles/test.tar",
        bundle_sha256="b" * 64,
        digest="d" * 64,
        info={"phantom": True},
        report=report(0.41 if refused else 0.27),
        report_key=given.pop("report_key", ""),
        card="# Model card\n\nTrained on the phantom.",
        profile="demo",
        **given,
    )
    verdicts = [verdict("beats_constant", "Better than a constant", not refused)]
    verdicts += [
        verdict("coverage", "Grades enough frames", True),
        verdict("groups", "Not worse in any lab and coat", None),
    ]
    services.record_verdicts(
        version=version,
        verdicts=verdicts,
        refused_by=["beats_constant"] if refused else [],
        comparison=comparison(shown),
    )
    for action in steps:
        services.decide_model(
            by=maintainer,
            version=version,
            action=action,
            why="The gates are passed.",
            ticks={"groups": "No such lab sends data."} if action == "approve" else None,
        )
    version.refresh_from_db()
    return version


def verdict(gate: str, title: str, passed: bool | None) -> dict[str, Any]:
    """Return a verdict of a gate as a run stores it."""
    words = {True: "is within", False: "is not within", None: "cannot be held against"}
    return {
        "gate": gate,
        "title": title,
        "passed": passed,
        "value": 0.27,
        "threshold": 0.4,
        "sentence": f"The figure of 0.27 {words[passed]} the threshold of 0.40.",
    }


def report(rmse: float) -> dict[str, Any]:
    """Return a report with every field that the page of a version shows."""
    from models.scale import load_scale

    scale = load_scale()
    group = {"n": 120, "n_animals": 6, "rmse": rmse, "r": 0.8, "mae": 0.2, "constant_rmse": 0.44}
    return {
        "format": 1,
        "phantom": True,
        "split": "benchmark",
        "n_frames": 240,
        "n_animals": 12,
        "n_labs": 2,
        "image_score": {
            "rmse": rmse,
            "r": 0.83,
            "mae": 0.2,
            "n": 230,
            "coverage": 0.94,
            "constant_rmse": 0.44,
            "human_rmse": 0.36,
            "human_r": 0.7,
            "interval": {"rmse": [0.24, 0.31], "r": [0.78, 0.87]},
        },
        "units": {
            key: {
                "kappa": 0.6 - place / 20,
                "rmse": 0.4,
                "mae": 0.3,
                "r": 0.7,
                "n": 220,
                "coverage": 0.92,
                "constant_rmse": 0.6,
                "human_kappa": 0.5,
                "ece": 0.04,
                "scorable_auc": 0.9,
                "interval": {"kappa": [0.5 - place / 20, 0.7 - place / 20], "rmse": [0.36, 0.44]},
                "reliability": [
                    {"stated": 0.1 + 0.2 * step, "observed": 0.05 + 0.21 * step + rmse / 9, "n": 40}
                    for step in range(5)
                ],
            }
            for place, key in enumerate(scale.unit_keys)
        },
        "by": {
            "coat": dict.fromkeys(scale.coat_keys[:2], group),
            "lab": {"Harbour": group, "Meadow": group},
        },
        "observation": {"n": 24, "bias": 0.01, "slope": 0.94, "icc": 0.9, "rmse": 0.12},
        "risk_coverage": {
            "order": "stated spread",
            "coverage": [0.9, 0.7, 0.5, 0.3, 0.1],
            "rmse": [rmse, rmse - 0.02, rmse - 0.05, rmse - 0.06, rmse - 0.1],
            "area": rmse - 0.05,
        },
        "training": {
            "seconds": 41.0,
            "epochs": 12,
            "n_train": 900,
            "config": "demo",
            "shuffled_labels": False,
            "seed": 7,
        },
        "sentence": "Trained and judged on the rendered phantom: says nothing about real mice.",
    }


def comparison(shown: Any = None) -> dict[str, Any]:
    """Return a paired comparison with one group that is too small, and all that a run adds."""
    from models.scale import load_scale

    row = {
        "n_animals": 12,
        "n_frames": 240,
        "rmse_challenger": 0.27,
        "rmse_champion": 0.31,
        "difference": -0.04,
        "interval": [-0.07, -0.01],
        "n_rated_animals": 12,
        "coverage_challenger": 0.93,
        "coverage_champion": 0.92,
        "coverage_lost": -0.01,
        "coverage_lost_interval": [-0.03, 0.01],
    }
    white, black = load_scale().coat_keys[:2]
    return row | {
        "groups": {
            f"Harbour|{white}": row | {"assessed": True},
            f"Meadow|{black}": row | {"assessed": False},
        },
        "champion": report(0.31),
        "replacement": {
            "rescored": {
                "n": 6,
                "mean_change": 0.06,
                "largest_change": 0.17,
                "grades_changed": 0.09,
                "unit_frames": 1830,
            },
            "cost": {
                "challenger_ms": 4.4,
                "champion_ms": 4.1,
                "challenger_bytes": 7_100_000,
                "champion_bytes": 7_000_000,
            },
        },
        "differ": [
            {
                "frame": frame,
                "dataset": dataset,
                "lab": lab,
                "coat": white,
                "raters": 1.2,
                "challenger": 1.1,
                "champion": 0.3,
                "units": {key: [1.0, 1.0, 0.0] for key in load_scale().unit_keys},
            }
            for frame, dataset, lab in frames_of(shown)
        ],
    }


def frames_of(version: Any) -> list[tuple[str, str, str]]:
    """Return frame, dataset and lab of two frames of a version, and of one nobody may see."""
    if version is None:
        return []
    frames = [
        frame.public_id
        for recording in version.recordings.all()
        for frame in recording.frames.exclude(still_key="")[:1]
    ][:2]
    told = [(frame, version.identifier, "Harbour") for frame in frames]
    return [*told, ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "AMGS-999999/1", "Meadow")]


def result(graded: bool) -> dict[str, Any]:
    """Return a result of a score as the worker stores it."""
    from models.result import MEASUREMENT
    from models.scale import load_scale

    scale = load_scale()
    bins = []
    for second in range(30):
        gone = 8 <= second < 14 or not graded
        value = None if gone else 0.9 + 0.5 * math.sin(second / 5)
        bins.append(
            {
                "t0": float(second),
                "t1": second + 1.0,
                "score": value,
                "interval": None if gone else [max(value - 0.15, 0), min(value + 0.15, 2)],
                "n_graded": 0 if gone else 10,
                "n": 12,
                "units": {
                    key: None if gone else min(max(value + place / 8 - 0.2, 0), 2)
                    for place, key in enumerate(scale.unit_keys)
                },
            }
        )
    asleep = next(state for state in scale.states if not state.graded and state.reason)
    return {
        "outcome": "scored" if graded else "no_scorable_frames",
        "frames": 360,
        "graded": 240 if graded else 0,
        "not_scorable": {asleep.reason: 72, "blurred": 48} if graded else {"no_face": 360},
        "states": {"awake": 288, asleep.key: 72} if graded else {"unclear": 360},
        "coverage": 0.667 if graded else 0.0,
        "score": 0.98 if graded else None,
        "score_interval": [0.84, 1.12] if graded else None,
        "score_ungated": 1.04 if graded else None,
        "score_ungated_interval": [0.9, 1.18] if graded else None,
        "interval_note": MEASUREMENT,
        "unfamiliar": 3,
        "units": {key: {"mean": 0.9, "n": 230, "interval": [0.8, 1.05]} for key in scale.unit_keys}
        if graded
        else {},
        "bin_s": 1.0,
        "bins": bins,
        "segments": [{"t0": 8.0, "t1": 14.0, "state": asleep.key, "reason": asleep.reason}],
        "best": [],
        "best_frames": [],
        "sentence": "The mean image score is 0.98 of 2, from 67 % of the frames."
        if graded
        else "No frame shows a face that can be graded.",
        "phantom": True,
        "disclaimer": "A research measure; a low score does not mean no pain.",
    }


def several_animals() -> dict[str, Any]:
    """Return the result of a video with two mice."""
    from models.result import SEVERAL, nothing_scored
    from models.scale import load_scale

    refused = nothing_scored("several_animals", SEVERAL, load_scale(), phantom=True)
    return refused.to_json() | {"best_frames": []}


BAD_ROWS = ("r0005.mp4,2,3,0,1,3,0,9", "r0099.mp4,2,3,0,1,1,0,9")


def other_scale() -> str:
    """A sheet on a scale from 0 to 9 that names a film nobody sent."""
    lines = ["file,frame,rater,ot,nb,cb,ep,wc", "film nine,3,anna,9,8,7,6,5"]
    lines += [f"r0009.mp4,{frame},anna,{frame % 10},7,5,3,-" for frame in range(12)]
    return "\n".join(lines)


def boxes() -> str:
    """Boxes round faces, and a score that cannot be."""
    faces = {"r0009.mp4": {"x": "90", "y": "60", "w": "160", "h": "120", "ot": "7", "nb": "1"}}
    return json.dumps(faces)


def bad_sheet() -> str:
    from models.scale import load_scale

    return "\n".join([",".join(["file", "frame", "rater", *load_scale().unit_keys]), *BAD_ROWS])


def run(maintainer: Any, version: Any) -> Any:
    from amgs.core.models import Job
    from amgs.files.models import Blob
    from amgs.training import services
    from amgs.training.models import Benchmark, Run, Snapshot, Trigger

    blob = Blob.objects.create(sha256="c" * 64, size=1, key=f"blobs/{'c' * 64}")
    benchmark = Benchmark.objects.create(
        number=1, manifest=blob, digest="d" * 64, frames=600, animals=12, phantom=True
    )
    snapshot = Snapshot.objects.create(
        manifest=blob,
        benchmark=benchmark,
        digest="e" * 64,
        frames=4000,
        animals=80,
        phantom=True,
        header={
            "versions": [],
            "counts": {"train": 2600, "validation": 400, "calibration": 400, "benchmark": 600},
            "independent": {
                "labs": ["Brook"],
                "frames": 200,
                "animals": 8,
                "left_out": 1,
                "sentences": ["White mice: Brook only validates."],
            },
        },
    )

    run = services.start_run(
        by=maintainer, recipe="demo", profile="demo", seed=7, why="Two labs were added."
    )
    Job.objects.filter(pk=run.job_id).update(state="done", progress=1.0, result={})
    curves = [
        {"step": step, "metrics": {"train_loss": 1 / step, "validation_rmse": 0.3 + 1 / (5 * step)}}
        for step in range(1, 20)
    ]
    Run.objects.filter(pk=run.pk).update(
        curves=curves,
        tail=[{"at": "2026-01-31T10:00:00+00:00", "sentence": "Epoch 19 is done."}],
        snapshot=snapshot,
        benchmark=benchmark,
        made={
            "version": "2.0.0",
            "commit": "f" * 40,
            "lock": "a" * 64,
            "machine": "x86_64, 2 cores, Linux",
            "python": "3.11.7",
            "packages": {"torch": "2.9.0", "opencv-python-headless": "4.13.0"},
        },
        model_version=version,
    )
    Trigger.objects.create(
        fired=False, name="new_frames", reason="48 of 200 new graded frames are published."
    )
    services.edit_policy(by=maintainer, schedule="0 3 * * 1", new_lab_or_coat=True)
    return Run.objects.select_related("snapshot", "benchmark").get(pk=run.pk)


def score(version: Any, told: dict[str, Any], user: Any = None) -> str:
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import ToolRun

    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    run = ToolRun.objects.create(
        name="cage 4, day 2.mp4",
        user=user,
        job=job,
        model_version=version,
        result=told,
        provenance={
            "model": version.identifier,
            "model_id": version.public_id,
            "bundle_digest": version.digest,
            "snapshot": "",
            "phantom": True,
            "scored_at": "2026-01-31T10:00:00+00:00",
            "file_sha256": "a" * 64,
        },
    )
    return run.token

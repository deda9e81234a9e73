"""A version that serves, without a bundle."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def serve(mia) -> Callable[..., object]:
    """Let a registered version serve."""
    from amgs.core.models import Job
    from amgs.registry import services

    def make(phantom: bool = True, **given):
        fields = {
            "bundle_key": "bundles/test.tar",
            "bundle_sha256": "b" * 64,
            "digest": "d" * 64,
            "info": {"phantom": phantom},
            "report": {},
            "profile": "demo",
        }
        version = services.register_version(**{**fields, **given})
        services.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        for action in ("approve", "promote"):
            services.decide_model(by=mia, version=version, action=action, why="for the test")
        # MLflow is told in the tests of the registry.
        Job.objects.filter(kind="registry.mirror").update(state=Job.State.CANCELLED)
        return version

    return make


@pytest.fixture
def score(db):
    """Make a score that is there, without a film."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import ToolRun
    from models.scale import load_scale

    def make(version, name: str, value: float | None = 0.5, user=None, **given):
        job = Job.objects.create(
            kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
        )
        result = {
            "outcome": "scored",
            "sentence": "It was scored.",
            "score": value,
            "score_ungated": value,
            "coverage": 0.613,
            "frames": 1000,
            "graded": 613,
            "states": {"awake": 1000},
            "not_scorable": {"blurred": 387},
            "units": {key: {"mean": value, "n": 613} for key in load_scale().unit_keys},
            "bins": [],
            "bin_s": 1.0,
            "phantom": True,
        }
        return ToolRun.objects.create(
            name=name,
            user=user,
            job=job,
            model_version=version,
            result=result,
            provenance={
                "model": version.identifier,
                "model_id": version.public_id,
                "bundle_digest": version.digest,
                "phantom": True,
            },
            **given,
        )

    return make


@pytest.fixture
def make_study(alice, serve, score):
    """Make a study of Alice's: two animals before and after, with groups, but no plan yet."""
    from amgs.scoring import studies
    from amgs.scoring.models import Study

    def make(values=(0.1, 1.7, 0.2, 1.6)):
        version = serve()
        made = studies.create_study(by=alice, title="Carprofen after laparotomy")
        runs = [score(version, f"m{n}.mp4", value, alice) for n, value in enumerate(values)]
        studies.add_scores(by=alice, study=made, scores=[run.token for run in runs])
        rows = studies.entries_of(made)
        studies.change_entries(
            by=alice,
            study=made,
            changes=[
                {
                    "id": row.public_id,
                    "animal": f"a{place // 2}",
                    "group": "vehicle" if place < 2 else "drug",
                    "time_h": -1.0 if place % 2 == 0 else 4.0,
                }
                for place, row in enumerate(rows)
            ],
        )
        return Study.objects.get(pk=made.pk)

    return make


@pytest.fixture
def uploaded(db) -> Callable[..., object]:
    """Upload bytes for the purpose ``score`` up to the check."""
    from amgs.core.base import PUBLIC
    from amgs.files.services import complete_upload, open_upload, part_key
    from amgs.files.storage import get_storage

    def make(data: bytes, name: str = "clip.mp4", user=None, complete: bool = True):
        upload = open_upload(user=user, lab=None, name=name, size=len(data), purpose="score")
        get_storage().put(part_key(upload, 1), data)
        if complete:
            complete_upload(upload=upload, by=user or PUBLIC)
            upload.refresh_from_db()
        return upload

    return make


@pytest.fixture(scope="session")
def render() -> Callable[..., Path]:
    """Write a clip of a rendered mouse at twelve frames per second."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    def make(path: Path, animal: int = 1, seconds: float = 1.0) -> Path:
        plan = ClipPlan(
            coat=load_scale().coats[animal % 2],
            look=Look(),
            animal=animal,
            pain=0.5,
            duration_s=seconds,
            fps=12,
            size=(200, 150),
        )
        write_clip(path, plan, seed=animal)
        return path

    return make


@pytest.fixture(scope="session")
def bundles(tmp_path_factory, render) -> list[tuple[Path, str]]:
    """Two packed bundles that learned next to nothing, with their digests."""
    import pandas as pd

    from models.bundle import pack, seal
    from models.manifest import beside, split, target_columns, write_apart
    from models.media import open_media
    from models.scale import load_scale

    scale = load_scale()
    folder = tmp_path_factory.mktemp("bundles")
    media = folder / "media"
    media.mkdir()
    rows = []
    for animal in range(16):
        clip = render(folder / "clip.mp4", animal, 0.5)
        sha256 = hashlib.sha256(clip.read_bytes()).hexdigest()
        clip.rename(media / sha256)
        with open_media(media / sha256) as film:
            for frame in film:
                rows.append(
                    {
                        "frame": f"{animal}-{frame.index:02d}",
                        "blob": sha256,
                        "stream": 0,
                        "pts": frame.pts,
                        "tb_num": frame.time_base[0],
                        "tb_den": frame.time_base[1],
                        "dataset": "AMGS-000001/1",
                        "lab": "Harbour",
                        "animal": f"a{animal}",
                        "coat": scale.coats[animal % 2].key,
                        "phantom": True,
                        "random_share": True,
                        "votes": "[]",
                    }
                    | dict.fromkeys(("observation", "assay", "sex", "strain", "time_point"), "x")
                    | {
                        name: 1.0 if name.endswith(("p0", "scorable")) else 0.0
                        for name in target_columns(scale)
                    }
                )
    table = pd.DataFrame(rows)
    animals = table.groupby("animal", as_index=False)[["lab", "coat"]].first()
    table["split"] = table["animal"].map(split(animals, {}, 0))
    training, out, cache = folder / "manifest.parquet", folder / "out", folder / "cache"
    write_apart(training, table, {})
    benchmark = beside(training, "benchmark")
    for command in (
        ("train", "--config", "tiny", "--manifest", training, "--out", out),
        (
            *("evaluate", "--bundle", out / "trained", "--manifest", benchmark),
            *("--training", training, "--out", out / "evaluation", "--finish", out / "bundle"),
        ),
    ):
        subprocess.run(
            [
                *(sys.executable, "-m", "models", *map(str, command)),
                *("--media", str(media), "--cache", str(cache)),
            ],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
    made = []
    for number in range(2):
        # Another card makes another bundle: its digest is over all files.
        card = out / "bundle" / "card.md"
        card.write_text(f"{card.read_text()}\nBundle {number} of the tests.\n")
        digest = seal(out / "bundle")
        packed = folder / f"{number}.tar"
        pack(out / "bundle", packed)
        made.append((packed, digest))
    return made


@pytest.fixture
def serve_bundle(bundles, serve):
    """Let a version with one of the real bundles serve."""

    def make(number: int = 0):
        packed, digest = bundles[number]
        key = f"test/{number}.tar"
        from amgs.files.storage import get_storage

        with packed.open("rb") as stream:
            get_storage().put(key, stream)
        return serve(bundle_key=key, digest=digest, snapshot=f"snapshot-{number}")

    return make


@pytest.fixture
def serve_shipped(serve, tmp_path):
    """Let a version with the bundle that comes with the program serve: it grades phantoms well."""
    from amgs.files.storage import get_storage
    from models.bundle import load_bundle, pack

    def make(snapshot: str = "snapshot-0", **given):
        folder = ROOT / "models" / "bundles" / "phantom"
        packed = tmp_path / "shipped.tar"
        pack(folder, packed)
        with packed.open("rb") as stream:
            get_storage().put("test/shipped.tar", stream)
        bundle = load_bundle(folder)
        return serve(
            bundle_key="test/shipped.tar",
            digest=bundle.digest,
            snapshot=snapshot,
            info=bundle.info,
            **given,
        )

    return make


@pytest.fixture(scope="session")
def mice(tmp_path_factory) -> list[tuple[Path, Path]]:
    """Clips of twelve rendered animals at ease and in pain, half a second each."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    folder = tmp_path_factory.mktemp("mice")
    made = []
    for animal in range(12):
        pair = []
        for name, pain in (("before", 0.05), ("after", 0.8)):
            plan = ClipPlan(
                coat=load_scale().coats[0],
                look=Look(),
                animal=700 + animal,
                pain=pain,
                duration_s=0.5,
                fps=12,
                size=(320, 240),
            )
            pair.append(folder / f"{animal}-{name}.mp4")
            write_clip(pair[-1], plan, seed=animal)
        made.append((pair[0], pair[1]))
    return made


@pytest.fixture
def study(lab, mice):
    """Publish a laparotomy study of twelve animals before and after, and freeze a snapshot of it.

    Ten animals are put into ``split``, two into training; the raters grade 0 before and 1 after.
    """
    from django.utils import timezone

    from amgs.core.base import SYSTEM
    from amgs.files.services import store_file
    from amgs.repository import models as repository
    from amgs.repository.frozen import freeze
    from amgs.review.models import Consensus
    from amgs.training.freeze import freeze_snapshot
    from amgs.training.models import Placement
    from models.media import open_media
    from models.scale import load_scale

    def make(split: str = "benchmark", lab_name: str = "Harbour"):
        scale = load_scale()
        dataset = repository.Dataset.objects.create(
            number=repository.Dataset.objects.count() + 1, lab=lab(lab_name), phantom=True
        )
        version = repository.Version.objects.create(
            dataset=dataset,
            title="A study",
            metadata={"assay": "post_surgical", "procedure": "laparotomy"},
        )
        repository.Permission.objects.create(
            version=version, kind="train", text_version="1", signer_name="Alice Arber"
        )
        group = repository.Group.objects.create(
            dataset=dataset, name="A", metadata={"drug": "vehicle"}
        )
        for number, pair in enumerate(mice):
            animal = repository.Animal.objects.create(
                dataset=dataset,
                name=f"m{number}",
                pseudonym=f"P{number}",
                group=group,
                metadata={"coat": scale.coat_keys[0], "sex": "female", "strain": "CD-1"},
            )
            # Ten animals can be assessed; the others are there to have learned from.
            Placement.objects.create(animal=animal, split=split if number < 10 else "train")
            for name, hours, path in zip(("baseline", "after"), (-24.0, 4.0), pair, strict=True):
                observation = repository.Observation.objects.create(
                    animal=animal, name=name, metadata={"hours_after_procedure": hours}
                )
                recording = repository.Recording.objects.create(
                    dataset=dataset,
                    observation=observation,
                    name=path.name,
                    blob=store_file(path, "video/mp4"),
                    status="ready",
                )
                recording.versions.add(version)
                with open_media(path) as film:
                    times = [(one.pts, *one.time_base) for one in film]
                for place, (pts, num, den) in enumerate(times):
                    frame = repository.Frame.objects.create(
                        recording=recording,
                        pts=pts,
                        tb_num=num,
                        tb_den=den,
                        number=place,
                        time_s=pts * num / den,
                        drawn=True,
                    )
                    grade = int(hours > 0)
                    Consensus.objects.bulk_create(
                        Consensus(
                            frame=frame,
                            unit=unit,
                            probabilities=[float(grade == value) for value in range(3)],
                            scorable=1.0,
                            votes=[],
                        )
                        for unit in scale.unit_keys
                    )
        repository.Version.objects.filter(pk=version.pk).update(
            state="published", published_at=timezone.now(), design=freeze(version)
        )
        return freeze_snapshot(by=SYSTEM)

    return make


@pytest.fixture
def scored(serve, tmp_path, render) -> Callable[..., Any]:
    """Make a score of a rendered clip as its job would leave it, without a model at work."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.files.services import store_file
    from amgs.files.storage import get_storage
    from amgs.scoring.models import ToolRun
    from models.exports import write_columns, write_csv, write_predictions_parquet
    from models.media import open_media
    from models.records import FrameKey, Grade, Prediction
    from models.result import summarise
    from models.scale import load_scale

    scale = load_scale()

    def make(user: Any = None, phantom: bool = True, clip: Path | None = None) -> Any:
        clip = clip or render(tmp_path / "clip.mp4")
        said = []
        with open_media(clip) as film:
            for frame in film:
                key = FrameKey("a" * 64, 0, frame.pts, frame.time_base)
                grades = tuple(Grade(key, 1, None, (0.2, 0.6, 0.2), 0.9) for key in scale.unit_keys)
                state = scale.graded_state.key
                said.append(
                    Prediction(key, frame.index, frame.time_s, state, None, grades, 1.0, None)
                )
        write_predictions_parquet(tmp_path / "predictions.parquet", said, model="mouse-v1")
        write_csv(tmp_path / "frames.csv", said, model="mouse-v1")
        write_columns(tmp_path / "course.bin", said)
        outputs = {}
        for name in ("predictions.parquet", "frames.csv", "course.bin"):
            outputs[name] = f"test/{name}"
            get_storage().put(outputs[name], (tmp_path / name).read_bytes())
        version = serve(phantom=phantom)
        job = Job.objects.create(
            kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
        )
        told = summarise(said, scale, phantom=phantom).to_json()
        return ToolRun.objects.create(
            name="cage 7.mp4",
            user=user,
            job=job,
            blob=store_file(clip, "video/mp4"),
            model_version=version,
            result=told | {"best_frames": [], "worst_frames": []},
            outputs=outputs,
            provenance={
                "model": version.identifier,
                "model_id": version.public_id,
                "bundle_digest": version.digest,
                "snapshot": "snapshot-0",
                "phantom": phantom,
                "scored_at": "2026-01-31T10:00:00+00:00",
                "file": "cage 7.mp4",
                "file_sha256": "a" * 64,
            },
        )

    return make

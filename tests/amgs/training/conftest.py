"""Published versions with consensus, made straight in the tables."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from django.utils import timezone

MANIFEST_TYPE = "application/vnd.apache.parquet"


@pytest.fixture
def publish(lab) -> Callable[..., object]:
    """Publish a version whose animals each have one recording with graded frames.

    ``videos`` maps animal numbers to files of real bytes; without them blobs are names only.
    """
    from amgs.files.models import Blob
    from amgs.files.services import store_file
    from amgs.repository.frozen import freeze
    from amgs.repository.models import (
        Animal,
        Dataset,
        Frame,
        Observation,
        Permission,
        Recording,
        Version,
    )
    from amgs.review.models import Consensus
    from models.scale import load_scale

    units = load_scale().unit_keys

    def make(
        lab_name: str = "Harbour",
        *,
        animals: int = 4,
        frames: int = 3,
        train: bool = True,
        coat: str = "white",
        state: str = "published",
        seed: int = 0,
        videos: dict[int, tuple[Path, list[tuple[int, int, int]]]] | None = None,
        dataset: Dataset | None = None,
        number: int = 1,
    ) -> Version:
        chance = random.Random(f"{lab_name}{seed}")
        if dataset is None:
            dataset = Dataset.objects.create(
                number=Dataset.objects.count() + 1, lab=lab(lab_name), phantom=True
            )
        version = Version.objects.create(
            dataset=dataset,
            number=number,
            title="A study",
            metadata={"assay": "post_surgical"},
        )
        if train:
            Permission.objects.create(
                version=version, kind="train", text_version="1", signer_name="Alice Arber"
            )
        for index in range(animals):
            animal = Animal.objects.create(
                dataset=dataset,
                name=f"m{index} of {version.number}",
                pseudonym=f"P{index}",
                metadata={"coat": coat, "sex": "female", "strain": "C57BL/6J"},
            )
            observation = Observation.objects.create(animal=animal, name="baseline")
            if videos:
                path, times = videos[index]
                blob = store_file(path, "video/mp4")
            else:
                sha256 = hashlib.sha256(f"{dataset.number}/{animal.name}".encode()).hexdigest()
                blob = Blob.objects.create(sha256=sha256, size=1, key=f"blobs/{sha256}")
                times = [(1000 * step, 1, 1000) for step in range(frames)]
            recording = Recording.objects.create(
                dataset=dataset,
                observation=observation,
                name=f"{animal.name}.mp4",
                blob=blob,
                status="ready",
            )
            recording.versions.add(version)
            for place, (pts, num, den) in enumerate(times):
                frame = Frame.objects.create(
                    recording=recording,
                    pts=pts,
                    tb_num=num,
                    tb_den=den,
                    number=place,
                    time_s=pts * num / den,
                    drawn=True,
                )
                Consensus.objects.bulk_create(
                    _consensus(Consensus, frame, unit, chance) for unit in units
                )
        # At last: what is published takes no more recordings, and keeps its design as it is.
        Version.objects.filter(pk=version.pk).update(
            state=state, published_at=timezone.now(), design=freeze(version)
        )
        version.refresh_from_db()
        return version

    return make


def _consensus(table, frame, unit, chance):
    grade = chance.choice((0, 0, 1, 2))
    votes = [
        {
            "rater": rater,
            "unit": unit,
            "grade": grade,
            "reason": None,
            "weight": 1.0,
            "source": "sheet",
        }
        for rater in ("r1", "r2")
    ]
    return table(
        frame=frame,
        unit=unit,
        probabilities=[float(grade == value) for value in range(3)],
        scorable=1.0,
        votes=votes,
    )


@pytest.fixture(scope="session")
def films(tmp_path_factory) -> dict[int, tuple[Path, list[tuple[int, int, int]]]]:
    """Rendered clips of twenty animals, each with the timestamps of its frames."""
    from models.media import open_media
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    scale = load_scale()
    folder = tmp_path_factory.mktemp("films")
    made = {}
    for animal in range(20):
        plan = ClipPlan(
            coat=scale.coats[animal % 2],
            look=Look(),
            animal=animal,
            pain=animal / 20,
            duration_s=0.5,
            fps=12,
            size=(200, 150),
        )
        path = folder / f"{animal}.mp4"
        write_clip(path, plan, seed=animal)
        with open_media(path) as media:
            made[animal] = (path, [(f.pts, *f.time_base) for f in media])
    return made


@pytest.fixture
def lenient(monkeypatch) -> str:
    """Name a gate profile that a model which learned nothing passes.

    Gates that want figures such a model may not have at all are left out.
    """
    import dataclasses

    from curation import gates

    profile = dataclasses.replace(
        gates.PROFILES["demo"], name="lenient", benchmark_frames=1, benchmark_animals=1
    )
    monkeypatch.setattr(
        gates, "GATES", (gates.integrity, gates.origin, gates.benchmark_size, gates.non_inferiority)
    )
    monkeypatch.setitem(gates.PROFILES, "lenient", profile)
    return "lenient"

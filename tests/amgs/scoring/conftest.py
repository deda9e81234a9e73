"""A version that serves, without a bundle."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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

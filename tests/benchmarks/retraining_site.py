"""A site with 20,000 graded frames that freezes, trains, measures and judges once.

``python retraining_site.py VAR FRAMES`` in an empty folder, on the embedded default with the
shipped model serving; prints what each step took as JSON. The films are rendered phantoms of ten
animals, packed anew for every animal of the site: as many bytes to decode as with other mice.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LABS = ("Harbour", "Meadow", "Brook", "Hill")
FRAMES_PER_FILM = 100
RENDERED = 10
RECIPE, PROFILE = "smoke", "demo"


def render(folder: Path, films: int = RENDERED, frames: int = FRAMES_PER_FILM) -> list[Path]:
    """Short clips of different animals, white and black, with more and less pain."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    coats = load_scale().coats
    made = []
    for animal in range(films):
        plan = ClipPlan(
            coat=coats[animal % 2],
            look=Look(noise=1.0),
            animal=animal,
            pain=animal / films,
            duration_s=frames / 12,
            fps=12,
            size=(200, 150),
        )
        made.append(folder / f"{animal}.mp4")
        write_clip(made[-1], plan, seed=animal)
    return made


def pack_anew(film: Path, number: int, target: Path) -> Path:
    """The same film as another file: a box that players skip holds a number."""
    text = f"animal {number}".encode()
    target.write_bytes(film.read_bytes() + (8 + len(text)).to_bytes(4, "big") + b"free" + text)
    return target


def fill(frames: int) -> Any:
    """Datasets of four labs, films, frames and consensus; return the last, not yet published."""
    from django.utils import timezone

    from amgs.accounts.models import Lab
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
    from models.media import frame_times, open_media
    from models.scale import load_scale

    scale = load_scale()
    animals = frames // FRAMES_PER_FILM
    with tempfile.TemporaryDirectory() as scratch:
        films = render(Path(scratch))
        times = {film: frame_times(film) for film in films}
        with open_media(films[0]) as media:
            base = media.time_base
        versions = []
        for number, lab in enumerate(LABS):
            dataset = Dataset.objects.create(
                number=number + 1, lab=Lab.objects.create(name=lab), phantom=True
            )
            version = Version.objects.create(
                dataset=dataset, number=1, title="A study", metadata={"assay": "post_surgical"}
            )
            Permission.objects.create(
                version=version, kind="train", text_version="1", signer_name="A person"
            )
            versions.append(version)
        for index in range(animals):
            version = versions[index % len(versions)]
            film = films[index % len(films)]
            packed = pack_anew(film, index, Path(scratch) / "packed.mp4")
            animal = Animal.objects.create(
                dataset=version.dataset,
                name=f"m{index}",
                pseudonym=f"P{index}",
                metadata={"coat": scale.coats[index % 2].key},
            )
            recording = Recording.objects.create(
                dataset=version.dataset,
                observation=Observation.objects.create(animal=animal, name="baseline"),
                name=f"{index}.mp4",
                blob=store_file(packed, "video/mp4"),
                status="ready",
            )
            recording.versions.add(version)
            made = Frame.objects.bulk_create(
                Frame(
                    recording=recording,
                    pts=pts,
                    tb_num=base[0],
                    tb_den=base[1],
                    number=place,
                    time_s=pts * base[0] / base[1],
                    drawn=True,
                )
                for place, pts in enumerate(times[film])
            )
            chance = random.Random(index)
            Consensus.objects.bulk_create(
                _consensus(Consensus, frame, unit.key, chance)
                for frame in made
                for unit in scale.units
            )
    for version in versions[:-1]:
        Version.objects.filter(pk=version.pk).update(
            state="published", published_at=timezone.now(), design=freeze(version)
        )
    Version.objects.filter(pk=versions[-1].pk).update(state="accepted")
    return versions[-1]


def _consensus(table: Any, frame: Any, unit: str, chance: random.Random) -> Any:
    grade = chance.choice((0, 0, 1, 2))
    vote = {"unit": unit, "grade": grade, "reason": None, "weight": 1.0, "source": "sheet"}
    return table(
        frame=frame,
        unit=unit,
        probabilities=[float(grade == value) for value in range(3)],
        scorable=1.0,
        votes=[{**vote, "rater": rater} for rater in ("r1", "r2", "r3")],
    )


def walk(frames: int) -> dict[str, Any]:
    """Fill, approve the last dataset, let the policy start a run, and let it end."""
    from django.core.management import call_command
    from django.utils import timezone

    from amgs.core import jobs
    from amgs.core.base import SYSTEM
    from amgs.core.models import Job
    from amgs.repository.frozen import freeze
    from amgs.repository.models import Version
    from amgs.training import services, triggers
    from amgs.training.jobs import POLICY_EVERY
    from amgs.training.models import Policy, Run

    call_command("migrate", verbosity=0)
    shipped = ROOT / "models" / "bundles" / "phantom"
    if (shipped / "bundle.json").is_file():
        call_command("register_shipped", str(shipped), verbosity=0)
    last = fill(frames)
    services.get_policy()
    Policy.objects.update(recipe=RECIPE, profile=PROFILE, min_new_frames=frames)

    started = time.monotonic()
    Version.objects.filter(pk=last.pk).update(
        state="published", published_at=timezone.now(), design=freeze(last)
    )
    trigger = triggers.evaluate()
    if trigger is None or trigger.run is None:
        raise RuntimeError("the policy started no run")
    snapshot = services.freeze_snapshot(by=SYSTEM)
    frozen = time.monotonic() - started + POLICY_EVERY.total_seconds()
    Run.objects.filter(pk=trigger.run.pk).update(snapshot=snapshot, benchmark=snapshot.benchmark)

    jobs.run(trigger.run.job.public_id)
    run = Run.objects.select_related("job", "model_version").get(pk=trigger.run.pk)
    if run.job.state != Job.State.DONE or run.model_version is None:
        raise RuntimeError(f"the run ended as {run.job.state}: {run.job.error} {run.job.trace}")

    def at(words: str) -> datetime:
        found = [line["at"] for line in run.tail if line["sentence"].startswith(words)]
        return datetime.fromisoformat(found[0])

    judged = at("measuring") if run.model_version.measured_against else at("the gates judge")
    return {
        "frames": snapshot.frames,
        "freeze": frozen,
        "train_and_judge": (judged - at("bringing the recordings it learns")).total_seconds(),
        "verdict": (run.job.finished_at - at("bringing the recordings of")).total_seconds(),
        "champion": str(run.model_version.measured_against),
        "state": run.model_version.state,
        "stages": run.model_version.report["training"]["stages"],
        "tail": run.tail,
    }


if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    os.environ |= {"AMGS_VAR": sys.argv[1], "DJANGO_SETTINGS_MODULE": "amgs.settings.base"}
    shutil.rmtree(sys.argv[1], ignore_errors=True)
    import django

    django.setup()
    told = walk(int(sys.argv[2]))
    print(json.dumps(told))

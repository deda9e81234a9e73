"""People, labs and storage that the tests of the platform share.

Permission tests read like a story: Alice belongs to the Harbour lab, Bob to the Meadow lab; Rita
rates and belongs to no lab, Rolf rates and belongs to Harbour; Cora curates and belongs to no
lab, Carl curates and belongs to Harbour; Mia maintains; Petra is the public with a login.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import psutil
import pytest
from django.db.models.functions import Now

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _objects_of_this_test(settings, tmp_path):
    """Give every test an empty local storage of its own."""
    settings.STORAGE_URL = f"file://{tmp_path / 'objects'}"
    settings.VAR = tmp_path / "var"


@pytest.fixture
def lab(db) -> Callable[..., object]:
    """Make a lab, or find it, by name."""
    from amgs.accounts.models import Lab

    def make(name: str):
        return Lab.objects.get_or_create(name=name, defaults={"institution": "Test University"})[0]

    return make


@pytest.fixture
def person(db) -> Callable[..., object]:
    """Make a person with roles and, where given, a lab; their password is the same for all."""
    from amgs.accounts.models import Grant, Membership, User

    def make(name: str, *roles: str, lab=None):
        user = User.objects.create_user(
            f"{name.split()[0].lower()}@example.org", PASSWORD, full_name=name
        )
        Grant.objects.bulk_create(Grant(user=user, role=role) for role in roles)
        if lab is not None:
            Membership.objects.create(user=user, lab=lab)
        return user

    return make


@pytest.fixture
def harbour(lab):
    """Alice's lab, whose data most stories are about."""
    return lab("Harbour")


@pytest.fixture
def meadow(lab):
    """Bob's lab, another one."""
    return lab("Meadow")


@pytest.fixture
def alice(person, harbour):
    """A contributor of the Harbour lab."""
    return person("Alice Arber", lab=harbour)


@pytest.fixture
def bob(person, meadow):
    """A contributor of the Meadow lab."""
    return person("Bob Brandt", lab=meadow)


@pytest.fixture
def rita(person):
    """A rater of no lab."""
    return person("Rita Roth", "rater")


@pytest.fixture
def rolf(person, harbour):
    """A rater who belongs to the Harbour lab."""
    return person("Rolf Rask", "rater", lab=harbour)


@pytest.fixture
def cora(person):
    """A curator of no lab."""
    return person("Cora Costa", "curator")


@pytest.fixture
def carl(person, harbour):
    """A curator who belongs to the Harbour lab."""
    return person("Carl Chen", "curator", lab=harbour)


@pytest.fixture
def mia(person):
    """A maintainer."""
    return person("Mia Moreau", "maintainer")


@pytest.fixture
def petra(person):
    """Somebody with a login and no role."""
    return person("Petra Public")


@pytest.fixture
def run_jobs(db) -> Callable[..., list]:
    """Run every due job in this process until none is left; return them as they ended.

    A job that breaks fails the test with its traceback, unless ``broken=True`` expects it.
    """
    from amgs.core import jobs
    from amgs.core.models import Job

    def run(*, limit: int = 500, broken: bool = False) -> list:
        ended: dict[str, None] = {}
        for _ in range(limit):
            row = (
                Job.objects.filter(state=Job.State.QUEUED, due_at__lte=Now())
                .order_by("due_at", "pk")
                .first()
            )
            if row is None:
                return [Job.objects.get(public_id=public_id) for public_id in ended]
            jobs.run(row.public_id)
            row.refresh_from_db()
            ended[row.public_id] = None
            if row.trace and not broken:
                pytest.fail(f"the job {row.kind} broke:\n{row.trace}", pytrace=False)
        return pytest.fail(f"jobs went on without an end after {limit} of them")

    return run


@pytest.fixture
def token_of(db) -> Callable[..., str]:
    """Make an API token of a person and return its secret."""
    from amgs.accounts.services import SCOPES, create_token

    def make(user, *scopes: str) -> str:
        return create_token(user=user, name="test", scopes=scopes or SCOPES)[1]

    return make


# A contribution, step by step: clip and sheet → upload → draft → submitted → in review → …


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Callable[..., bytes]:
    """Film a grey square that moves, different for every number, as MPEG-4 in MP4."""
    import av
    import numpy as np

    made: dict[tuple[int, int], bytes] = {}

    def film(number: int = 0, frames: int = 20) -> bytes:
        if (number, frames) in made:
            return made[number, frames]
        path = tmp_path_factory.mktemp("clips") / f"{number}.mp4"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.width, stream.height, stream.pix_fmt = 96, 80, "yuv420p"
            for index in range(frames):
                picture = np.full((80, 96, 3), 30 + 7 * number % 200, np.uint8)
                picture[10:30, index : index + 20] = 200
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                for packet in stream.encode(frame):
                    container.mux(packet)
            for packet in stream.encode():
                container.mux(packet)
        made[number, frames] = path.read_bytes()
        return made[number, frames]

    return film


@pytest.fixture
def sheet() -> Callable[..., bytes]:
    """Write a long score sheet: ``{(file, frame, rater): {unit: cell} or one cell for all}``."""
    from models.scale import load_scale

    def write(rows) -> bytes:
        keys = load_scale().unit_keys
        lines = [",".join(["file", "frame", "rater", *keys])]
        for (file, frame, rater), cells in rows.items():
            values = [str(cells.get(key, 0) if isinstance(cells, dict) else cells) for key in keys]
            lines.append(",".join([file, str(frame), rater, *values]))
        return "\n".join(lines).encode()

    return write


@pytest.fixture
def send(db, run_jobs) -> Callable[..., object]:
    """Send bytes as an upload of a person's lab; the blob exists when this returns."""
    from amgs.files import services
    from amgs.files.storage import get_storage

    def deliver(user, name: str, data: bytes, purpose: str, *, complete: bool = True):
        lab = user.labs.first()
        upload = services.open_upload(
            user=user, lab=lab, name=name, size=len(data), purpose=purpose
        )
        for part in range(1, upload.part_count + 1):
            start = (part - 1) * upload.part_size
            get_storage().put(
                services.part_key(upload, part), data[start : start + upload.part_size]
            )
        if complete:
            services.complete_upload(upload=upload, by=user)
            run_jobs()
            upload.refresh_from_db()
        return upload

    return deliver


@pytest.fixture
def draft(alice, harbour, clip, sheet, send, run_jobs) -> Callable[..., object]:
    """Make a draft of Harbour without fault: animals at two time points, films, a blind sheet.

    ``grades=False`` leaves the sheet out; ``given`` overrides what ``create_dataset`` gets.
    """
    from amgs.repository import services
    from models.scale import load_scale

    def make(*, by=None, animals: int = 2, grades: bool = True, seed: int = 0, **given):
        by = by or alice
        coats = load_scale().coat_keys
        fields = {
            "title": "Grimace after laparotomy",
            "licence": "CC0-1.0",
            "ethics": "Approved, number 12/2026",
            "metadata": {
                "assay": "post_surgical",
                "assigned_unit": "animal",
                "raters_blind": "yes",
                "frames_chosen": "random",
                "people_and_cards": "none_seen",
            },
            "phantom": True,
        }
        version = services.create_dataset(by=by, lab=by.labs.first(), **{**fields, **given})
        names = [f"m{number}" for number in range(1, animals + 1)]
        times = {"baseline": -24.0, "after": 4.0}
        services.set_design(
            by=by,
            version=version,
            groups=[{"name": "alpha", "treatment": {"drug": "vehicle"}}],
            animals=[
                {
                    "name": name,
                    "group": "alpha",
                    "cage": "c1",
                    "sex": "female",
                    "strain": "CD-1",
                    "coat": coats[number % len(coats)],
                    "age_weeks": 9,
                }
                for number, name in enumerate(names)
            ],
            observations=[
                {"animal": name, "name": time, "hours_after_procedure": hours}
                for name in names
                for time, hours in times.items()
            ],
        )
        services.sign_permissions(
            by=by,
            version=version,
            kinds=["outside_raters", "train", "show_frames", "download"],
            signer_name="Prof. Arber",
            right_to_share=True,
        )
        rows = {}
        places = [(name, time) for name in names for time in times]
        for number, (name, time) in enumerate(places, start=seed * 100 + 1):
            file = f"r{number:04d}.mp4"
            services.add_recording(
                by=by,
                version=version,
                upload=send(by, file, clip(number), "recording"),
                name=file,
                animal=name,
                observation=time,
            )
            for frame in (2, 11):
                rows[file, frame, "1"] = number % 3
                rows[file, frame, "2"] = (number + frame) % 3
        if grades:
            services.import_labels(
                by=by,
                version=version,
                upload=send(by, "scores.csv", sheet(rows), "labels"),
                name="scores.csv",
                declared={},
            )
        run_jobs()
        version.refresh_from_db()
        return version

    return make


@pytest.fixture
def take(run_jobs) -> Callable[..., object]:
    """Take steps of a version's life one after the other, each with the person who may."""
    from amgs.repository.services import decide_version

    def walk(version, *steps: tuple[str, object], **options):
        for action, by in steps:
            decide_version(by=by, version=version, action=action, why="for the story", **options)
            run_jobs()
            version.refresh_from_db()
        return version

    return walk


@pytest.fixture
def until() -> Callable[..., object]:
    """Return the first true answer of a question; fail the test after a deadline."""

    def wait(what: str, holds: Callable[[], object], seconds: float = 90.0) -> object:
        deadline = monotonic() + seconds
        while monotonic() < deadline:
            if answer := holds():
                return answer
            sleep(0.02)  # the answer comes from another process
        return pytest.fail(f"{what} did not happen within {seconds:.0f} s")

    return wait


@pytest.fixture
def start_worker(settings, tmp_path) -> Iterator[Callable[[str], psutil.Process]]:
    """Start a real worker for some queues on this test's database, storage and broker.

    The test needs ``django_db(transaction=True)``, and calls ``sweep`` itself, as beat would.
    """
    log = (tmp_path / "worker.log").open("ab")
    started: list[subprocess.Popen] = []

    def start(queues: str) -> psutil.Process:
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "amgs.settings.testing",
            "DATABASE_URL": f"sqlite://{settings.DATABASES['default']['NAME']}",
            "STORAGE_URL": settings.STORAGE_URL,
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
            "PYTHONWARNINGS": "ignore:You're running the worker",
            "OMP_NUM_THREADS": "1",
        }
        command = [sys.executable, "-m", "celery", "--skip-checks", "-q", "-A", "amgs.celery"]
        command += ["worker", "-Q", queues, "-c", "1"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        started.append(process)
        return psutil.Process(process.pid)

    yield start
    for process in started:
        try:
            tree = psutil.Process(process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            tree = []
        process.kill()
        for child in tree:
            child.kill()
        process.wait()
    log.close()


@pytest.fixture
def rows_of(alice, harbour) -> Callable[..., object]:
    """Make a version of Harbour from rows alone: animals at two times, films, frames, votes.

    ``votes`` gives (grade or None) per rater of a blind sheet for every unit of every frame. No
    file is behind it, so that stories about deciding need no film.
    """
    from django.utils import timezone

    from amgs.repository import models as repository
    from amgs.repository.search import refresh
    from amgs.review.models import Screening
    from models.scale import load_scale

    def make(state="in_review", *, animals=2, frames=2, votes=(1, 1), lab=None, by=None, **given):
        lab = lab or harbour
        number = repository.Dataset.objects.count() + 1
        dataset = repository.Dataset.objects.create(
            number=number, lab=lab, created_by=by or alice, phantom=True
        )
        fields = {
            "title": "Grimace after laparotomy",
            "licence": "CC0-1.0",
            "metadata": {"assay": "post_surgical", "raters_blind": "yes"},
            "submitted_at": timezone.now(),
        }
        version = repository.Version.objects.create(
            dataset=dataset, state=state, **(fields | given)
        )
        coat = load_scale().coat_keys[0]
        sheet = repository.LabelImport.objects.create(
            dataset=dataset, name="scores.csv", status="done", raters=["1", "2"], frames_matched=1
        )
        ratings = []
        for place in range(animals):
            animal = repository.Animal.objects.create(
                dataset=dataset,
                name=f"m{place + 1}",
                pseudonym=f"M{place + 1:03d}",
                metadata={"coat": coat},
            )
            for time, hours in (("after", 4.0), ("baseline", -24.0)):
                observation = repository.Observation.objects.create(
                    animal=animal, name=time, metadata={"hours_after_procedure": hours}
                )
                recording = repository.Recording.objects.create(
                    dataset=dataset,
                    observation=observation,
                    name=f"{animal.name}-{time}.mp4",
                    status="ready",
                    media={"kind": "video", "width": 640, "height": 480, "duration_s": 20.0},
                )
                recording.versions.add(version)
                for second in range(frames):
                    frame = repository.Frame.objects.create(
                        recording=recording,
                        pts=second * 1000,
                        tb_num=1,
                        tb_den=1000,
                        number=second * 25,
                        time_s=float(second),
                    )
                    ratings += [
                        repository.Rating(
                            frame=frame,
                            unit=unit,
                            grade=grade,
                            reason="" if grade is not None else load_scale().reason_keys[0],
                            rater_name=str(rater + 1),
                            source="sheet",
                            label_import=sheet,
                        )
                        for unit in load_scale().unit_keys
                        for rater, grade in enumerate(votes)
                    ]
        repository.Rating.objects.bulk_create(ratings)
        repository.Permission.objects.create(
            version=version, kind="outside_raters", text_version="1", signer_name="A"
        )
        Screening.objects.create(version=version, facts={"version": "x"}, passed=True)
        refresh(version)
        return repository.Version.objects.select_related("dataset__lab").get(pk=version.pk)

    return make

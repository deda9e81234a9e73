"""A site with people and data for the browser: real services, rendered mice, a worker."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now

PASSWORD = "correct horse battery"
DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
NEXT_STILL = "before => document.getElementById('still')?.getAttribute('src') !== before"
# Refusals and cut connections are part of some stories; broken scripts and policies never are.
EXPECTED = re.compile(r"Failed to load resource: (?!.*status of 5)")
TIMES = {"baseline": -24.0, "after": 4.0}


@pytest.fixture(autouse=True)
def _site_of_this_test(settings, tmp_path, live_server):
    """Give every test an empty storage and the address under which it is reached."""
    settings.STORAGE_URL = f"file://{tmp_path / 'objects'}"
    settings.VAR = tmp_path / "var"
    settings.SITE_URL = live_server.url
    settings.CSRF_TRUSTED_ORIGINS = [live_server.url]


@pytest.fixture
def run_jobs(transactional_db) -> Callable[[], int]:
    """Run every due job in this process until none is left; return how many ran."""
    from amgs.core import jobs
    from amgs.core.models import Job

    def run() -> int:
        count = 0
        while row := (
            Job.objects.filter(state=Job.State.QUEUED, due_at__lte=Now())
            .order_by("due_at", "pk")
            .first()
        ):
            jobs.run(row.public_id)
            row.refresh_from_db()
            assert not row.trace, f"the job {row.kind} broke:\n{row.trace}"
            count += 1
        return count

    return run


@pytest.fixture(scope="session")
def phantom_clip(tmp_path_factory) -> Callable[[int], Path]:
    """Render a short clip of the phantom; the same seed gives the same file."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    folder = tmp_path_factory.mktemp("clips")
    coats = load_scale().coats

    def make(seed: int) -> Path:
        path = folder / f"r{seed:04d}.mp4"
        if not path.exists():
            plan = ClipPlan(
                coat=coats[seed % 2], look=Look(), animal=seed, pain=(seed % 3) / 2, duration_s=2.0
            )
            write_clip(path, plan, seed)
        return path

    return make


class Story:
    """People and what they do, through the services, as the pages would."""

    def __init__(self, run_jobs: Callable[[], int], clip: Callable[[int], Path]) -> None:
        self.run_jobs = run_jobs
        self.clip = clip
        self.clips = 0

    def person(self, name: str, *roles: str, lab: str = "") -> Any:
        """Make a person with a confirmed address, roles and a lab."""
        from amgs.accounts.models import Grant, Lab, Membership, User

        user = User.objects.create_user(
            f"{name.split()[0].lower()}@example.org", PASSWORD, full_name=name
        )
        user.emailaddress_set.create(email=user.email, verified=True, primary=True)
        Grant.objects.bulk_create(Grant(user=user, role=role) for role in roles)
        if lab:
            row, made = Lab.objects.get_or_create(
                name=lab, defaults={"institution": "Test University"}
            )
            Membership.objects.create(user=user, lab=row, is_head=made)
        return user

    def send(self, user: Any, name: str, data: bytes, purpose: str) -> Any:
        """Send a file of one part and complete it."""
        from amgs.files.services import complete_upload, open_upload, part_key
        from amgs.files.storage import get_storage

        upload = open_upload(
            user=user, lab=user.labs.first(), name=name, size=len(data), purpose=purpose
        )
        get_storage().put(part_key(upload, 1), io.BytesIO(data), len(data))
        complete_upload(upload=upload, by=user)
        return upload

    def dataset(self, by: Any, title: str, *, animals: int = 2, frames: int = 3, **given: Any):
        """Make a draft with films of the phantom and a sheet; ``given`` overrides its fields."""
        from amgs.repository import services
        from models.scale import load_scale

        scale = load_scale()
        fields: dict[str, Any] = {
            "title": title,
            "description": "Faces before and after the operation, filmed for half a minute each.",
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
        version = services.create_dataset(by=by, lab=by.labs.first(), **(fields | given))
        names = [f"m{number}" for number in range(1, animals + 1)]
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
                    "coat": scale.coat_keys[number % 2],
                    "age_weeks": 9,
                }
                for number, name in enumerate(names)
            ],
            observations=[
                {"animal": name, "name": time, "hours_after_procedure": hours}
                for name in names
                for time, hours in TIMES.items()
            ],
        )
        services.sign_permissions(
            by=by,
            version=version,
            kinds=["outside_raters", "train", "show_frames", "download"],
            signer_name="Prof. Arber",
            right_to_share=True,
        )
        lines = ["file,frame,rater," + ",".join(scale.unit_keys)]
        for name in names:
            for time in TIMES:
                self.clips += 1
                path = self.clip(self.clips)
                services.add_recording(
                    by=by,
                    version=version,
                    upload=self.send(by, path.name, path.read_bytes(), "recording"),
                    name=path.name,
                    animal=name,
                    observation=time,
                )
                for frame in range(frames):
                    for rater in (1, 2):
                        cells = [
                            str((self.clips + frame + rater * unit) % 3)
                            for unit in range(len(scale.unit_keys) - 1)
                        ]
                        lines.append(f"{path.name},{frame * 5},{rater},{','.join(cells)},9")
        self.sheet(by, version, "\n".join(lines))
        version.refresh_from_db()
        return version

    def sheet(
        self,
        by: Any,
        version: Any,
        text: str,
        name: str = "scores.csv",
        *,
        confirmed: bool = True,
    ) -> str:
        """Send a score sheet and let it be read, or only looked at; return its public id."""
        from amgs.repository import services

        upload = self.send(by, name, text.encode(), "labels")
        row, _ = services.import_labels(
            by=by, version=version, upload=upload, name=name, declared={}, confirmed=confirmed
        )
        self.run_jobs()
        return row.public_id

    def take(self, version: Any, *steps: tuple[str, Any], **options: Any) -> Any:
        """Take steps of a version's life, each with the person who may."""
        from amgs.repository.services import decide_version

        for action, by in steps:
            decide_version(
                by=by,
                version=version,
                action=action,
                why="The checks and the audit fit.",
                **options,
            )
            self.run_jobs()
            version.refresh_from_db()
        return version

    def rate_all(self, rater: Any, most: int = 1000) -> int:
        """Let a rater rate what waits for them, frame by frame."""
        from amgs.review.services import next_assignment, rate
        from models.scale import load_scale

        keys = load_scale().unit_keys
        count = 0
        while count < most and (found := next_assignment(rater=rater)) is not None:
            grades = {key: (count + place) % 3 for place, key in enumerate(keys)}
            rate(assignment=found, by=rater, grades=grades, seconds=3.0)
            count += 1
        self.run_jobs()
        return count


@pytest.fixture
def story(run_jobs, phantom_clip) -> Story:
    """Return the teller of stories."""
    return Story(run_jobs, phantom_clip)


@pytest.fixture
def shipped(settings, transactional_db) -> Any:
    """Let the shipped bundle serve, as on a demonstration site."""
    from amgs.registry.shipped import register_shipped

    settings.ALLOW_PHANTOM = True
    version = register_shipped(Path(__file__).resolve().parents[2] / "models/bundles/phantom")
    assert version is not None
    return version


@pytest.fixture
def score_here() -> Callable[[Any, Path], dict[str, Any]]:
    """Choose a file on the page that scores on the device; return the JSON that it offers."""

    def score(page: Any, path: Path) -> dict[str, Any]:
        page.locator("#file").set_input_files(str(path))
        page.locator("#device-result, #device-problem").locator("visible=true").first.wait_for()
        why = page.locator("#device-why")
        assert not why.is_visible(), why.inner_text()
        with page.expect_download() as download:
            page.locator("#device-json").click()
        return json.loads(Path(download.value.path()).read_text())

    return score


@pytest.fixture
def open_page(browser, live_server) -> Iterator[Callable[..., Any]]:
    """Open a page of the site as somebody, in a context of its own.

    What the browser complains of (a script that broke, a policy that was violated) fails the test.
    """
    contexts = []
    complaints: list[str] = []

    def make(user: Any = None, viewport: dict[str, int] = DESKTOP, **options: Any) -> Any:
        options.setdefault("base_url", live_server.url)
        context = browser.new_context(viewport=viewport, **options)
        contexts.append(context)
        context.set_default_timeout(10_000)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console",
            lambda line: (
                complaints.append(f"{page.url}: {line.text}")
                if line.type == "error" and not EXPECTED.match(line.text)
                else None
            ),
        )
        if user is not None:
            sign_in(page, user)
        return page

    yield make
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)


def sign_in(page: Any, user: Any) -> None:
    """Sign in through the form."""
    page.goto("/accounts/login/")
    page.get_by_label("Email").fill(user.email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign In").click()
    page.wait_for_url(lambda address: "/accounts/login" not in address)


@pytest.fixture
def picture(request) -> Callable[[Any, str], None]:
    """Keep a picture of a page where ``AMGS_SCREENSHOTS`` names a folder; else do nothing."""
    folder = os.environ.get("AMGS_SCREENSHOTS")

    def take(page: Any, name: str, *, whole: bool = True) -> None:
        if not folder:
            return
        from PIL import Image
        from playwright.sync_api import TimeoutError as TookTooLong

        with contextlib.suppress(
            TookTooLong
        ):  # a page that asks how far something is, is never idle
            page.wait_for_load_state("networkidle", timeout=3000)
        place = Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        shown = Image.open(io.BytesIO(page.screenshot(full_page=whole))).convert("RGB")
        shown.quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=3).save(
            place / f"{name}.png", optimize=True
        )

    return take


@pytest.fixture
def worker(transactional_db) -> Iterator[None]:
    """Run jobs in a thread as they come, as a worker beside the site would."""
    import threading

    from django.db import connection

    from amgs.core import jobs
    from amgs.core.models import Job

    over = threading.Event()

    def work() -> None:
        try:
            while not over.wait(0.05):
                due = Job.objects.filter(state=Job.State.QUEUED, due_at__lte=Now())
                for public_id in list(due.order_by("due_at").values_list("public_id", flat=True)):
                    jobs.run(public_id)
        finally:
            connection.close()

    thread = threading.Thread(target=work, name="worker of the test")
    thread.start()
    yield
    over.set()
    thread.join(60)
    broken = [f"{job.kind}: {job.error}\n{job.trace}" for job in Job.objects.exclude(trace="")]
    assert not broken, "\n".join(broken)


@pytest.fixture
def rate_by_keys() -> Callable[..., int]:
    """Rate what waits for the person of a page by keyboard; return how many frames."""

    def work(page: Any, most: int = 1000) -> int:
        count = 0
        page.goto("/rate/")
        while count < most and page.locator("#rating").count():
            before = page.locator("#still").get_attribute("src")
            for key in "0121":
                page.keyboard.press(key)
            page.keyboard.press("n")
            page.keyboard.press("1")
            page.keyboard.press("Enter")
            page.wait_for_function(NEXT_STILL, arg=before)
            count += 1
        return count

    return work

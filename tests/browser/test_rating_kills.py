"""Browsers killed and connections cut while somebody rates: nothing lost, nothing twice.

``AMGS_RATING_KILLS`` and ``AMGS_RATING_CUTS`` say how often; ``make endurance`` asks for 200 each
and reads what ``AMGS_RATING_TOLD`` names.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

KILLS = int(os.environ.get("AMGS_RATING_KILLS", "3"))
CUTS = int(os.environ.get("AMGS_RATING_CUTS", "3"))
TOLD = os.environ.get("AMGS_RATING_TOLD", "")


class Cable:
    """A TCP forwarder that can be pulled out: connections break where they are."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.out = False
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self.server.accept()
            except OSError:
                return  # closed
            if self.out:
                _reset(near)
                continue
            try:
                far = socket.create_connection(("localhost", self.target), timeout=10)
            except OSError:
                _reset(near)
                continue
            far.settimeout(None)
            self.pairs.append((near, far))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(one, other), daemon=True).start()

    def cut(self, seconds: float) -> None:
        """Break every connection and take no new one for a while."""
        self.out = True
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                _reset(end)
        time.sleep(seconds)
        self.out = False

    def close(self) -> None:
        """Take no connection any more."""
        self.server.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _reset(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # A thread that reads holds the connection open until it is shut down.
        end.shutdown(socket.SHUT_RDWR)
    with contextlib.suppress(OSError):
        end.close()


class Rater:
    """A person whose browser keeps its profile over deaths."""

    def __init__(self, kind, program: str, flags, profile: Path, base: str) -> None:
        self.kind, self.program, self.flags = kind, program, flags
        self.profile, self.base = profile, base
        self.page = None
        self.context = None

    def open(self, email: str) -> None:
        """Start the browser and show the page of the raters, signed in."""
        self.email = email
        self.context = self.kind.launch_persistent_context(
            str(self.profile),
            executable_path=self.program,
            args=list(self.flags),
            base_url=self.base,
        )
        self.context.set_default_timeout(60_000)
        self.page = self.context.pages[0]
        self.begin()

    def begin(self) -> None:
        """Show the page of the raters, however often that takes."""
        for _ in range(20):
            with contextlib.suppress(Exception):
                self.page.goto("/rate/")
                if "/accounts/login" in self.page.url:
                    self.page.get_by_label("Email").fill(self.email)
                    self.page.get_by_label("Password").fill(PASSWORD)
                    self.page.get_by_role("button", name="Sign In").click()
                    self.page.wait_for_url(lambda address: "/accounts/login" not in address)
                    continue
                self.page.locator("[data-ready=true]").wait_for(timeout=15_000)
                return
        raise AssertionError("the page of the raters does not come up")

    def kill(self) -> None:
        """Kill every process of the browser as it stands."""
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if any(str(self.profile) in word for word in line):
                with contextlib.suppress(psutil.Error):
                    process.kill()
        with contextlib.suppress(Exception):
            self.context.close()
        for lock in self.profile.glob("Singleton*"):
            lock.unlink(missing_ok=True)

    def press(self, grades: list[int]) -> str:
        """Grade and commit the frame that is shown, and wait for nothing; return its name."""
        name = self.page.locator("#grades").get_attribute("action").rpartition("/")[2]
        for grade in grades:
            self.page.keyboard.press(str(grade))
        self.page.keyboard.press("Enter")
        return str(name)

    def commit(self, grades: list[int]) -> str:
        """Grade the frame that is shown; return its name once the page says that it is kept."""
        name = self.press(grades)
        self.page.wait_for_function(
            "name => !document.getElementById('grades')?.getAttribute('action').endsWith(name)",
            arg=name,
            timeout=60_000,
        )
        return name


PASSWORD = "correct horse battery"


@pytest.fixture
def many(story):
    """Put so many frames with one picture before the raters; return one of them."""
    import io

    from PIL import Image

    from amgs.files.storage import get_storage
    from amgs.repository.models import Dataset, Frame, Recording
    from amgs.review.models import Task

    def make(count: int):
        alice = story.person("Alice Arber", lab="Harbour")
        picture = io.BytesIO()
        Image.new("RGB", (64, 48), (90, 90, 90)).save(picture, "JPEG")
        get_storage().put("stills/aa/aa.jpg", picture.getvalue())
        dataset = Dataset.objects.create(number=1, lab=alice.labs.first())
        recording = Recording.objects.create(dataset=dataset, name="r1.mp4")
        frames = Frame.objects.bulk_create(
            Frame(
                recording=recording,
                pts=number,
                tb_num=1,
                tb_den=25,
                number=number,
                time_s=number / 25,
                still_key="stills/aa/aa.jpg",
            )
            for number in range(count)
        )
        Task.objects.bulk_create(
            Task(
                frame=frame,
                lab=dataset.lab,
                dataset=dataset,
                purpose="random",
                priority=frame.pk,
                wanted=1,
            )
            for frame in frames
        )
        return story.person("Rita Roth", "rater")

    return make


def test_no_rating_is_lost_or_doubled_when_browsers_die_and_connections_break(
    many, browser, live_server, settings, tmp_path
):
    from amgs.repository.models import Rating
    from amgs.review.models import Assignment
    from deploy.local_stack import browser as browser_program
    from models.scale import load_scale

    units = load_scale().unit_keys
    cable = Cable(urlsplit(live_server.url).port)
    settings.SITE_URL = f"http://localhost:{cable.port}"
    settings.CSRF_TRUSTED_ORIGINS = [settings.SITE_URL]
    rita = many(5 * (KILLS + CUTS) + 10)
    rater = Rater(
        browser.browser_type,
        str(browser_program.find()),
        browser_program.FLAGS,
        tmp_path / "profile",
        settings.SITE_URL,
    )
    chance = random.Random(7)
    events = ["kill"] * KILLS + ["cut"] * CUTS
    chance.shuffle(events)
    kept: dict[str, list[int]] = {}  # shown as committed
    begun: dict[str, list[int]] = {}  # committed in the moment of a death

    def drawn() -> list[int]:
        return [chance.randrange(3) for _ in units]

    rater.open(rita.email)
    for event in events:
        for _ in range(chance.randint(1, 2)):
            grades = drawn()
            kept[rater.commit(grades)] = grades
        if event == "cut":
            seconds = chance.uniform(0.0, 0.6)
            cutting = threading.Thread(target=cable.cut, args=(seconds,))
            cutting.start()
            grades = drawn()
            kept[rater.commit(grades)] = grades
            cutting.join()
            continue
        grades = drawn()
        name = rater.press(grades)
        begun[name] = grades
        time.sleep(chance.uniform(0.0, 0.25))
        rater.kill()
        rater.open(rita.email)
    rater.page.locator("[data-waiting='0']").wait_for(timeout=60_000)
    rater.context.close()
    cable.close()

    stored = {row.public_id: row for row in Assignment.objects.filter(rated_at__isnull=False)}
    lost = [name for name in kept if name not in stored]
    # A frame whose answers died with the browser is shown again: what was committed then counts.
    given = begun | kept
    wrong = [
        name
        for name, row in stored.items()
        if row.answers != dict(zip(units, given.get(name, []), strict=False))
    ]
    counts = [
        Rating.objects.filter(frame=row.task.frame_id, rater=rita).count()
        for row in stored.values()
    ]
    doubled = sum(count != len(units) for count in counts)
    doubled += abs(Rating.objects.count() - len(units) * len(stored))
    if TOLD:
        told = {"kills": KILLS, "cuts": CUTS, "committed": len(kept), "lost": len(lost)}
        told["cases"] = [
            {"stored": stored[name].answers, "kept": kept.get(name), "begun": begun.get(name)}
            for name in wrong
        ]
        Path(TOLD).write_text(json.dumps(told | {"doubled": doubled, "wrong": len(wrong)}))
    assert (lost, wrong, doubled) == ([], [], 0)

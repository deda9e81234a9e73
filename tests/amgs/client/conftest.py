"""A worker beside the site, and bad networks in front of it."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.db.models.functions import Now

ROOT = Path(__file__).parents[3]
PROXY = Path(__file__).with_name("faulty_proxy.py")


@pytest.fixture
def worker(transactional_db) -> Iterator[None]:
    """Run jobs in a thread as they come, as a worker beside the site would."""
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


class BadNetwork:
    """A started proxy: its address, what it counted, and how bad it is."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, int]:
        """Return what passed and what did not, by kind, and ``bytes put``."""
        return httpx.get(f"{self.url}/.proxy").json()

    def be_good(self) -> None:
        """Let everything pass from now on."""
        httpx.put(f"{self.url}/.proxy?share=0")


@pytest.fixture
def bad_network() -> Iterator[Callable[..., BadNetwork]]:
    """Put a faulty proxy in front of an address: ``(url, share=0.2, seed=0, stall=5, port=0)``."""
    started: list[subprocess.Popen[str]] = []

    def start(url: str, **facts: Any) -> BadNetwork:
        given = [word for name, value in facts.items() for word in (f"--{name}", str(value))]
        command = [sys.executable, str(PROXY), "--to", urlsplit(url).netloc, *given]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        return BadNetwork(f"http://127.0.0.1:{process.stdout.readline().strip()}")

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def serving(transactional_db):
    """Let the bundle that comes with the program serve: it grades phantoms."""
    from amgs.core.models import Job
    from amgs.registry.shipped import register_shipped

    version = register_shipped(ROOT / "models" / "bundles" / "phantom")
    Job.objects.filter(kind="registry.mirror").update(state=Job.State.CANCELLED)
    return version


@pytest.fixture(scope="session")
def film() -> Callable[..., Path]:
    """Write a clip of a rendered mouse, another one for every animal."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    def make(path: Path, animal: int = 1, seconds: float = 0.5) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        plan = ClipPlan(
            coat=load_scale().coats[0],
            look=Look(),
            animal=animal,
            pain=0.5,
            duration_s=seconds,
            fps=12,
            size=(320, 240),
        )
        write_clip(path, plan, seed=animal)
        return path

    return make

"""A site on PostgreSQL with a million frames, served by gunicorn as in production."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PAGE = "/api/versions/AMGS-000001.1/frames?limit=100"
EXPORT = "/api/versions/AMGS-000002.1/ratings.parquet"


@dataclass
class BigSite:
    """A started site: its address, a token of the lab, where the last page begins."""

    port: int
    token: str
    after_last: str
    process: psutil.Process

    def many(self, addresses: list[str], times: int) -> dict[str, list[float]]:
        """Ask for addresses in turn, on one connection; return seconds by address."""
        took: dict[str, list[float]] = {where: [] for where in addresses}
        connection = self.connect()
        for _ in range(times):
            for where in addresses:
                begun = time.perf_counter()
                self.get(connection, where)
                took[where].append(time.perf_counter() - begun)
        connection.close()
        return took

    def rate(self, where: str, seconds: float, lanes: int = 4) -> float:
        """Return the answers per second that some connections get at the same time."""
        counts = [0] * lanes
        end = time.perf_counter() + seconds

        def ask(lane: int) -> None:
            connection = self.connect()
            while time.perf_counter() < end:
                self.get(connection, where)
                counts[lane] += 1
            connection.close()

        threads = [threading.Thread(target=ask, args=(lane,)) for lane in range(lanes)]
        begun = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / (time.perf_counter() - begun)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection that stays open."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)

    def get(self, connection: http.client.HTTPConnection, where: str) -> bytes:
        """GET an address with the token; RuntimeError where it is refused."""
        connection.request("GET", where, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{where}: {answer.status} {data[:500]!r}")
        return data

    def download(self, where: str, target: Path) -> tuple[float, float]:
        """GET an address into a file; return seconds, and the growth of the server in MiB."""
        workers = self.process.children(recursive=True)
        before = sum(worker.memory_info().rss for worker in workers)
        most, over = before, threading.Event()

        def watch() -> None:
            nonlocal most
            while not over.wait(0.02):
                most = max(most, sum(worker.memory_info().rss for worker in workers))

        watcher = threading.Thread(target=watch)
        watcher.start()
        begun = time.perf_counter()
        connection = self.connect()
        connection.request("GET", where, headers={"Authorization": f"Bearer {self.token}"})
        answer = connection.getresponse()
        with target.open("wb") as file:
            while chunk := answer.read(1 << 20):
                file.write(chunk)
        took = time.perf_counter() - begun
        over.set()
        watcher.join()
        if answer.status != 200:
            raise RuntimeError(f"{where}: {answer.status}")
        return took, (most - before) / 2**20


def quantile(values: list[float], share: float) -> float:
    """Return the value that this share of the values does not exceed."""
    return statistics.quantiles(values, n=100, method="inclusive")[round(100 * share) - 1]


@contextlib.contextmanager
def serve(folder: Path, frames: int, ratings: int, exported: int) -> Iterator[BigSite]:
    """Start PostgreSQL, fill it, and serve the site from it."""
    from deploy.local_stack import postgresql
    from deploy.local_stack.server import free_port

    (folder / "postgresql").mkdir()
    database = postgresql.start(folder / "postgresql")
    port = free_port()
    environment = os.environ | {
        "AMGS_VAR": str(folder / "var"),
        "AMGS_PORT": str(port),
        "DATABASE_URL": database.url,
        "DJANGO_SETTINGS_MODULE": "bare_settings",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "platform", HERE))),
    }
    try:
        _run([sys.executable, "manage.py", "migrate", "-v", "0"], environment)
        fill = [sys.executable, str(HERE / "fill_repository.py")]
        told = _run([*fill, str(frames), str(ratings), str(exported)], environment)
        facts: dict[str, Any] = json.loads(told.splitlines()[-1])
        command = [sys.executable, "-m", "gunicorn", "-c", "python:amgs.gunicorn_conf"]
        log = folder / "gunicorn.log"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=stream, stderr=stream
            )
        try:
            site = BigSite(port, facts["token"], facts["after_last"], psutil.Process(process.pid))
            _until_it_answers(site, process, log)
            yield site
        finally:
            process.terminate()
            process.wait()
    finally:
        database.stop(gracefully=False)


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return done.stdout


def _until_it_answers(site: BigSite, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            site.get(site.connect(), "/bare/constant")
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text(errors="replace")[-3000:]) from None
            time.sleep(0.1)


def last_page(site: BigSite) -> str:
    """Return the address of the last page of frames."""
    return f"{PAGE}&after={site.after_last}"

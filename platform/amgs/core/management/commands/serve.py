"""``manage.py serve``: the whole platform on one machine."""

from __future__ import annotations

import fcntl
import http.client
import os
import socket
import ssl
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from amgs.core.supervisor import Child, Supervisor

if TYPE_CHECKING:
    from amgs.core.certificate import Certificate


class Command(BaseCommand):
    """Bring the database up to date, then run web, two worker pools and beat until Ctrl-C.

    A site without any model version begins with the one that is shipped.
    """

    help = "Serve the site with its workers on this machine; restart what dies; stop with Ctrl-C."
    requires_system_checks: list[str] = []  # the web process checks; here it would cost seconds

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--port", type=int, default=settings.PORT, help="instead of AMGS_PORT")
        parser.add_argument(
            "--https",
            action="store_true",
            help="serve the local network, too, with a certificate made here (phones' cameras)",
        )
        parser.add_argument(
            "--no-migrate", action="store_true", help="the database is known to be up to date"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until asked to stop."""
        port = options["port"]
        https = bool(options.get("https"))
        _refuse_taken(port, "0.0.0.0" if https else "127.0.0.1")  # noqa: S104  (asked for)
        with _only_one(settings.VAR / "serve.lock"):
            made = _certificate() if https else None

            def prepare() -> None:
                if not options["no_migrate"]:
                    call_command("migrate", verbosity=0, interactive=False)
                # By name, as `migrate` is: the registry lies above this app.
                call_command("register_shipped", at_start=True)

            Supervisor(
                children=_children(),
                environment=_environment(port) | _secure(port, made),
                folder=settings.VAR,
                is_ready=lambda: _answers(port, made),
                on_ready=lambda seconds: self._tell(port, seconds, made),
                prepare=prepare,
            ).run()

    def _tell(self, port: int, seconds: float, made: Certificate | None) -> None:
        if made is not None:
            self._tell_phones(port, seconds, made)
            return
        self.stdout.write(
            f"aMGS is at http://127.0.0.1:{port}/ ({seconds:.1f} s after the start); "
            "Ctrl-C stops it."
        )
        self.stdout.flush()

    def _tell_phones(self, port: int, seconds: float, made: Certificate) -> None:
        addresses = "\n".join(f"  https://{host}:{port}/record/" for host in made.outside())
        self.stdout.write(
            f"aMGS is at https://127.0.0.1:{port}/ ({seconds:.1f} s after the start); Ctrl-C stops "
            "it.\n"
            "Everybody in the local network can open it. On a phone in the same network open\n"
            f"{addresses or '  (no address of a network was found; connect this machine first)'}\n"
            "The certificate is made by this machine, so the phone warns. Compare its SHA-256 "
            "fingerprint\nbefore you go on:\n"
            f"  {made.fingerprint}\n"
            "For the app that opens offline let the phone trust this machine once: open "
            "/authority.pem there\n(docs/howto/record-on-a-phone.md). "
            f"Both lie in {made.folder};\nthe certificate is used again until "
            f"{made.until:%d %B %Y}."
        )
        self.stdout.flush()


def _children() -> list[Child]:
    celery = [sys.executable, "-m", "celery", "--skip-checks", "-q", "-A", "amgs.celery"]
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]

    def pool(name: str, queues: str, processes: int) -> list[str]:
        return [*celery, "worker", "-n", f"{name}@%h", "-Q", queues, "-c", str(processes), *quiet]

    return [
        Child(
            "web",
            [sys.executable, "-m", "gunicorn", "-c", "python:amgs.gunicorn_conf"],
            after_ready=False,
        ),
        Child("worker", pool("main", "quick,ingest,score", 2)),
        Child("trainer", pool("train", "train", 1), nice=10),
        Child("beat", [*celery, "beat", "-l", "WARNING", "--pidfile="]),
    ]


def _environment(port: int) -> dict[str, str]:
    paths = [str(settings.ROOT), str(settings.ROOT / "platform")]
    if inherited := os.environ.get("PYTHONPATH"):
        paths.append(inherited)
    quiet = {}
    if os.geteuid() == 0:  # a container or a trial machine: said once by the docs, not four times
        quiet["PYTHONWARNINGS"] = "ignore:You're running the worker"
    return {
        **quiet,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "AMGS_PORT": str(port),
        "AMGS_VAR": str(settings.VAR),
        # One arena: the allocator of glibc otherwise keeps memory for every thread.
        "MALLOC_ARENA_MAX": os.environ.get("MALLOC_ARENA_MAX", "2"),
    }


def _certificate() -> Certificate:
    from amgs.core.certificate import certificate_of_this_machine  # costs time at the start

    return certificate_of_this_machine(settings.VAR / "https")


def _secure(port: int, made: Certificate | None) -> dict[str, str]:
    """Return what the site's processes need to know to serve the local network over TLS."""
    if made is None:
        return {}
    hosts = [f"[{name}]" if ":" in name else name for name in made.names]
    first = next(iter(made.outside()), "127.0.0.1")
    return {
        "AMGS_BIND": "0.0.0.0",  # noqa: S104  (asked for by --https)
        "AMGS_CERTIFICATE": str(made.folder),
        "ALLOWED_HOSTS": ",".join(dict.fromkeys([*settings.ALLOWED_HOSTS, *hosts])),
        "SITE_URL": os.environ.get("SITE_URL", f"https://{first}:{port}"),
    }


def _only_one(path: Path) -> IO[str]:
    """Hold a lock for as long as this process lives; two sites must not share one folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise CommandError(
            f"The site in {path.parent} is already being served; stop it first, or set AMGS_VAR "
            "to another folder."
        ) from None
    return lock


def _refuse_taken(port: int, host: str) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise CommandError(
                f"Port {port} of this machine is taken; choose another one, for example "
                f"AMGS_PORT={port + 1}."
            ) from None


def _answers(port: int, made: Certificate | None) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    if made is not None:
        trust = ssl.create_default_context(cafile=str(made.authority))
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=1, context=trust)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()

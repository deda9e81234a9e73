"""``python -m deploy.local_stack up [--env FILE] [SERVER …]``: a production-like stack to try.

Starts the servers, writes the environment that makes the site use them, and stops them again
on Ctrl-C. With ``--env`` the environment goes to a file, for ``set -a; . FILE; make serve``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.local_stack import (
    NotInstalled,
    Server,
    StartFailed,
    mlflow,
    postgresql,
    rabbitmq,
    redis,
    s3,
)

NAMES = ("postgresql", "redis", "rabbitmq", "s3", "mlflow")
DEFAULT = ("postgresql", "rabbitmq", "s3", "mlflow")


def start_all(names: Sequence[str], folder: Path) -> tuple[list[Server], dict[str, str]]:
    """Start the named servers; return them with the settings that make the site use them.

    MLflow keeps its artifacts on the S3 server where both are started.
    """
    started: dict[str, Server] = {}
    for name in (name for name in NAMES if name in names):
        place = folder / name
        if name == "postgresql":
            server = postgresql.start(place, durable=True)
        elif name == "mlflow":
            server = mlflow.start(place, s3=started.get("s3"))
        else:
            server = {"redis": redis, "rabbitmq": rabbitmq, "s3": s3}[name].start(place)
        print(f"  {name:<11} pid {server.pids[-1]:<7} {server.start_seconds:4.1f} s", flush=True)
        started[name] = server
    settings = {
        "DATABASE_URL": "postgresql",
        "BROKER_URL": "rabbitmq" if "rabbitmq" in started else "redis",
        "STORAGE_URL": "s3",
        "MLFLOW_TRACKING_URI": "mlflow",
    }
    environment = {key: started[name].url for key, name in settings.items() if name in started} | {
        "AMGS_ALLOW_PHANTOM": "1"
    }
    return list(started.values()), environment


def main(arguments: Sequence[str] | None = None) -> int:
    """Start servers and wait for Ctrl-C; exit code 1 with a sentence when one cannot start."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local_stack", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start servers and keep them until Ctrl-C")
    up.add_argument(
        "servers",
        nargs="*",
        choices=[*NAMES, []],
        metavar="SERVER",
        help="default: " + " ".join(DEFAULT),
    )
    up.add_argument("--env", type=Path, help="write the settings to this file, not to the terminal")
    up.add_argument("--folder", type=Path, default=None, help="default: local_stack in AMGS_VAR")
    options = parser.parse_args(arguments)
    var = Path(os.environ.get("AMGS_VAR") or "var")
    folder = (options.folder or var / "local_stack").resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    servers: list[Server] = []
    try:
        servers, environment = start_all(options.servers or DEFAULT, folder)
        lines = "".join(f"{key}={shlex.quote(value)}\n" for key, value in environment.items())
        if options.env:
            options.env.touch(mode=0o600)
            options.env.write_text(lines, encoding="utf-8")
            print(f"Settings are in {options.env}. Ctrl-C stops the servers.", flush=True)
        else:
            print(f"{lines}\nCtrl-C stops the servers.", flush=True)
        signal.pause()
    except (NotInstalled, StartFailed) as problem:
        print(problem, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0
    finally:
        for server in reversed(servers):
            server.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The MLflow server from its own virtual environment, which alone holds what S3 artifacts need.

Clients never see the artifact store: the server passes artifacts through.
"""

from __future__ import annotations

import os
import secrets
import signal
import urllib.request
from pathlib import Path

from deploy.local_stack.server import LOOPBACK, NotInstalled, Server, free_port

ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-mlflow"


def start(
    folder: Path,
    *,
    database: str | None = None,
    s3: Server | None = None,
    port: int | None = None,
) -> Server:
    """Start a tracking server; the address is ``http://127.0.0.1:PORT``, a free one by default.

    Runs and models go to ``database`` (a ``postgresql://`` address; unset = SQLite under
    ``folder``), artifacts into the bucket of a started ``s3`` server (unset = ``folder``).
    """
    program = ENVIRONMENT / "bin" / "mlflow"
    if not program.exists():
        raise NotInstalled(f"{ENVIRONMENT.name} does not exist; `make test` makes it")
    port = port or free_port()
    server = Server("mlflow", f"http://{LOOPBACK}:{port}", folder)
    # Asked to end, it waits for idle connections; both kinds of database outlive a plain end.
    server.stop_signal = signal.SIGKILL
    environment = {
        "PATH": os.pathsep.join([str(program.parent), os.environ.get("PATH", os.defpath)]),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_FLASK_SERVER_SECRET_KEY": secrets.token_hex(16),
        "PYTHONPATH": "",
    }
    if database is not None:
        # The bare scheme means another driver than psycopg2 to newer versions of SQLAlchemy.
        database = database.replace("postgresql://", "postgresql+psycopg2://", 1)
    artifacts = f"file://{server.folder}/artifacts"
    if s3 is not None:
        artifacts = f"s3://{s3.facts['bucket']}/mlflow"
        environment |= {
            "MLFLOW_S3_ENDPOINT_URL": s3.facts["endpoint"],
            "AWS_ACCESS_KEY_ID": s3.facts["access_key"],
            "AWS_SECRET_ACCESS_KEY": s3.facts["secret_key"],
            "AWS_DEFAULT_REGION": s3.facts["region"],
        }
    server.spawn(
        [
            *(program, "server", "--host", LOOPBACK, "--port", str(port), "--workers", "1"),
            *("--backend-store-uri", database or f"sqlite:///{server.folder}/mlflow.db"),
            *("--serve-artifacts", "--artifacts-destination", artifacts),
            # MLflow 3 answers 403 to a Host header that it was not told of.
            *("--allowed-hosts", f"{LOOPBACK}:{port},localhost:{port}"),
        ],
        environment=environment,
    )

    def answers() -> bool:
        with urllib.request.urlopen(f"{server.url}/health", timeout=2) as answer:  # noqa: S310
            return answer.status == 200

    server.wait_until(answers, seconds=90)
    return server

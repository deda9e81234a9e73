"""How gunicorn serves the site, on one machine and in the container: eight threads."""

from __future__ import annotations

import os
from typing import Any

from amgs.processes import die_with_parent, wait_at_gate

# A container sets 0.0.0.0, where the reverse proxy is the only neighbour.
bind = f"{os.environ.get('AMGS_BIND', '127.0.0.1')}:{os.environ.get('AMGS_PORT', '8000')}"
# `make serve HTTPS=1`: the folder of the certificate that the site made for itself.
if _folder := os.environ.get("AMGS_CERTIFICATE"):
    certfile, keyfile = f"{_folder}/certificate.pem", f"{_folder}/key.pem"
wsgi_app = "amgs.wsgi:application"
worker_class = "gthread"
workers = 1
threads = 8
timeout = 120
graceful_timeout = 15
keepalive = 5
control_socket_disable = True
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108, PTH112
loglevel = "warning"


def post_fork(server: object, worker: object) -> None:
    """End the process that answers when the one that watches it dies."""
    die_with_parent()


def post_worker_init(worker: Any) -> None:
    """Load what the first request needs, and wait while ``serve`` brings the database up to date.

    Whoever asks meanwhile is answered afterwards.
    """
    from django.urls import get_resolver

    _ = get_resolver().url_patterns
    wait_at_gate(worker.notify)  # gunicorn ends who is silent for longer than `timeout`

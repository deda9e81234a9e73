"""The site's reverse proxy with the configuration that production uses."""

from __future__ import annotations

import string
from pathlib import Path

from deploy.local_stack.server import LOOPBACK, Server, accepts_connections, find_program, free_port

PROGRAM = "nginx"
TEMPLATE = Path(__file__).resolve().parents[1] / "proxy" / "site.conf.template"


def find() -> Path:
    """Path of nginx; else `NotInstalled`."""
    return find_program(PROGRAM, package="nginx-light")


def start(folder: Path, *, site: str, storage: str, bucket: str, scheme: str = "http") -> Server:
    """Start nginx in front of two ``http://127.0.0.1:PORT`` addresses; everything in ``folder``.

    ``scheme`` is what the site is told that the browser uses; the proxy itself speaks HTTP.
    """
    program, port = find(), free_port()
    server = Server("nginx", f"http://{LOOPBACK}:{port}", folder)
    values = {
        "SITE_UPSTREAM": site.removeprefix("http://").rstrip("/"),
        "STORAGE_UPSTREAM": storage.removeprefix("http://").rstrip("/"),
        "STORAGE_BUCKET": bucket,
        "PROXY_LISTEN": f"{LOOPBACK}:{port}",
        "PROXY_SCHEME": scheme,
    }
    # Like envsubst with a list of names: nginx's own `$variables` stay.
    text = string.Template(TEMPLATE.read_text(encoding="utf-8")).safe_substitute(values)
    temporary = "".join(
        f"    {kind}_temp_path {server.folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = server.folder / "nginx.conf"
    configuration.write_text(
        f"daemon off;\nworker_processes 1;\npid {server.folder}/nginx.pid;\nerror_log stderr;\n"
        "events { worker_connections 256; }\n"
        f"http {{\n    access_log off;\n{temporary}{text}\n}}\n",
        encoding="utf-8",
    )
    server.spawn([program, "-c", configuration, "-p", server.folder, "-e", "stderr"])
    server.wait_until(lambda: accepts_connections(port), seconds=10)
    return server

"""The site with production's settings, on real servers, behind the real proxy."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
import yaml
from kombu import Connection

from deploy.check_health import healthy
from deploy.local_stack.server import Server, free_port

ROOT = Path(__file__).resolve().parents[2]


def manage(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def environment(
    postgresql_url: str,
    rabbitmq_url: str,
    s3_url: str,
    mlflow_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Production's environment on an empty, migrated database."""
    connection = psycopg2.connect(postgresql_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE production")
    connection.close()
    inherited = ("PATH", "HOME", "LANG", "TMPDIR")
    environment = {
        **{name: os.environ[name] for name in inherited if name in os.environ},
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "DJANGO_SETTINGS_MODULE": "amgs.settings.production",
        "AMGS_VAR": str(tmp_path_factory.mktemp("production")),
        "AMGS_PORT": str(free_port()),
        "SECRET_KEY": "q" * 20 + "w7-Zr_k9!" * 6,
        "SITE_URL": "https://amgs.example.org",
        "ALLOWED_HOSTS": "amgs.example.org",
        "DATABASE_URL": postgresql_url.rsplit("/", 1)[0] + "/production",
        "BROKER_URL": rabbitmq_url,
        "STORAGE_URL": f"{s3_url}&public=https://amgs.example.org",
        "MLFLOW_TRACKING_URI": mlflow_url,
    }
    for words in (("migrate", "--noinput"), ("collectstatic", "--noinput")):
        done = manage(environment, *words)
        assert done.returncode == 0, done.stderr
    return environment


@pytest.fixture(scope="module")
def web(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The container's web process."""
    port = int(environment["AMGS_PORT"])
    server = Server("web", f"http://127.0.0.1:{port}", tmp_path_factory.mktemp("web"))
    server.spawn(
        [sys.executable, "-m", "gunicorn", "-c", "python:amgs.gunicorn_conf"],
        environment=environment,
        folder=ROOT,
    )
    server.wait_until(lambda: healthy(port, "amgs.example.org"), seconds=60)
    yield server
    server.stop()


def get(proxy: Server, path: str, host: str = "amgs.example.org") -> http.client.HTTPResponse:
    """One request to the proxy under the site's name, as a browser sends it."""
    connection = http.client.HTTPConnection(urlsplit(proxy.url).netloc, timeout=20)
    connection.request("GET", path, headers={"Host": host})
    answer = connection.getresponse()
    answer.body = answer.read()
    connection.close()
    return answer


@pytest.mark.service("nginx")
def test_a_production_site_answers_behind_its_proxy(
    start_proxy: Callable[..., Server], web: Server, s3_server: Server
) -> None:
    facts = s3_server.facts
    proxy = start_proxy(
        site=web.url, storage=facts["endpoint"], bucket=facts["bucket"], scheme="https"
    )
    page = get(proxy, "/")
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"]
    assert b'rel="stylesheet"' in page.body
    ready = json.loads(get(proxy, "/readyz").body)
    assert {ready[name] for name in ("database", "storage", "broker")} == {"ok"}
    assert (ready["status"], ready["champion"]) == ("degraded", "missing")
    assert get(proxy, "/", host="evil.example.org").status == 400


def test_the_health_check_passes_with_production_host_names(web: Server) -> None:
    port = urlsplit(web.url).port
    assert healthy(port, "amgs.example.org")
    assert not healthy(port, "127.0.0.1"), "that name is not allowed in production"
    assert not healthy(free_port(), "amgs.example.org")


def test_production_passes_the_deployment_check(environment: dict[str, str]) -> None:
    done = manage(environment, "check", "--deploy", "--fail-level", "ERROR")
    assert done.returncode == 0, done.stderr


def test_a_worker_of_compose_listens_to_its_queue(
    environment: dict[str, str], tmp_path: Path
) -> None:
    compose = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))
    command = compose["services"]["worker-quick"]["command"]
    worker = Server("worker", environment["BROKER_URL"], tmp_path)
    worker.spawn([sys.executable, "-m", *command], environment=environment)

    def listens() -> bool:
        with Connection(environment["BROKER_URL"]) as connection:
            queue = connection.default_channel.queue_declare("quick", passive=True)
            return queue.consumer_count > 0

    try:
        worker.wait_until(listens, seconds=60)
    finally:
        worker.stop()

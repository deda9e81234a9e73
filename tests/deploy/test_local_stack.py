"""Every server of the local stack starts, answers as the real thing does, and goes away."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from deploy.local_stack import NotInstalled, StartFailed
from deploy.local_stack.__main__ import start_all
from deploy.local_stack.server import Server, find_program, free_port
from deploy.make_buckets import make_buckets

ROOT = Path(__file__).resolve().parents[2]


def listening_addresses(server: Server) -> set[str]:
    """Addresses on which the server's processes and their children accept connections."""
    found: set[str] = set()
    for pid in server.pids:
        process = psutil.Process(pid)
        for member in (process, *process.children(recursive=True)):
            found |= {
                connection.laddr.ip
                for connection in member.net_connections(kind="tcp")
                if connection.status == psutil.CONN_LISTEN
            }
    return found


def request(address: str, *, method: str = "GET", data: bytes | None = None, **headers: str):
    """Status, headers and body of one HTTP request; refusals are answers too."""
    call = urllib.request.Request(address, data=data, method=method, headers=headers)  # noqa: S310
    try:
        with urllib.request.urlopen(call, timeout=20) as answer:  # noqa: S310
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.headers, refusal.read()


def test_postgresql_keeps_rows_and_wants_its_password(postgresql_url: str) -> None:
    import psycopg2

    with psycopg2.connect(postgresql_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE mice (name text)")
        cursor.execute("INSERT INTO mice VALUES ('Ada') RETURNING name")
        assert cursor.fetchone() == ("Ada",)
        cursor.execute("SELECT current_setting('server_version_num')::int >= 140000")
        assert cursor.fetchone() == (True,)
    connection.close()
    password = postgresql_url.split(":")[2].split("@")[0]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(postgresql_url.replace(password, "wrong"))


def test_redis_delivers_a_message(redis_url: str) -> None:
    import redis

    with redis.Redis.from_url(redis_url) as client:
        client.lpush("deploy-test", "hint")
        assert client.brpop(["deploy-test"], timeout=5)[1] == b"hint"


def test_rabbitmq_delivers_a_message(rabbitmq_url: str) -> None:
    from kombu import Connection

    with Connection(rabbitmq_url) as connection, connection.SimpleBuffer("deploy-test") as queue:
        queue.put({"job": "1"})
        message = queue.get(timeout=10)
        assert message.payload == {"job": "1"}


def test_s3_serves_a_presigned_upload_and_download(s3_server: Server) -> None:
    from deploy.local_stack import s3

    client, bucket = s3.connect(s3_server), s3_server.facts["bucket"]
    content = os.urandom(2**16)
    address = client.presigned_put_object(bucket, "deploy/one", expires=timedelta(minutes=1))
    assert request(address, method="PUT", data=content)[0] == 200
    address = client.presigned_get_object(bucket, "deploy/one", expires=timedelta(minutes=1))
    assert request(address)[2] == content
    assert request(address, Range="bytes=10-19")[2] == content[10:20]


def test_s3_refuses_a_wrong_secret_and_a_forged_address(s3_server: Server) -> None:
    from minio.error import S3Error

    from deploy.local_stack import s3

    bucket = s3_server.facts["bucket"]
    with pytest.raises(S3Error) as refusal:
        s3.connect(s3_server, secret="x" * 40).put_object(bucket, "deploy/no", io.BytesIO(b"a"), 1)
    assert refusal.value.code == "SignatureDoesNotMatch"
    address = s3.connect(s3_server).presigned_put_object(
        bucket, "deploy/mine", expires=timedelta(minutes=1)
    )
    forged = address.replace("deploy/mine", "deploy/yours")
    assert request(forged, method="PUT", data=b"a")[0] == 403
    assert request(f"{s3_server.facts['endpoint']}/{bucket}/deploy/mine")[0] == 403


def test_s3_puts_parts_together(s3_server: Server) -> None:
    from minio.commonconfig import ComposeSource

    from deploy.local_stack import s3

    client, bucket = s3.connect(s3_server), s3_server.facts["bucket"]
    part = os.urandom(5 * 2**20)
    for name in ("a", "b"):
        client.put_object(bucket, f"deploy/{name}", io.BytesIO(part), len(part))
    sources = [ComposeSource(bucket, f"deploy/{name}") for name in ("a", "b")]
    client.compose_object(bucket, "deploy/whole", sources)
    assert client.stat_object(bucket, "deploy/whole").size == 2 * len(part)


def test_buckets_are_made_once(s3_server: Server) -> None:
    assert make_buckets(s3_server.url, ["deploy-more"]) == ["deploy-more"]
    assert make_buckets(s3_server.url, ["deploy-more"]) == []


def test_mlflow_answers_a_client_with_the_right_host_only(mlflow_url: str) -> None:
    search = f"{mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert request(search)[0] == 200
    assert request(search, Host="evil.example")[0] == 403


def test_mlflow_on_postgresql_keeps_artifacts_on_the_s3_server(
    postgresql_url: str, s3_server: Server, tmp_path: Path
) -> None:
    import psycopg2

    from deploy.local_stack import mlflow, s3

    connection = psycopg2.connect(postgresql_url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE mlflow_test")
    connection.close()
    database = postgresql_url.rsplit("/", 1)[0] + "/mlflow_test"
    server = mlflow.start(tmp_path, database=database, s3=s3_server)
    try:
        proxied = f"{server.url}/api/2.0/mlflow-artifacts/artifacts/deploy/card.md"
        assert request(proxied, method="PUT", data=b"# card")[0] == 200
        assert request(proxied)[2] == b"# card"
    finally:
        server.stop()
    client = s3.connect(s3_server)
    with client.get_object(s3_server.facts["bucket"], "mlflow/deploy/card.md") as stored:
        assert stored.read() == b"# card"


def test_the_browser_renders_a_page(browser) -> None:
    page = browser.new_page()
    page.set_content("<title>mouse</title><h1>grimace</h1>")
    assert page.title() == "mouse"
    assert page.locator("h1").bounding_box()["width"] > 0
    page.close()


@pytest.fixture
def site(tmp_path: Path):
    """A stand-in for the web process: it answers with the headers that it was sent."""
    program = (
        "import http.server, sys\n"
        "class Echo(http.server.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        body = str(self.headers).encode()\n"
        "        self.send_response(200)\n"
        "        self.send_header('Content-Length', str(len(body)))\n"
        "        self.end_headers()\n"
        "        self.wfile.write(body)\n"
        "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Echo).serve_forever()\n"
    )
    port = free_port()
    server = Server("site", f"http://127.0.0.1:{port}", tmp_path / "site")
    server.spawn([sys.executable, "-c", program, str(port)])
    server.wait_until(lambda: request(server.url)[0] == 200, seconds=20)
    yield server
    server.stop()


@pytest.mark.service("nginx")
def test_the_proxy_serves_the_site_and_its_storage_under_one_origin(
    start_proxy: Callable[..., Server], site: Server, s3_server: Server
) -> None:
    from deploy.local_stack import s3

    bucket = s3_server.facts["bucket"]
    proxy = start_proxy(site=site.url, storage=s3_server.facts["endpoint"], bucket=bucket)
    status, _, headers = request(proxy.url)
    assert status == 200
    assert proxy.url.removeprefix("http://").encode() in headers, "the site sees the public host"
    assert b"X-Forwarded-Proto: http" in headers

    public = Server("public", proxy.url, site.folder)
    public.facts = {**s3_server.facts, "endpoint": proxy.url}
    signer = s3.connect(public)
    address = signer.presigned_put_object(bucket, "deploy/proxied", expires=timedelta(minutes=1))
    assert address.startswith(f"{proxy.url}/{bucket}/")
    assert request(address, method="PUT", data=b"frame")[0] == 200
    address = signer.presigned_get_object(bucket, "deploy/proxied", expires=timedelta(minutes=1))
    status, headers, body = request(address)
    assert (status, body) == (200, b"frame")
    assert "sandbox" in headers["Content-Security-Policy"]
    unsigned = address.split("?")[0]
    assert request(unsigned)[0] == 403
    assert request(address, method="DELETE")[0] == 403


def test_every_server_listens_on_loopback_only(
    services, postgresql_url, redis_url, rabbitmq_url, s3_server, mlflow_url
) -> None:
    for name in ("postgresql", "redis", "rabbitmq", "s3", "mlflow"):
        addresses = listening_addresses(services.started[name])
        assert addresses, f"{name} listens nowhere"
        assert addresses <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}, (name, addresses)


def test_a_stopped_server_leaves_no_process_and_no_port(redis_url, tmp_path: Path) -> None:
    from deploy.local_stack import redis

    server = redis.start(tmp_path)
    pids, port = server.pids, int(server.url.rsplit(":", 1)[1].split("/")[0])
    server.stop()
    server.stop()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    with pytest.raises(urllib.error.URLError):
        request(f"http://127.0.0.1:{port}")


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL], ids=["ended", "killed"])
def test_servers_end_with_the_process_that_started_them(
    end: signal.Signals, redis_url: str, tmp_path: Path
) -> None:
    environment = tmp_path / "environment"
    stack = subprocess.Popen(
        [
            *(sys.executable, "-m", "deploy.local_stack", "up", "redis"),
            *("--env", environment, "--folder", tmp_path / "stack"),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until(environment.exists, seconds=20)
        server = wait_until(lambda: psutil.Process(stack.pid).children(), seconds=20)[0]
    finally:
        stack.send_signal(end)
        stack.wait(20)
    wait_until(lambda: not server.is_running() or server.status() == "zombie", seconds=10)
    assert environment.stat().st_mode & 0o077 == 0, "the settings hold passwords"
    assert "BROKER_URL=redis://" in environment.read_text().replace("'", "")


def test_a_program_that_is_not_there_is_named_with_its_remedy() -> None:
    with pytest.raises(NotInstalled, match=r"no-such-server is not on this machine.*SERVICES"):
        find_program("no-such-server")


def test_a_server_that_does_not_come_up_shows_the_end_of_its_log(tmp_path: Path) -> None:
    server = Server("broken", "http://127.0.0.1:1", tmp_path)
    server.spawn(["sh", "-c", "echo the disk is full; exit 7"])
    with pytest.raises(StartFailed, match=r"exit code 7(.|\n)*the disk is full"):
        server.wait_until(lambda: False, seconds=20)
    assert server.pids == ()


def test_the_settings_of_a_stack_name_what_was_started(redis_url: str, tmp_path: Path) -> None:
    servers, environment = start_all(["redis"], tmp_path)
    for server in servers:
        server.stop()
    assert environment == {"BROKER_URL": servers[0].url, "AMGS_ALLOW_PHANTOM": "1"}


def wait_until(condition: Callable[[], object], *, seconds: float):
    """Poll until the condition holds; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return value

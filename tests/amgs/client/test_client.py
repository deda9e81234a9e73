"""The Python client against a running site: uploads that go on, refusals as sentences, retries."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from amgs_client import Client, NotReached, SiteError, SiteRefused
from amgs_client import transport as transport_module
from amgs_client.uploading import resume, send_file

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client_of(live_server, token_of) -> Iterator[Callable[..., Client]]:
    """Return a client that speaks for a person."""
    made: list[Client] = []

    def make(user=None, *scopes: str) -> Client:
        made.append(Client(live_server.url, token_of(user, *scopes) if user else None))
        return made[-1]

    yield make
    for client in made:
        client.http.close()


def test_it_says_for_whom_it_speaks(client_of, alice) -> None:
    me = client_of(alice).me()
    assert me["email"] == alice.email
    assert "contributor" in me["roles"]


def test_a_refusal_is_the_sites_own_sentence(client_of, alice) -> None:
    with pytest.raises(SiteRefused) as refusal:
        client_of(alice).act("AMGS-999999.1", "submit")
    assert refusal.value.status == 404
    assert refusal.value.sentence.endswith(".")


def test_a_token_without_the_scope_is_told_which_one_it_lacks(client_of, alice) -> None:
    client = client_of(alice, "read")
    with pytest.raises(SiteRefused, match="contribute"):
        client.create_lab("A lab of readers")


def test_a_broken_upload_sends_only_what_is_missing(client_of, alice, tmp_path: Path) -> None:
    path = tmp_path / "film.bin"
    path.write_bytes(os.urandom(20 * 1024 * 1024))
    client = client_of(alice)
    body = {"name": path.name, "size": path.stat().st_size, "purpose": "score"}
    upload = client.http.ask("POST", "uploads", json=body)
    assert upload["part_count"] > 1
    first = client.http.ask("POST", f"uploads/{upload['id']}/addresses", json={"parts": [1]})
    with path.open("rb") as file:
        url = first["addresses"][0]["url"]
        client.http.put_part(lambda fresh: (url, {}), file.read(upload["part_size"]))
    told: list[int] = []
    resume(client.http, upload, path, told=lambda sent, size: told.append(sent))
    assert told[0] == upload["part_size"]
    assert told[-1] == path.stat().st_size
    assert len(told) == upload["part_count"]


def test_a_file_that_changes_while_it_is_sent_is_refused(client_of, alice, tmp_path: Path) -> None:
    path = tmp_path / "growing.bin"
    path.write_bytes(b"x" * 1000)

    def grow(sent: int, size: int) -> None:
        path.write_bytes(b"y" * 2000)

    client = client_of(alice)
    with pytest.raises(SiteError, match="changed while it was being sent"):
        send_file(client.http, path, purpose="score", told=grow)
    rows = client.http.ask("GET", "uploads")["results"]
    assert all(row["state"] in {"discarded"} for row in rows)


class _Flaky(BaseHTTPRequestHandler):
    """Answers 503 a few times, then an answer."""

    failures = 0
    asked = 0

    def do_GET(self) -> None:
        type(self).asked += 1
        bad = type(self).asked <= type(self).failures
        self.send_response(503 if bad else 200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(b"{}" if bad else b'{"ok": true}')

    do_POST = do_GET  # noqa: N815  (the name that the standard library calls)

    def log_message(self, *args: object) -> None:
        """Keep the test's output free of requests."""


@pytest.fixture
def flaky(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], str]]:
    """Start a server that fails a given number of times; pauses between tries are left out."""
    monkeypatch.setattr(transport_module.time, "sleep", lambda _: None)
    servers = []

    def start(failures: int) -> str:
        _Flaky.failures, _Flaky.asked = failures, 0
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Flaky)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_reading_is_tried_again_until_the_site_is_back(flaky) -> None:
    with Client(flaky(3)) as client:
        assert client.http.ask("GET", "me") == {"ok": True}
    assert _Flaky.asked == 4


def test_an_act_is_not_done_twice(flaky) -> None:
    with Client(flaky(3)) as client, pytest.raises(SiteRefused):
        client.http.ask("POST", "versions/x/actions/publish", json={})
    assert _Flaky.asked == 1


def test_a_site_that_never_answers_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport_module.time, "sleep", lambda _: None)
    with Client("http://127.0.0.1:9") as client, pytest.raises(NotReached, match="does not answer"):
        client.me()


def test_the_token_does_not_travel_to_storage(client_of, alice) -> None:
    client = client_of(alice)
    assert "Authorization" in client.http._http.headers
    assert "Authorization" not in client.http._plain.headers
    assert isinstance(client.http._plain, httpx.Client)


def test_the_region_of_an_animal_is_read_from_the_command_line(capsys) -> None:
    from amgs_client.__main__ import parser

    given = parser().parse_args(["score", "a.mp4", "--region", "m1=0,0,640,720"])
    assert given.region == [("m1", [0, 0, 640, 720])]
    assert parser().parse_args(["score", "a.mp4"]).region is None
    with pytest.raises(SystemExit):
        parser().parse_args(["score", "a.mp4", "--region", "m1=left"])
    assert "write a name and four numbers" in capsys.readouterr().err

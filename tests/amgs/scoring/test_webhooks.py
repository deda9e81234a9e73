"""A program is told when a score is over: signed, once it listens, and never behind our door."""

from __future__ import annotations

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from amgs.core import jobs
from amgs.core.errors import Refused
from amgs.core.models import Job
from amgs.scoring import calling, webhooks
from amgs.scoring.models import Delivery, ToolRun

RECEIVER = Path(__file__).with_name("hook_receiver.py")


class Receiver:
    """A receiver in a process of its own; what it got, oldest first."""

    def __init__(self, folder: Path) -> None:
        self.file, self.port = folder / "received.jsonl", 0
        self.process: subprocess.Popen | None = None

    def start(self, status: int = 204) -> Receiver:
        command = [sys.executable, str(RECEIVER), str(self.port), str(self.file), str(status)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())
        return self

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?lab=1"

    def got(self) -> list[dict]:
        if not self.file.exists():
            return []
        return [json.loads(line) for line in self.file.read_text().splitlines()]


@pytest.fixture
def receiver(tmp_path):
    made = Receiver(tmp_path)
    yield made
    if made.process:
        made.kill()


@pytest.fixture
def as_person(token_of):
    def make(user=None) -> APIClient:
        client = APIClient()
        if user:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return client

    return make


def due_now(kind: str = "scoring.call_webhook") -> None:
    """Let the pause before the next try pass."""
    Job.objects.filter(kind=kind, state="queued").update(due_at=Now())


def proven(message: dict, secret: str) -> bool:
    """Check a message as its receiver does, from the description of standard webhooks alone."""
    told = message["headers"]
    text = f"{told['webhook-id']}.{told['webhook-timestamp']}.{message['body']}".encode()
    key = base64.b64decode(secret.removeprefix("whsec_"))
    wanted = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return wanted in told["webhook-signature"].split(" ")


def test_a_stranger_is_told_with_a_secret_shown_once(
    serve_bundle, uploaded, run_jobs, render, tmp_path, receiver, as_person
):
    version = serve_bundle()
    receiver.start()
    client = as_person()
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes(), name="cage 7.mp4")
    answer = client.post(
        "/api/scores",
        {"upload": upload.public_id, "webhook": receiver.address},
        format="json",
    ).json()
    secret, token = answer["webhook"]["secret"], answer["token"]
    run_jobs()
    (message,) = receiver.got()
    assert message["path"] == "/hook?lab=1"
    assert proven(message, secret)
    assert not proven(message, webhooks.new_secret())
    assert abs(int(message["headers"]["webhook-timestamp"]) - time.time()) < 60
    told = json.loads(message["body"])
    score = client.get(f"/api/scores/{token}").json()
    assert (told["token"], told["state"], told["type"]) == (token, "done", "score.done")
    assert told["sentence"] == score["result"]["sentence"]
    assert (told["score"], told["coverage"]) == (
        score["result"]["score"],
        score["result"]["coverage"],
    )
    assert told["phantom"] is True
    assert told["model"] == version.identifier
    assert "not a welfare" in told["disclaimer"]
    assert told["address"].endswith(f"/api/scores/{token}")
    assert "webhook" not in score
    log = client.get(f"/api/scores/{token}/webhook").json()
    assert (log["host"], log["state"]) == ("http://127.0.0.1", "done")
    assert [(one["status"], one["attempt"]) for one in log["deliveries"]] == [(204, 1)]
    assert log["deliveries"][0]["message"] == message["headers"]["webhook-id"]


def test_a_receiver_that_was_killed_is_told_when_it_is_back(
    serve, uploaded, run_jobs, receiver, as_person, alice
):
    serve()
    receiver.start()
    address = receiver.address
    receiver.kill()
    client = as_person(alice)
    upload = uploaded(b"no film at all", user=alice, complete=False)
    run = client.post(
        "/api/scores", {"upload": upload.public_id, "webhook": address}, format="json"
    ).json()
    assert "webhook" not in run
    secret = client.get("/api/webhooks/secret").json()["secret"]
    client.delete(f"/api/uploads/{upload.public_id}")
    run_jobs(broken=True)
    log = client.get(f"/api/scores/{run['token']}/webhook").json()
    assert log["state"] == "queued"
    assert log["next_try_at"]
    assert log["deliveries"][0]["status"] is None
    due_now()
    run_jobs(broken=True)
    receiver.start(status=503)
    due_now()
    run_jobs(broken=True)
    receiver.kill()
    waits = [
        row.due_at - row.hinted_at if row.hinted_at else None
        for row in Job.objects.filter(kind="scoring.call_webhook")
    ]
    assert len(waits) == 1
    receiver.start(status=200)
    due_now()
    run_jobs()
    first, second = receiver.got()
    assert first["body"] == second["body"]
    assert first["headers"]["webhook-id"] == second["headers"]["webhook-id"]
    assert proven(first, secret)
    assert proven(second, secret)
    told = json.loads(second["body"])
    assert (told["state"], told["sentence"]) == ("failed", "The upload was discarded.")
    log = client.get(f"/api/scores/{run['token']}/webhook").json()
    assert log["state"] == "done"
    assert [one["status"] for one in log["deliveries"]] == [None, None, 503, 200]
    assert [one["attempt"] for one in log["deliveries"]] == [1, 2, 3, 4]


def test_pauses_grow_and_end(serve, uploaded, run_jobs, receiver, as_person, alice, settings):
    serve()
    receiver.start(status=500)
    client = as_person(alice)
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id, "webhook": receiver.address}
    token = client.post("/api/scores", body, format="json").json()["token"]
    client.delete(f"/api/uploads/{upload.public_id}")
    pauses = []
    for _ in range(webhooks.TRIES):
        run_jobs(broken=True)
        row = Job.objects.annotate(now=Now()).get(kind="scoring.call_webhook")
        pauses.append((row.due_at - row.now).total_seconds())
        due_now()
    lease = settings.JOB_LEASE.total_seconds()
    assert [round(pause / lease) for pause in pauses[:6]] == [1, 2, 4, 8, 16, 32]
    assert len(receiver.got()) == webhooks.TRIES
    log = client.get(f"/api/scores/{token}/webhook").json()
    assert log["state"] == "failed"
    assert len(log["deliveries"]) == webhooks.TRIES


def test_a_cancelled_score_is_told(serve, uploaded, run_jobs, receiver, as_person, alice):
    serve()
    receiver.start()
    client = as_person(alice)
    upload = uploaded(b"x" * 10, user=alice)
    jobs.run(Job.objects.get(kind="files.check_upload").public_id)
    body = {"upload": upload.public_id, "webhook": receiver.address}
    token = client.post("/api/scores", body, format="json").json()["token"]
    run = ToolRun.objects.get(token=token)
    assert client.post(f"/api/jobs/{run.job.public_id}/cancel").status_code == 200
    run_jobs()
    (message,) = receiver.got()
    told = json.loads(message["body"])
    assert (told["state"], told["phantom"], told["score"]) == ("cancelled", None, None)


@pytest.mark.parametrize(("status", "tries"), [(410, 1), (302, 1)])
def test_gone_ends_it_and_a_redirect_is_not_followed(
    serve, uploaded, run_jobs, receiver, as_person, alice, status, tries
):
    serve()
    receiver.start(status=status)
    client = as_person(alice)
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id, "webhook": receiver.address}
    client.post("/api/scores", body, format="json")
    client.delete(f"/api/uploads/{upload.public_id}")
    run_jobs(broken=True)
    assert [one["path"] for one in receiver.got()] == ["/hook?lab=1"] * tries
    row = Job.objects.get(kind="scoring.call_webhook")
    assert row.state == ("failed" if status == 410 else "queued")
    assert str(status) in Delivery.objects.get().sentence


def test_the_secret_before_signs_for_a_day(
    serve, uploaded, run_jobs, receiver, as_person, alice, bob
):
    serve()
    receiver.start()
    client = as_person(alice)
    old = client.get("/api/webhooks/secret").json()
    assert old["previous_until"] is None
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id, "webhook": receiver.address}
    client.post("/api/scores", body, format="json")
    new = client.post("/api/webhooks/secret/rotate").json()
    assert new["secret"] != old["secret"]
    assert new["previous_until"]
    assert as_person(bob).get("/api/webhooks/secret").json()["secret"] != new["secret"]
    assert as_person().get("/api/webhooks/secret").status_code == 401
    client.delete(f"/api/uploads/{upload.public_id}")
    run_jobs()
    (message,) = receiver.got()
    assert proven(message, old["secret"])
    assert proven(message, new["secret"])


@pytest.mark.parametrize(
    "address",
    [
        "http://lab.example/hook",
        "ftp://lab.example/hook",
        "https://",
        "https://name:word@lab.example/",
        "https://lab.example/" + "a" * 1990,
        "https://127.0.0.1/",
        "https://localhost:8000/",
        "https://[::1]/",
        "https://10.0.0.7/",
        "https://169.254.169.254/latest/meta-data",
        "https://[fe80::1]/",
        "https://[fd00::1]/",
        "https://[::ffff:192.168.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://0.0.0.0/",
        "https://100.64.0.1/",
        "https://lab.example:99999/",
        "https://lab.example/a b",
        "nonsense",
    ],
)
def test_an_address_behind_our_door_is_refused(serve, uploaded, as_person, settings, address):
    serve()
    settings.WEBHOOK_PRIVATE = False
    upload = uploaded(b"x", complete=False)
    answer = as_person().post(
        "/api/scores", {"upload": upload.public_id, "webhook": address}, format="json"
    )
    assert answer.status_code == 400
    assert answer.json()["field"] == "webhook"
    assert not ToolRun.objects.exists()


def test_a_name_that_leads_inside_is_refused_when_it_is_called(settings, monkeypatch):
    settings.WEBHOOK_PRIVATE = False
    connected = []

    def names(host, port, **_):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (name, port))
            for name in ("93.184.216.34", "10.1.2.3")
        ]

    monkeypatch.setattr(calling.socket, "getaddrinfo", names)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: connected.append(a))
    with pytest.raises(Refused, match="private network"):
        calling.post("https://rebound.example/hook", b"{}", {})
    assert not connected


def test_the_connection_goes_to_the_address_that_was_looked_at(settings, monkeypatch):
    settings.WEBHOOK_PRIVATE = False
    asked, connected = [], []

    def names(host, port, **_):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", port))]

    def connect(address, *_, **__):
        connected.append(address)
        raise OSError("nobody there")

    monkeypatch.setattr(calling.socket, "getaddrinfo", names)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(calling.NotTaken):
        calling.post("https://lab.example/hook", b"{}", {})
    assert asked == ["lab.example"]
    assert connected == [("93.184.216.34", 443)]


@pytest.mark.parametrize("name", ["8.8.8.8", "2606:4700::1111"])
def test_addresses_of_the_open_internet_are_public(name):
    assert calling.is_public(ipaddress.ip_address(name))


def test_a_receiver_that_speaks_slowly_does_not_hold_a_worker(monkeypatch):
    monkeypatch.setattr(calling, "DEADLINE_S", 0.6)
    over = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        link, _ = server.accept()
        with link:
            for letter in b"HTTP/1.1 200 OK\r\nX: " + b"a" * 1000:
                if over.wait(0.05):
                    return
                try:
                    link.send(bytes([letter]))
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    begun = time.monotonic()
    with pytest.raises(calling.NotTaken, match="no whole answer"):
        calling.post(f"http://127.0.0.1:{server.getsockname()[1]}/", b"{}", {})
    took = time.monotonic() - begun
    over.set()
    thread.join()
    server.close()
    assert 0.5 < took < 3


def test_a_person_is_told_in_the_inbox(serve, uploaded, run_jobs, as_person, alice, client):
    from amgs.accounts.models import Notice

    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id, "notify": True, "name": "cage 7"}
    answer = as_person(alice).post("/api/scores", body, format="json")
    as_person(alice).delete(f"/api/uploads/{upload.public_id}")
    row = Notice.objects.get(user=alice)
    assert row.title == "cage 7 could not be scored"
    client.force_login(alice)
    where = client.get(f"/inbox/{row.public_id}/")
    assert where["Location"] == f"/score/{answer.json()['token']}/"
    stranger = uploaded(b"x", complete=False)
    refused = as_person().post(
        "/api/scores", {"upload": stranger.public_id, "notify": True}, format="json"
    )
    assert refused.json()["field"] == "notify"

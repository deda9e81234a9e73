"""DOIs against a DataCite of our own on loopback: made, lost, taken, refused, hidden."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db.models.functions import Now
from django.test import Client

from amgs.core.models import Job
from amgs.repository.citing import doi_state

TAKEN = {"errors": [{"source": "doi", "title": "This DOI has already been taken"}]}
WRONG = {"errors": [{"source": "creators", "title": "can't be blank"}]}
HANG = 0
"""Instead of a status: take the request and never answer."""


class FakeDataCite:
    """Keeps DOIs as DataCite does; ``plan`` holds (status, body) of the next answers instead.

    A planned answer of 2xx keeps the DOI as well, and so does ``HANG``: it was made, but nobody
    was told.
    """

    def __init__(self) -> None:
        self.dois: dict[str, dict] = {}
        self.plan: list[tuple[int, dict]] = []
        self.calls: list[tuple[str, str, int]] = []
        self.logins: set[str] = set()
        self.over = threading.Event()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def _take(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = fake.answer(self.command, self.path, body, self.headers)
                if status == HANG:
                    fake.over.wait(30)
                    return
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PUT = _take  # noqa: N815  (names that http.server asks for)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, method: str, path: str, body: dict, headers) -> tuple[int, dict]:
        """Return status and body, and keep what a real one would keep."""
        scheme, _, secret = headers["Authorization"].partition(" ")
        self.logins.add(base64.b64decode(secret).decode() if scheme == "Basic" else "")
        attributes = body["data"]["attributes"]
        doi = attributes["doi"]
        if self.plan:
            status, answer = self.plan.pop(0)
            if status in {HANG, 201}:
                self.dois[doi] = attributes
        elif method == "POST" and doi in self.dois:
            status, answer = 422, TAKEN
        else:
            assert method == "POST" or path == f"/dois/{doi}"
            status, answer = (201 if method == "POST" else 200), {"data": {"id": doi}}
            self.dois[doi] = attributes
        self.calls.append((method, path, status))
        return status, answer

    def stop(self) -> None:
        """Let go of who hangs, and end."""
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def datacite(settings) -> Iterator[FakeDataCite]:
    """A fake DataCite that the site registers its DOIs at."""
    fake = FakeDataCite()
    port = fake.server.server_address[1]
    settings.DATACITE = {
        "api": f"http://127.0.0.1:{port}",
        "repository": "AMGS.TEST",
        "password": "secret",
        "prefix": "10.5072",
    }
    yield fake
    fake.stop()


@pytest.fixture
def published(draft, take, alice, cora):
    """Publish a version of Harbour without its jobs of before mattering."""
    steps = ("submit", alice), ("start_review", cora), ("accept", cora), ("publish", cora)
    return lambda: take(draft(animals=1, grades=False), *steps)


def _again(run_jobs) -> None:
    """Let what waits for its next attempt be due, as time would."""
    Job.objects.filter(state=Job.State.QUEUED).update(due_at=Now())
    run_jobs(broken=True)


def test_publishing_registers_a_doi_and_everything_cites_it(datacite, published, settings):
    version = published()
    assert version.doi == "10.5072/amgs-000001.1"
    assert datacite.calls == [("POST", "/dois", 201)]
    assert datacite.logins == {"AMGS.TEST:secret"}
    told = datacite.dois[version.doi]
    assert (told["event"], told["titles"]) == ("publish", [{"title": version.title}])
    assert told["url"] == f"{settings.SITE_URL}/datasets/AMGS-000001.1/"
    assert "phantom" in [row["subject"] for row in told["subjects"]]
    page = Client().get("/datasets/AMGS-000001.1/").content.decode()
    assert 'href="https://doi.org/10.5072/amgs-000001.1"' in page
    cite = Client().get("/api/versions/AMGS-000001.1/citation").json()
    assert (cite["doi"], cite["doi_state"]) == (version.doi, "registered")
    assert cite["sentence"].endswith("Rendered phantom data: they show no animal.")
    assert f"https://doi.org/{version.doi}" in cite["sentence"]


def test_without_datacite_our_own_identifier_is_cited(published, settings):
    settings.DATACITE = {}
    version = published()
    assert version.doi == ""
    assert not Job.objects.filter(kind="repository.register_doi").exists()
    assert doi_state(version)["state"] == "none"
    cite = Client().get("/api/versions/AMGS-000001.1/citation").json()
    assert "(version 1, AMGS-000001/1)" in cite["sentence"]
    assert f"{settings.SITE_URL}/datasets/AMGS-000001.1/" in cite["sentence"]


def test_a_fault_of_datacite_is_waited_out(datacite, published, run_jobs, draft, take, alice, cora):
    datacite.plan = [(500, {}), (503, {})]
    version = take(draft(animals=1, grades=False), ("submit", alice), ("start_review", cora))
    version = take(version, ("accept", cora))
    from amgs.repository.services import decide_version

    decide_version(by=cora, version=version, action="publish", why="ready")
    run_jobs(broken=True)
    state = doi_state(version)
    assert state["state"] == "waiting"
    assert "status 500" in state["sentence"]
    assert "being registered" in Client().get("/datasets/AMGS-000001.1/").content.decode()
    _again(run_jobs)
    assert doi_state(version)["state"] == "waiting"
    _again(run_jobs)
    version.refresh_from_db()
    assert version.doi
    assert [status for _, _, status in datacite.calls] == [500, 503, 201]


def test_an_answer_that_was_lost_makes_no_second_doi(datacite, run_jobs, published, monkeypatch):
    monkeypatch.setattr("amgs.repository.datacite.SECONDS", 0.3)
    version = published()
    type(version).objects.update(doi="")  # as if we had never been told
    version.refresh_from_db()
    from amgs.repository.dois import ask_for_doi

    datacite.plan = [(HANG, {})]
    ask_for_doi(version)
    run_jobs(broken=True)
    assert "did not answer (ReadTimeout)" in doi_state(version)["sentence"]
    _again(run_jobs)
    version.refresh_from_db()
    assert version.doi == "10.5072/amgs-000001.1"
    assert [call[0] for call in datacite.calls] == ["POST", "POST", "POST", "PUT"]
    assert len(datacite.dois) == 1


def test_what_datacite_refuses_is_told_and_can_be_begun_again(
    datacite, draft, take, run_jobs, alice, cora, mia
):
    datacite.plan = [(422, WRONG)]
    steps = ("submit", alice), ("start_review", cora), ("accept", cora), ("publish", cora)
    version = take(draft(animals=1, grades=False), *steps)
    state = doi_state(version)
    assert state["state"] == "failed"
    assert "creators can't be blank" in state["sentence"]
    assert len(datacite.calls) == 1  # a refusal is not tried again by itself
    page = Client().get("/datasets/AMGS-000001.1/").content.decode()
    assert "our own identifier is cited until it is" in page
    assert "Register it again" not in page
    maintainer = Client()
    maintainer.force_login(mia)
    assert "Register it again" in maintainer.get("/datasets/AMGS-000001.1/").content.decode()
    maintainer.post(f"/my-work/{state['job']}/retry")
    run_jobs()
    version.refresh_from_db()
    assert version.doi
    assert doi_state(version)["state"] == "registered"


def test_a_wrong_password_is_told_without_the_password(datacite, draft, take, alice, cora):
    datacite.plan = [(401, {})]
    steps = ("submit", alice), ("start_review", cora), ("accept", cora), ("publish", cora)
    version = take(draft(animals=1, grades=False), *steps)
    sentence = doi_state(version)["sentence"]
    assert "DATACITE_URL has to be corrected" in sentence
    assert "secret" not in sentence


@pytest.mark.parametrize(("action", "event"), [("withdraw", "hide"), ("retract", "publish")])
def test_what_leaves_keeps_its_doi_which_says_so(datacite, published, take, alice, action, event):
    version = take(published(), (action, alice))
    told = datacite.dois[version.doi]
    assert told["event"] == event
    assert "for the story" in told["descriptions"][0]["description"]
    assert told["titles"][0]["title"].startswith(version.state.capitalize())
    assert [call[0] for call in datacite.calls] == ["POST", "PUT"]
    page = Client().get("/datasets/AMGS-000001.1/")
    assert page.status_code == 200
    assert f"{version.state.capitalize()} on " in page.content.decode()
    assert "How to cite" in page.content.decode()


def test_the_hourly_look_asks_for_dois_that_are_missing(datacite, published, run_jobs, settings):
    place, settings.DATACITE = settings.DATACITE, {}
    version = published()
    settings.DATACITE = place
    from amgs.core import jobs

    jobs.enqueue("repository.register_missing_dois")
    run_jobs()
    version.refresh_from_db()
    assert version.doi == "10.5072/amgs-000001.1"
    jobs.enqueue("repository.register_missing_dois")
    run_jobs()
    assert len(datacite.calls) == 1


def test_the_setting_is_one_address(settings):
    from django.core.exceptions import ImproperlyConfigured

    from amgs.settings.services import datacite as read

    found = read("https://AMGS.LAB:pass%40word@api.datacite.org?prefix=10.1234")
    assert found == {
        "api": "https://api.datacite.org",
        "repository": "AMGS.LAB",
        "password": "pass@word",
        "prefix": "10.1234",
    }
    assert read("") == {}
    for wrong in ("http://A:b@api.datacite.org?prefix=10.1", "https://A:b@api.datacite.org"):
        with pytest.raises(ImproperlyConfigured):
            read(wrong)

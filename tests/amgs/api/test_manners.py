"""Manners of the API: only what is asked for, nothing twice, not too often, plain problems."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from django.test import Client


@pytest.fixture
def as_person(token_of):
    """A client with a token of a person, or without one."""

    def make(user=None, *scopes: str) -> Client:
        return Client(
            headers={"Authorization": f"Bearer {token_of(user, *scopes)}"} if user else {}
        )

    return make


@pytest.fixture
def _fresh_counters():
    cache.clear()
    yield
    cache.clear()


def test_an_answer_that_has_not_changed_is_not_sent_again(draft, as_person, alice):
    draft(animals=1, grades=False)
    client = as_person(alice)
    where = "/api/versions/AMGS-000001.1"
    first = client.get(where)
    assert first["Cache-Control"] == "private, no-cache"
    assert {"Authorization", "Cookie"} <= {name.strip() for name in first["Vary"].split(",")}
    same = client.get(where, headers={"If-None-Match": first["ETag"]})
    assert (same.status_code, same.content) == (304, b"")
    assert same["ETag"] == first["ETag"]
    client.patch(where, json.dumps({"funder": "Nobody"}), content_type="application/json")
    other = client.get(where, headers={"If-None-Match": first["ETag"]})
    assert other.status_code == 200
    assert other["ETag"] != first["ETag"]


def test_what_others_see_has_another_etag(draft, take, as_person, alice, cora):
    take(draft(animals=1, grades=False), ("submit", alice))
    where = "/api/versions/AMGS-000001.1"
    own = as_person(alice).get(where)
    assert as_person(cora).get(where, headers={"If-None-Match": own["ETag"]}).status_code == 200


@pytest.mark.parametrize("where", ["versions/AMGS-000001.1", "datasets/AMGS-000001", "me"])
def test_one_thing_comes_with_the_fields_asked_for(draft, as_person, alice, where):
    draft(animals=1, grades=False)
    client = as_person(alice)
    whole = client.get(f"/api/{where}").json()
    name = next(iter(whole))
    assert client.get(f"/api/{where}?fields={name},id").json().keys() == {name, "id"}
    refused = client.get(f"/api/{where}?fields=nonsense")
    assert refused.status_code == 400
    assert refused.json()["field"] == "fields"
    assert "choose from" in refused.json()["detail"]


def test_lists_come_with_the_fields_asked_for(draft, as_person, alice):
    draft(animals=1)
    client = as_person(alice)
    for where in ("datasets", "versions/AMGS-000001.1/recordings", "versions/AMGS-000001.1/frames"):
        rows = client.get(f"/api/{where}?fields=id").json()["results"]
        assert rows
        assert {tuple(row) for row in rows} == {("id",)}
        assert client.get(f"/api/{where}?fields=nonsense").status_code == 400


def test_pages_of_frames_follow_each_other_without_a_gap(draft, as_person, alice):
    draft(animals=2)
    client = as_person(alice)
    where = "/api/versions/AMGS-000001.1/frames"
    whole = client.get(f"{where}?limit=200").json()
    assert whole["next"] is None
    seen, after = [], ""
    while after is not None:
        page = client.get(where, {"limit": 7, **({"after": after} if after else {})}).json()
        seen += [row["id"] for row in page["results"]]
        after = page["next"]
    assert seen == [row["id"] for row in whole["results"]]
    assert len(set(seen)) == len(seen) > 40
    recording = whole["results"][-1]["recording"]
    some = client.get(where, {"recording": recording, "limit": 200}).json()["results"]
    assert {row["recording"] for row in some} == {recording}
    assert client.get(where, {"after": "nowhere"}).status_code == 400


def test_the_picture_of_a_frame_is_had_by_those_who_see_it(draft, as_person, alice, bob):
    draft(animals=1, grades=False)
    client = as_person(alice)
    row = client.get("/api/versions/AMGS-000001.1/frames?limit=1").json()["results"][0]
    picture = client.get(client.get(row["still"])["Location"])
    assert picture["Content-Type"] == "image/jpeg"
    assert as_person(bob).get(row["still"]).status_code == 404
    elsewhere = row["still"].replace(row["id"], "nothing")
    assert client.get(elsewhere).status_code == 404


def test_frames_are_for_those_who_may_have_them(draft, as_person, alice, bob, cora, take):
    version = draft(animals=1, grades=False)
    where = "/api/versions/AMGS-000001.1/frames"
    assert as_person(alice).get(where).json()["results"][0]["animal"] == "m1"
    assert as_person(bob).get(where).status_code == 404
    take(version, ("submit", alice), ("start_review", cora), ("accept", cora), ("publish", cora))
    assert as_person().get(where).json()["results"][0]["animal"] == "M001"
    version.permissions.filter(kind="download").delete()
    assert as_person().get(where).status_code == 403
    assert as_person(cora).get(where).status_code == 200


@pytest.mark.usefixtures("_fresh_counters")
def test_who_asks_too_often_is_told_when_to_go_on(as_person, alice, settings):
    settings.API_RATE = 3
    client, other = as_person(alice), as_person(alice)
    statuses = [client.get("/api/me").status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]
    refused = client.get("/api/me")
    assert refused["Content-Type"] == "application/problem+json"
    assert 1 <= int(refused["Retry-After"]) <= 60
    body = refused.json()
    assert (body["status"], body["title"]) == (429, "Too much")
    assert f"in {refused['Retry-After']} second" in body["detail"]
    assert other.get("/api/me").status_code == 200  # another token has its own count


@pytest.mark.usefixtures("_fresh_counters")
def test_strangers_are_counted_by_address(as_person, settings):
    settings.API_RATE_PUBLIC = 2
    client = as_person()
    statuses = [client.get("/api/datasets").status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    assert client.get("/api/datasets", REMOTE_ADDR="192.0.2.7").status_code == 200
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    ("method", "where", "body", "status"),
    [
        ("GET", "/api/nothing", "", 404),
        ("POST", "/api/nothing/at/all", "{}", 404),
        ("GET", "/api/datasets/", "", 404),
        ("GET", "/api/versions/nowhere", "", 404),
        ("DELETE", "/api/datasets", "", 405),
        ("POST", "/api/datasets", "{", 400),
        ("GET", "/api/datasets?limit=" + "9" * 5000, "", 400),
        ("GET", "/api/datasets?after=nowhere", "", 400),
        ("GET", "/api/datasets?q=%00", "", 400),
        ("GET", "/api/versions/%00", "", 404),
        ("POST", "/api/datasets", '{"lab": "a\\u0000", "title": "x"}', 400),
        ("POST", "/api/datasets", '{"lab": "a", "title": "\\ud800"}', 400),
        ("POST", "/api/datasets", '{"metadata": {"dose": 1e999}}', 400),
        ("POST", "/api/datasets", "[" * 100_000, 400),
    ],
)
def test_every_error_is_a_problem(as_person, alice, method, where, body, status):
    answer = as_person(alice).generic(method, where, body, content_type="application/json")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["title"]
    assert told["detail"].endswith(".")


def test_a_fault_of_ours_is_a_problem_too(as_person, alice, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the machine")

    monkeypatch.setattr("amgs.repository.queries.version_row", broken)
    monkeypatch.setattr("amgs.repository.search.facets", broken)
    client = as_person(alice)
    client.raise_request_exception = False
    answer = client.get("/api/datasets/facets")
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert "secret" not in answer.content.decode()


def test_a_broken_page_is_a_page(client, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("amgs.repository.search.facets", broken)
    client.raise_request_exception = False
    assert client.get("/datasets/")["Content-Type"].startswith("text/html")
    assert client.get("/nothing/")["Content-Type"].startswith("text/html")
    assert client.get("/datasets/%00/").status_code == 404

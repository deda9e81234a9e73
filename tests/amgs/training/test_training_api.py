"""Retraining over HTTP."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from amgs.core.base import SYSTEM
from amgs.training import services, triggers


@pytest.fixture
def client_of(token_of):
    def make(user) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return client

    return make


def test_a_maintainer_reads_and_edits_the_policy(mia, client_of):
    client = client_of(mia)
    policy = client.get("/api/training/policy").json()
    assert policy["enabled"]
    assert "tiny" in policy["recipes"]
    assert "demo" in policy["profiles"]
    answer = client.patch("/api/training/policy", {"min_new_frames": 7}, format="json")
    assert (answer.status_code, answer.json()["min_new_frames"]) == (200, 7)
    answer = client.patch("/api/training/policy", {"warm_start": True}, format="json")
    assert (policy["warm_start"], answer.json()["warm_start"]) == (False, True)
    answer = client.patch("/api/training/policy", {"recipe": "huge"}, format="json")
    assert (answer.status_code, answer.json()["field"]) == (400, "recipe")


def test_a_run_is_started_seen_and_cancelled(mia, client_of, publish):
    publish()
    client = client_of(mia)
    body = {"recipe": "tiny", "profile": "demo", "negative_control": True, "why": "to see"}
    key = {"HTTP_IDEMPOTENCY_KEY": "a-key-of-mine"}
    answer = client.post("/api/training/runs", body, format="json", **key)
    assert answer.status_code == 201
    run = answer.json()
    twice = client.post("/api/training/runs", body, format="json", **key)
    assert twice.json()["id"] == run["id"]
    other = client.post("/api/training/runs", body | {"why": "more"}, format="json", **key)
    assert other.status_code == 422
    assert run["negative_control"]
    assert run["job"]["state"] == "queued"
    assert run["snapshot"] is None
    assert run["by"] == "Mia Moreau"
    assert run["thresholds"]["name"] == "demo"
    (listed,) = client.get("/api/training/runs").json()["results"]
    assert listed["id"] == run["id"]
    answer = client.post(f"/api/training/runs/{run['id']}/cancel", {}, format="json")
    assert answer.json()["job"]["state"] == "cancelled"
    again = client.post(f"/api/training/runs/{run['id']}/cancel", {}, format="json")
    assert (again.status_code, again.json()["detail"]) == (
        400,
        "This work is already over, so there is nothing to cancel.",
    )


def test_snapshots_and_triggers_are_listed(mia, client_of, publish):
    publish()
    snapshot = services.freeze_snapshot(by=SYSTEM)
    services.edit_policy(by=mia, min_new_frames=1000)
    triggers.evaluate()
    client = client_of(mia)
    (row,) = client.get("/api/snapshots").json()["results"]
    assert row["digest"] == snapshot.digest
    assert client.get(f"/api/snapshots/{row['id']}").json()["header"]["counts"]
    (trigger,) = client.get("/api/training/triggers").json()["results"]
    assert not trigger["fired"]
    assert trigger["facts"] == {
        "new_frames": 12,
        "min_new_frames": 1000,
        "versions": ["AMGS-000001/1"],
    }


def test_contributors_see_no_runs_and_curators_start_none(alice, cora, client_of, publish):
    publish()
    assert client_of(alice).get("/api/training/runs").status_code == 403
    client = client_of(cora)
    assert client.get("/api/training/runs").status_code == 200
    answer = client.post("/api/training/runs", {"recipe": "tiny", "profile": "demo"}, format="json")
    assert answer.status_code == 403
    assert "Only a maintainer" in answer.json()["detail"]


def test_lists_of_runs_take_a_constant_number_of_queries(mia, publish, django_assert_num_queries):
    from amgs.training import queries

    publish()
    for seed in range(3):
        services.start_run(by=mia, recipe="tiny", profile="demo", seed=seed)
    with django_assert_num_queries(1):
        assert len([queries.run_json(row) for row in queries.runs()]) == 3


def test_the_schedule_is_edited_and_refused_in_a_sentence(mia, client_of):
    client = client_of(mia)
    answer = client.patch(
        "/api/training/policy", {"schedule": "0 3 * * 1", "new_lab_or_coat": True}, format="json"
    ).json()
    assert (answer["schedule"], answer["new_lab_or_coat"]) == ("0 3 * * 1", True)
    assert answer["scheduled_for"].endswith("03:00:00Z")
    answer = client.patch("/api/training/policy", {"schedule": "nightly"}, format="json")
    assert (answer.status_code, answer.json()["field"]) == (400, "schedule")


def test_a_lab_is_set_aside_and_seen(mia, cora, client_of, publish):
    for name in ("Harbour", "Meadow", "Brook"):
        publish(name, animals=8)
    client = client_of(mia)
    told = client.get("/api/training/independent-labs").json()
    assert told["proposals"][0] == {"lab": "Brook", "coats": ["white"], "animals": 8}
    body = {"lab": "Brook", "why": "another camera"}
    assert (
        client_of(cora).post("/api/training/independent-labs", body, format="json").status_code
        == 403
    )
    answer = client.post("/api/training/independent-labs", body, format="json")
    assert answer.status_code == 201
    assert answer.json()["sentences"] == ["White mice: Brook only validates."]
    answer = client.post("/api/training/independent-labs", body, format="json")
    assert (answer.status_code, answer.json()["field"]) == (400, "lab")


def test_benchmarks_are_listed_with_what_was_measured_on_them(mia, client_of, publish):
    publish(animals=12)
    snapshot = services.freeze_snapshot(by=SYSTEM)
    run = services.start_run(by=mia, recipe="tiny", profile="demo", snapshot=snapshot)
    client = client_of(mia)
    (row,) = client.get("/api/benchmarks").json()["results"]
    assert (row["identifier"], row["digest"]) == ("mouse-b1", snapshot.benchmark.digest)
    told = client.get(f"/api/benchmarks/{row['id']}").json()
    assert (told["snapshots"], told["models"]) == ([snapshot.public_id], [])
    seen = client.get(f"/api/training/runs/{run.public_id}").json()
    assert (seen["benchmark"], seen["benchmark_identifier"]) == (row["id"], "mouse-b1")
    assert (seen["made"], seen["checkpoint"]) == ({}, None)
    assert client.get("/api/benchmarks/nothing").status_code == 404

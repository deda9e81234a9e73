"""Model versions over HTTP."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from amgs.registry import services


@pytest.fixture
def client_of(token_of):
    def make(user=None) -> APIClient:
        client = APIClient()
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return client

    return make


def test_anybody_reads_versions_with_report_verdicts_and_history(register, client_of):
    version = register("serving")
    client = client_of()
    listed = client.get("/api/models").json()
    assert [row["identifier"] for row in listed["results"]] == [version.identifier]
    one = client.get(f"/api/models/{version.identifier}").json()
    assert one["report"]["image_score"]["rmse"] == 0.3
    assert one["id"] == version.public_id
    assert one["actions"]
    assert not any(act["allowed"] for act in one["actions"])
    assert client.get("/api/models/serving").json()["id"] == version.public_id
    assert client.get(f"/api/models/{version.public_id}/report").json() == one["report"]
    steps = client.get(f"/api/models/{version.public_id}/history").json()["results"]
    assert [step["action"] for step in steps][-2:] == ["approve", "promote"]
    assert steps[-1]["from"] == "approved"


def test_no_serving_version_is_a_404_with_a_sentence(db, client_of):
    answer = client_of().get("/api/models/serving")
    assert (answer.status_code, answer.json()["detail"]) == (404, "No model version serves yet.")


def test_a_maintainer_approves_and_promotes(register, mia, client_of):
    version = register()
    client = client_of(mia)
    for action, state in (("approve", "approved"), ("promote", "serving")):
        answer = client.post(
            f"/api/models/{version.public_id}/actions/{action}",
            {"why": "smaller error"},
            format="json",
        )
        assert (answer.status_code, answer.json()["state"]) == (200, state)


@pytest.mark.parametrize(
    ("who", "why", "status", "sentence"),
    [
        ("cora", "please", 403, "Only a maintainer"),
        ("mia", "", 400, "reason"),
        (None, "please", 401, ""),
    ],
)
def test_a_promotion_is_refused(register, client_of, request, who, why, status, sentence):
    version = register("approved")
    client = client_of(request.getfixturevalue(who) if who else None)
    answer = client.post(
        f"/api/models/{version.public_id}/actions/promote", {"why": why}, format="json"
    )
    assert answer.status_code == status
    assert sentence in answer.json()["detail"]
    assert services.serving() is None


def test_an_action_that_does_not_exist_is_refused(register, mia, client_of):
    version = register("approved")
    answer = client_of(mia).post(
        f"/api/models/{version.public_id}/actions/crown", {"why": "x"}, format="json"
    )
    assert answer.status_code == 400
    assert "no act called “crown”" in answer.json()["detail"]


def test_the_list_takes_a_constant_number_of_queries(
    register, client_of, django_assert_max_num_queries
):
    for _ in range(3):
        register()
    client = client_of()
    with django_assert_max_num_queries(2):
        client.get("/api/models")

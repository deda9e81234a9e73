"""A request that is sent twice is done once, and a key stands for one request."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from amgs.core import idempotency
from amgs.core.models import KeptAnswer
from amgs.files.models import Upload
from amgs.scoring.models import ToolRun

KEY = "b0a5cbe2-6a43-4a0a-9a4a-1c0f0f2c7a11"


@pytest.fixture
def ask(token_of):
    def post(path, body, *, user=None, key=KEY):
        client = APIClient()
        if user:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        headers = {"HTTP_IDEMPOTENCY_KEY": key} if key else {}
        return client.post(path, body, format="json", **headers)

    return post


def test_the_same_request_gives_the_same_score(serve, uploaded, ask, alice):
    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id, "name": "a"}
    first, second = (ask("/api/scores", body, user=alice) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["token"] == second.json()["token"]
    assert (first["Idempotency-Replayed"], second["Idempotency-Replayed"]) == ("false", "true")
    without = ask("/api/scores", body, user=alice, key="")
    assert without.json()["token"] != first.json()["token"]
    assert "Idempotency-Replayed" not in without


def test_a_key_with_another_request_is_refused(serve, uploaded, ask, alice, bob):
    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    other = uploaded(b"y", user=alice, complete=False)
    assert ask("/api/scores", {"upload": upload.public_id}, user=alice).status_code == 201
    for body in (
        {"upload": upload.public_id, "name": "another"},
        {"upload": upload.public_id, "region": {"name": "m1", "box": [0, 0, 9, 9]}},
        {"upload": other.public_id},
    ):
        refused = ask("/api/scores", body, user=alice)
        assert refused.status_code == 422
        assert refused["Content-Type"] == "application/problem+json"
        assert "new key" in refused.json()["detail"]
    assert ToolRun.objects.count() == 1
    # Nobody meets the keys of others.
    his = uploaded(b"z", user=bob, complete=False)
    assert ask("/api/scores", {"upload": his.public_id}, user=bob).status_code == 201


def test_the_same_file_sent_again_is_the_same_request(serve, uploaded, ask, alice, run_jobs):
    serve()
    upload = uploaded(b"no film", user=alice)
    body = {"upload": upload.public_id, "name": "a.mp4"}
    first = ask("/api/scores", body, user=alice)
    run_jobs(broken=True)  # no bundle is behind this version
    again = uploaded(b"no film", user=alice)
    run_jobs(broken=True)  # no bundle is behind this version
    assert again.pk != upload.pk
    second = ask("/api/scores", body | {"upload": again.public_id}, user=alice)
    assert second.json()["token"] == first.json()["token"]


def test_after_a_day_a_key_is_as_good_as_new(serve, uploaded, ask, alice, run_jobs):
    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id}
    first = ask("/api/scores", body, user=alice)
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))
    second = ask("/api/scores", body, user=alice)
    assert first.json()["token"] != second.json()["token"]
    ask("/api/scores", body, user=alice, key=f"{KEY}-2")
    KeptAnswer.objects.filter(made=ToolRun.objects.latest("pk").public_id).update(
        created_at=timezone.now() - timedelta(hours=25)
    )
    from amgs.core.jobs import enqueue

    job = enqueue(idempotency.forget_keys)
    run_jobs()
    job.refresh_from_db()
    assert job.result == {"forgotten": 1}
    assert KeptAnswer.objects.count() == 1


def test_a_refused_request_may_be_mended(serve, uploaded, ask, alice):
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id}
    assert ask("/api/scores", body, user=alice).status_code == 400  # no model serves yet
    assert not KeptAnswer.objects.exists()
    serve()
    assert ask("/api/scores", body | {"name": "a"}, user=alice).status_code == 201


def test_a_score_that_is_gone_is_made_anew(serve, uploaded, ask, alice):
    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    body = {"upload": upload.public_id}
    ask("/api/scores", body, user=alice)
    ToolRun.objects.all().delete()
    assert ask("/api/scores", body, user=alice)["Idempotency-Replayed"] == "false"


@pytest.mark.parametrize(
    ("key", "signed_in"),
    [
        ("short", True),
        ("a key of spaces", True),
        ("ä" * 9, True),
        ("12345678", False),
        ("a" * 201, True),
    ],
)
def test_a_key_that_is_none_is_refused(serve, uploaded, ask, alice, key, signed_in):
    serve()
    user = alice if signed_in else None
    upload = uploaded(b"x", user=user, complete=False)
    refused = ask("/api/scores", {"upload": upload.public_id}, user=user, key=key)
    assert (refused.status_code, refused.json()["field"]) == (400, "Idempotency-Key")


def test_an_upload_and_a_second_score_are_opened_once(
    serve_bundle, uploaded, ask, run_jobs, tmp_path, render
):
    serve_bundle(0)
    data = render(tmp_path / "film.mp4").read_bytes()
    body = {"name": "a.mp4", "size": 5, "purpose": "score"}
    first, second = (ask("/api/uploads", body) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert ask("/api/uploads", body | {"size": 6}).status_code == 422
    assert Upload.objects.count() == 1
    run = ask("/api/scores", {"upload": uploaded(data).public_id}).json()
    run_jobs()
    newer = serve_bundle(1)
    made = [
        ask(f"/api/scores/{run['token']}/rescore", {"model": newer.identifier}) for _ in range(2)
    ]
    assert made[0].json()["token"] == made[1].json()["token"]
    assert made[1]["Idempotency-Replayed"] == "true"


def test_a_chosen_version_scores(serve_bundle, uploaded, ask, run_jobs, tmp_path, render):
    older = serve_bundle(0)
    serve_bundle(1)
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes())
    body = {"upload": upload.public_id, "model": older.identifier}
    token = ask("/api/scores", body).json()["token"]
    run_jobs()
    assert APIClient().get(f"/api/scores/{token}").json()["provenance"]["model"] == older.identifier
    unknown = ask("/api/scores", body | {"model": "mouse-v99"}, key="")
    assert unknown.status_code == 404


@pytest.mark.django_db(transaction=True)
def test_twice_at_once_makes_one_score(serve, uploaded, alice, token_of):
    serve()
    upload = uploaded(b"x", user=alice, complete=False)
    secret = token_of(alice)

    def send(_: int):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}", HTTP_IDEMPOTENCY_KEY=KEY)
        try:
            return client.post("/api/scores", {"upload": upload.public_id}, format="json")
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["token"] for answer in answers}) == 1
    assert [answer["Idempotency-Replayed"] for answer in answers].count("false") == 1
    assert ToolRun.objects.count() == 1

"""Blindness on the wire: no answer a rater gets tells anything of where a frame comes from."""

from __future__ import annotations

import io
import json

import pytest
from django.test import Client
from PIL import Image

from amgs.core.models import Job
from amgs.repository.models import Animal, Cage, Frame, Group, Observation, Recording
from models.scale import load_scale


@pytest.fixture
def rater_client(token_of, rita):
    """Rita's program."""
    return Client(headers={"Authorization": f"Bearer {token_of(rita, 'rate')}"})


@pytest.fixture
def waiting(draft, take, alice, cora):
    """A version whose audit waits for raters; its names would be easy to recognise."""
    version = draft(title="Zymosan in Harbour", description="Secret design", funder="Wellcome")
    return take(version, ("submit", alice), ("start_review", cora))


def _telling(version) -> set[str]:
    """Everything that would tell a rater what a frame is of."""
    dataset = version.dataset
    words = {
        version.public_id,
        version.identifier,
        version.title,
        version.description,
        version.funder,
        dataset.public_id,
        dataset.identifier,
        dataset.lab.name,
        dataset.lab.public_id,
        "laparotomy",
        "post_surgical",
        "vehicle",
        "CD-1",
        "female",
        *load_scale().coat_keys,
    }
    for model in (Animal, Group, Cage, Observation, Recording, Frame):
        for row in model.objects.all():
            words |= {row.public_id, getattr(row, "name", ""), getattr(row, "pseudonym", "")}
    words |= {recording.blob.sha256 for recording in Recording.objects.all()}
    words |= {job.public_id for job in Job.objects.all()}
    # Short names such as "m1" occur by chance in signatures.
    return {word for word in words if len(word) > 3}


def test_no_answer_a_rater_gets_holds_metadata(waiting, rater_client):
    telling = _telling(waiting)
    allowed = {"id", "kind", "question", "still", "clip", "training", "units", "choices", "reasons"}
    seen: list[str] = []
    stills = []
    while True:
        response = rater_client.get("/api/rating/next")
        seen += [response.content.decode(), str(dict(response.headers))]
        found = response.json()
        assert set(found) == {"assignment", "remaining"}
        assignment = found["assignment"]
        if assignment is None:
            break
        assert set(assignment) == allowed
        still = Client().get(assignment["still"])
        stills.append(assignment["still"].split("?")[0])
        data = b"".join(still.streaming_content) if still.streaming else still.content
        seen.append(str(dict(still.headers)))
        picture = Image.open(io.BytesIO(data))
        assert picture.format == "JPEG"
        assert not picture.getexif()
        grades = {unit["key"]: 0 for unit in assignment["units"]}
        response = rater_client.post(
            f"/api/rating/{assignment['id']}",
            json.dumps({"grades": grades, "seconds": 1}),
            content_type="application/json",
        )
        assert response.status_code == 200
        assert set(response.json()) == {"id", "rated_at", "feedback"}
        assert response.json()["feedback"] is None
        seen += [response.content.decode(), str(dict(response.headers))]
    assert len(stills) == len(set(stills)) == 8
    for text in seen:
        for word in telling:
            assert word not in text, word


def test_a_refusal_tells_no_more_than_an_answer(waiting, rater_client):
    telling = _telling(waiting)
    assignment = rater_client.get("/api/rating/next").json()["assignment"]
    for path, body in (
        (f"/api/rating/{assignment['id']}", {"grades": {"nonsense": 1}}),
        (f"/api/rating/{assignment['id']}", {"grades": {}}),
        (f"/api/rating/{assignment['id']}/discard", {"why": ""}),
        ("/api/rating/01h00000000000000000000000", {"grades": {}}),
    ):
        response = rater_client.post(path, json.dumps(body), content_type="application/json")
        assert response.status_code in {400, 404}
        assert response.headers["Content-Type"] == "application/problem+json"
        for word in telling:
            assert word not in response.content.decode()


def test_frames_come_shuffled_over_animals_and_times(waiting, rita):
    from amgs.review.models import Task

    rows = Task.objects.order_by("priority").values_list("frame__recording", "frame__number")
    assert list(rows) != sorted(rows)


def test_a_rater_is_not_shown_the_audit_while_it_runs(waiting, token_of, person):
    roxane = person("Roxane Roy", "rater", "curator")
    client = Client(headers={"Authorization": f"Bearer {token_of(roxane)}"})
    assert client.get("/api/rating/next").json()["assignment"] is not None
    response = client.get(f"/api/versions/{waiting.public_id}/audit")
    assert response.status_code == 403
    assert "when the review is over" in response.json()["detail"]


def test_whoever_looks_at_a_dataset_is_given_no_frame_of_it(waiting, token_of, person):
    roxane = person("Roxane Roy", "rater", "curator")
    client = Client(headers={"Authorization": f"Bearer {token_of(roxane)}"})
    assert client.get("/api/rating/next").json()["remaining"] == 7
    assert client.get(f"/api/versions/{waiting.public_id}").status_code == 200
    assert client.get("/api/rating/next").json() == {"assignment": None, "remaining": 0}


def test_putting_a_frame_aside_over_http(waiting, rater_client):
    assignment = rater_client.get("/api/rating/next").json()["assignment"]
    response = rater_client.post(
        f"/api/rating/{assignment['id']}/discard",
        json.dumps({"why": "I recognise this animal or group"}),
        content_type="application/json",
    )
    assert response.status_code == 204
    other = rater_client.get("/api/rating/next").json()["assignment"]
    assert other["id"] != assignment["id"]

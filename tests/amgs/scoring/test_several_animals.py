"""One score cannot stand for several animals: refused in a sentence, or scored by region."""

from __future__ import annotations

import json

import pytest
from rest_framework.test import APIClient

from amgs.core.errors import Refused
from amgs.files.storage import get_storage
from amgs.scoring import services
from amgs.scoring.models import ToolRun

BOX = [10, 0, 150, 150]


class Crowd:
    """A census that has seen several animals from the first."""

    several = settled = True

    def see(self, luma, faces) -> None:
        """Count nothing."""


def ask(upload, **more):
    body = {"upload": upload.public_id, **more}
    return APIClient().post("/api/scores", body, format="json")


def test_a_video_of_several_animals_gets_a_sentence_and_no_grades(
    serve_bundle, uploaded, run_jobs, render, tmp_path, monkeypatch, client
):
    monkeypatch.setattr("models.animals.Census", Crowd)
    serve_bundle()
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes(), name="cage 7.mp4")
    token = ask(upload).json()["token"]
    run_jobs()
    score = APIClient().get(f"/api/scores/{token}").json()
    assert score["job"]["state"] == "done"
    assert score["result"]["outcome"] == "several_animals"
    assert score["result"]["score"] is None
    assert "more than one mouse is in view" in score["result"]["sentence"]
    assert "region" in score["result"]["sentence"]
    assert score["files"] == {}
    page = client.get(f"/score/{token}/").content.decode()
    assert "More than one mouse is in view" in page
    assert "mean image score" not in page


def test_one_animal_is_scored_by_its_region(
    serve_bundle, uploaded, run_jobs, render, tmp_path, client
):
    serve_bundle()
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes())
    answers = [
        ask(upload, region={"name": name, "box": box})
        for name, box in (("m1", BOX), ("m2", [50, 0, 5000, 150]))
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    tokens = [answer.json()["token"] for answer in answers]
    assert len(set(tokens)) == 2
    run_jobs()
    for token, name in zip(tokens, ("m1", "m2"), strict=True):
        score = APIClient().get(f"/api/scores/{token}").json()
        assert score["job"]["state"] == "done", score["job"]
        assert score["result"]["frames"] == 12
        assert score["provenance"]["region"]["name"] == name
        run = ToolRun.objects.get(token=token)
        with get_storage().open(run.outputs["result.json"]) as stream:
            assert json.load(stream)["provenance"]["region"]["name"] == name
        assert f": {name}</h1>" in client.get(f"/score/{token}/").content.decode()


@pytest.mark.parametrize(
    ("region", "words"),
    [
        ({"name": "m1", "box": [0, 0, 5, 5]}, "no part of a picture"),
        ({"name": "../m1", "box": BOX}, "cannot name an animal"),
        ({"name": "m1", "box": [0, 0, 5]}, "4"),
        ({"name": "m1", "box": [-1, 0, 50, 50]}, "0"),
        ({"box": BOX}, "required"),
    ],
)
def test_a_region_that_cannot_be_one_is_refused_at_once(serve, uploaded, region, words):
    serve()
    answer = ask(uploaded(b"film"), region=region)
    assert answer.status_code == 400
    assert words in json.dumps(answer.json())
    assert not ToolRun.objects.exists()


def test_a_region_outside_the_picture_fails_with_the_name_that_was_uploaded(
    serve_bundle, uploaded, run_jobs, render, tmp_path
):
    serve_bundle()
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes(), name="cage 7.mp4")
    run = services.start_score(upload=upload, region={"name": "m1", "box": [900, 0, 999, 99]})
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "failed"
    assert "lies outside the picture of cage 7.mp4, which is 200 pixels wide" in run.job.error


def test_a_service_refuses_what_is_no_region(serve, uploaded):
    serve()
    with pytest.raises(Refused, match="four numbers"):
        services.start_score(upload=uploaded(b"film"), region={"name": "m1", "box": [1, 2]})

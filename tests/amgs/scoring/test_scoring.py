"""A file is scored by the version that serves, and every number names it."""

from __future__ import annotations

import csv
import hashlib
import json

import pytest
from rest_framework.test import APIClient

from amgs.files.storage import get_storage
from amgs.scoring import engine, services
from amgs.scoring.models import ToolRun

FRAMES = 12


def test_a_film_is_scored_over_http_by_anybody(serve_bundle, uploaded, run_jobs, tmp_path, render):
    version = serve_bundle()
    data = render(tmp_path / "film.mp4").read_bytes()
    client = APIClient()
    upload = uploaded(data, name="cage 7.mp4")
    answer = client.post("/api/scores", {"upload": upload.public_id}, format="json")
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert len(token) >= 20
    # The upload is still being checked: the score has its address and waits.
    assert answer.json()["job"] == {
        "id": None,
        "state": "queued",
        "progress": 0.0,
        "note": "the upload is being checked",
        "error": "",
    }
    run_jobs()
    score = client.get(f"/api/scores/{token}").json()
    assert score["job"]["state"] == "done"
    result = score["result"]
    assert result["frames"] == FRAMES
    assert result["outcome"] in {"scored", "no_scorable_frames"}
    assert sum(result["not_scorable"].values()) + result["graded"] == FRAMES
    assert result["phantom"]
    assert "not a welfare" in result["disclaimer"]
    provenance = score["provenance"]
    assert provenance["model"] == version.identifier
    assert provenance["bundle_digest"] == version.digest
    assert provenance["snapshot"] == "snapshot-0"
    assert provenance["file"] == "cage 7.mp4"
    assert provenance["file_sha256"] == hashlib.sha256(data).hexdigest()
    assert {"frames.csv", "predictions.parquet", "result.json"} <= set(score["files"])

    answer = client.get(score["files"]["frames.csv"])
    assert answer.status_code == 302
    run = ToolRun.objects.get(token=token)
    with get_storage().open(run.outputs["frames.csv"]) as stream:
        lines = stream.read().decode().splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert len(rows) == FRAMES
    assert {(row["model"], row["bundle"]) for row in rows} == {
        (version.identifier, version.digest[:12])
    }
    assert {row["unfamiliar"] for row in rows} <= {"yes", "no"}
    assert all(f"{unit}_set" in rows[0] for unit in result["units"])
    with get_storage().open(run.outputs["result.json"]) as stream:
        assert json.load(stream)["provenance"]["model"] == version.identifier
    for picture in result["best_frames"]:
        with get_storage().open(run.outputs[picture["file"]]) as stream:
            assert stream.read(2) == b"\xff\xd8"
    assert client.get(f"/api/scores/{token}/files/secret.txt").status_code == 404
    assert client.get("/api/scores/not-a-token").status_code == 404


def test_a_film_is_scored_by_the_model_that_a_fresh_site_begins_with(
    bundles, monkeypatch, uploaded, run_jobs, tmp_path, render
):
    from amgs.registry.shipped import register_shipped
    from curation import gates
    from models.bundle import unpack

    packed, digest = bundles[0]
    unpack(packed, tmp_path / "shipped")
    # It learned next to nothing, and the gates would say so.
    monkeypatch.setattr(gates, "GATES", (gates.integrity, gates.origin))
    assert register_shipped(tmp_path / "shipped").state == "serving"
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes())
    run = services.start_score(upload=upload)
    run_jobs()
    run.refresh_from_db()
    assert run.result["phantom"]
    told = run.provenance
    assert (told["model"], told["bundle_digest"]) == ("mouse-v1", digest)
    assert told["snapshot"] == run.model_version.info["snapshot_digest"]


def test_the_best_frames_are_pictures_with_a_face_box(tmp_path, bundles, render):
    from amgs.scoring import pictures
    from models.media import open_media
    from models.records import Face, FrameKey, Grade, Prediction
    from models.scale import load_scale

    film = render(tmp_path / "film.mp4")
    with open_media(film) as media:
        frames = list(media)
    unit = load_scale().unit_keys[0]
    predictions = [
        Prediction(
            key=FrameKey("b" * 64, 0, frame.pts, frame.time_base),
            index=frame.index,
            time_s=frame.time_s,
            state="awake",
            face=Face((20.0, 30.0, 120.0, 130.0), {}, 0.9, "frontal", 50.0),
            grades=(Grade(unit, 1, None, (0.1, 0.8, 0.1), 0.99, (0, 1)),),
            image_score=1.0,
            reason=None,
        )
        for frame in frames
    ]
    best = [{"pts": frames[number].pts} for number in (3, 5)] + [{"pts": -7}]
    from models.gallery import Shot

    # The one that was kept is not read again; the other one is.
    kept = {frames[5].pts: Shot(b"kept" * 300, 200, 150, 1.0, (20.0, 30.0, 120.0, 130.0))}
    both = pictures.write(tmp_path, film, predictions, {"best": best, "worst": best[1:]}, kept)
    shown = both["best"]
    assert [row["file"] for row in both["worst"]] == ["worst-1.jpg"]
    assert [(row["file"], row["index"]) for row in shown] == [("best-1.jpg", 3), ("best-2.jpg", 5)]
    assert [row["pts"] for row in shown] == [frames[3].pts, frames[5].pts]
    assert shown[0]["box"] == [20.0, 30.0, 120.0, 130.0]
    assert (shown[0]["width"], shown[0]["height"]) == (200, 150)
    said = {"grade": 1, "reason": None, "set": (0, 1), "probability": 0.8, "scorable": 0.99}
    assert shown[0]["grades"] == {unit: said}
    assert (tmp_path / "best-1.jpg").read_bytes()[:2] == b"\xff\xd8"
    assert (tmp_path / "best-2.jpg").read_bytes() == b"kept" * 300


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"this is a text\n" * 40, "notes.mp4"), (b"\x00" * 5000, "notes.mp4")],
    ids=["text", "zeros"],
)
def test_a_file_that_is_no_film_ends_in_a_sentence_that_names_it(
    serve_bundle, uploaded, run_jobs, data, words
):
    serve_bundle()
    run = services.start_score(upload=uploaded(data, name="notes.mp4"))
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "done"
    assert run.result["outcome"] == "unreadable"
    assert words in run.result["sentence"]
    assert run.blob.sha256 not in run.result["sentence"]
    assert run.result["score"] is None
    assert run.outputs == {}
    assert run.provenance["model"]


def test_a_new_champion_is_picked_up_without_a_restart(
    serve_bundle, uploaded, run_jobs, tmp_path, render
):
    film = render(tmp_path / "film.mp4").read_bytes()
    first = serve_bundle(0)
    one = services.start_score(upload=uploaded(film))
    run_jobs()
    held = engine.scorer_of(first)
    assert engine.scorer_of(first) is held
    second = serve_bundle(1)
    two = services.start_score(upload=uploaded(film, name="again.mp4"))
    run_jobs()
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.model_version, two.model_version) == (first, second)
    assert one.provenance["bundle_digest"] != two.provenance["bundle_digest"]
    assert engine.scorer_of(second).bundle.digest == second.digest


def test_a_running_video_finishes_on_the_version_it_began_with(
    serve_bundle, uploaded, run_jobs, render, tmp_path, mia, monkeypatch
):
    from amgs.registry import services as registry
    from amgs.scoring import jobs as scoring

    first, second = serve_bundle(0), serve_bundle(1)
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes())
    written, changed = scoring._written, []

    def roll_back_meanwhile(*given):
        if not changed:
            changed.append(registry.roll_back(by=mia, why="scores jumped"))
        return written(*given)

    monkeypatch.setattr(scoring, "_written", roll_back_meanwhile)
    runs = [services.start_score(upload=upload)]
    run_jobs()
    runs.append(services.start_score(blob=ToolRun.objects.get(pk=runs[0].pk).blob, name="again"))
    run_jobs()
    told = [ToolRun.objects.get(pk=run.pk).provenance["model"] for run in runs]
    assert told == [second.identifier, first.identifier]
    assert changed == [first]


def test_the_fault_of_a_withdrawn_version_stands_on_every_score_it_gave(
    serve_bundle, uploaded, run_jobs, render, tmp_path, mia, client
):
    from amgs.core.errors import Refused
    from amgs.registry import services as registry

    version = serve_bundle()
    upload = uploaded(render(tmp_path / "film.mp4").read_bytes())
    run = services.start_score(upload=upload)
    run_jobs()
    address = f"/api/scores/{run.token}"
    assert client.get(address).json()["notes"] == []
    registry.decide_model(
        by=mia, version=version, action="withdraw", why="It graded sleeping mice as in pain."
    )
    score = client.get(address).json()
    assert score["result"] == ToolRun.objects.get(pk=run.pk).result
    (note,) = score["notes"]
    assert note["grave"]
    assert "mouse-v1 was withdrawn for a fault" in note["sentence"]
    assert "It graded sleeping mice as in pain." in note["sentence"]
    assert (
        "It graded sleeping mice as in pain." in client.get(f"/score/{run.token}/").content.decode()
    )
    saved = client.get(score["files"]["frames.csv"])["Location"]
    assert "WITHDRAWN-mouse-v1-frames.csv" in saved
    with pytest.raises(Refused, match="no validated model yet"):
        services.start_score(blob=run.blob, name="again")


def test_a_refused_upload_is_a_failed_score_with_its_sentence(serve, uploaded):
    from amgs.scoring import queries

    serve()
    upload = uploaded(b"film", complete=False)
    run = services.start_score(upload=upload)
    type(upload).objects.filter(pk=upload.pk).update(state="refused", refusal="Damaged on the way.")
    shown = queries.score_json(queries.by_token(run.token))
    assert (shown["job"]["state"], shown["job"]["error"]) == ("failed", "Damaged on the way.")


def test_people_list_their_own_scores_only(serve, uploaded, petra, alice, token_of):
    serve()
    mine = services.start_score(user=petra, upload=uploaded(b"film", user=petra))
    services.start_score(upload=uploaded(b"other"))
    client = APIClient()
    assert client.get("/api/scores").status_code == 401
    for person, tokens in ((petra, [mine.token]), (alice, [])):
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(person)}")
        rows = client.get("/api/scores").json()["results"]
        assert [row["token"] for row in rows] == tokens

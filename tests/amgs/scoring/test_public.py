"""Scoring without an account: counted, owned by a browser, kept for a while, told of once."""

from __future__ import annotations

import json
import time
from datetime import timedelta

import httpx
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

import amgs_client
from amgs.core import jobs
from amgs.core.errors import NotAllowed, Refused, TooMuch
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.scoring import keeping, messages, quota, services
from amgs.scoring.models import Extra, ScoreUse, Study, StudyEntry, ToolRun
from models.result import nothing_scored
from models.scale import load_scale

KEY = "k" * 32


def over(run: ToolRun, **result: object) -> ToolRun:
    """Let a score be done, with one stored file."""
    key = f"jobs/{run.public_id}/1/frames.csv"
    get_storage().put(key, b"frame")
    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    told = nothing_scored("no_scorable_frames", "No score.", load_scale()).to_json()
    ToolRun.objects.filter(pk=run.pk).update(
        job=job, outputs={"frames.csv": key}, result=told | result
    )
    run.refresh_from_db()
    return run


@pytest.fixture
def asked(serve, uploaded):
    """Ask for scores of small files that no worker looks at."""
    serve()

    def make(**given: object) -> ToolRun:
        data = f"film {ToolRun.objects.count()}".encode()
        return services.start_score(upload=uploaded(data), **given)

    return make


def test_files_are_counted_per_address_and_day_and_refused_with_a_time(asked, settings) -> None:
    settings.SCORE_PUBLIC_FILES = 2
    assert quota.left("192.0.2.1").videos == 2
    for _ in range(2):
        asked(address="192.0.2.1", key=KEY)
    assert quota.left("192.0.2.1").videos == 0
    with pytest.raises(TooMuch, match=r"Go on in \d+") as refused:
        asked(address="192.0.2.1", key=KEY)
    assert 0 < refused.value.details[0]["seconds"] <= 86_400
    assert "nothing more" in quota.left("192.0.2.1").sentence
    asked(address="192.0.2.2", key=KEY)
    assert ToolRun.objects.count() == 3


def test_an_account_has_no_daily_count(asked, settings, petra) -> None:
    settings.SCORE_PUBLIC_FILES = 0
    assert asked(user=petra, address="192.0.2.1").use is None


def test_no_address_is_kept_and_the_name_of_one_changes_with_the_day(asked) -> None:
    asked(address="192.0.2.77", key=KEY)
    use = ScoreUse.objects.get()
    assert "192.0.2.77" not in str(use.__dict__)
    now = timezone.now()
    assert quota.who("192.0.2.77", now) == use.who
    assert quota.who("192.0.2.77", now + timedelta(days=1)) != use.who


def test_minutes_are_counted_once_the_length_is_known(asked, settings) -> None:
    settings.SCORE_PUBLIC_MINUTES = 10
    first, second = (asked(address="192.0.2.1", key=KEY) for _ in range(2))
    quota.take_length(first, 9 * 60)
    first.refresh_from_db()
    quota.take_length(first, 9 * 60)  # begun again: counted once
    assert round(quota.left("192.0.2.1").minutes) == 1
    with pytest.raises(Refused, match="minutes"):
        quota.take_length(second, 2 * 60)


def test_fifty_clients_at_once_are_none_lost_and_none_over_quota(serve, uploaded, settings) -> None:
    settings.SCORE_PUBLIC_FILES = 40
    serve()
    uploads = [uploaded(f"film {n}".encode()) for n in range(50)]
    answers = [
        Client().post(
            "/score/ask", json.dumps({"upload": one.public_id}), content_type="application/json"
        )
        for one in uploads
    ]
    codes = [answer.status_code for answer in answers]
    assert sorted(codes) == [201] * 40 + [429] * 10
    assert all("Go on in" in one.json()["detail"] for one in answers if one.status_code == 429)
    assert all(int(one["Retry-After"]) > 0 for one in answers if one.status_code == 429)
    assert ToolRun.objects.count() == 40


def test_the_owner_may_renew_the_link_and_nobody_else(asked, client) -> None:
    client.get("/score/")
    key = client.cookies["amgs_scores"].value
    run = over(asked(key=key))
    old = run.token
    with pytest.raises(NotAllowed):
        keeping.new_link(run=run, user=None, key="another")
    with pytest.raises(NotAllowed):
        keeping.new_link(run=run, user=None, key="")
    answer = client.post(f"/score/{old}/link")
    run.refresh_from_db()
    assert answer.url == f"/score/{run.token}/"
    assert run.token != old
    assert client.get(f"/score/{old}/").status_code == 404
    assert APIClient().get(f"/api/scores/{old}").status_code == 404


def test_a_score_of_an_account_belongs_to_the_account(asked, petra, alice) -> None:
    run = asked(user=petra, key=KEY)
    assert keeping.owns(run, user=petra, key="")
    assert not keeping.owns(run, user=alice, key=KEY)
    assert not keeping.owns(run, user=None, key=KEY)


def test_delete_now_can_be_taken_back_until_the_sweep(asked, client, run_jobs) -> None:
    client.get("/score/")
    run = over(asked(key=client.cookies["amgs_scores"].value))
    address = f"/score/{run.token}/"
    client.post(f"{address}delete")
    page = client.get(address)
    assert page.status_code == 410
    assert "Take the deletion back" in page.content.decode()
    assert "Take the deletion back" not in Client().get(address).content.decode()
    assert APIClient().get(f"/api/scores/{run.token}").status_code == 404
    client.post(f"{address}undo")
    assert APIClient().get(f"/api/scores/{run.token}").status_code == 200
    client.post(f"{address}delete")
    assert not keeping.due().exists()
    ToolRun.objects.update(delete_asked_at=timezone.now() - timedelta(minutes=11))
    jobs.enqueue(keeping.delete_old_scores)
    run_jobs()
    run.refresh_from_db()
    assert (run.outputs, run.result, run.blob, run.name) == ({}, {}, None, "")
    assert not list(get_storage().list(f"jobs/{run.public_id}/"))
    told = client.get(address).content.decode()
    assert "was deleted with its file" in told
    assert "Take the deletion back" not in told


def test_scores_go_after_their_days_unless_the_recording_is_contributed(
    asked, run_jobs, settings, harbour
) -> None:
    from amgs.repository import models as repository

    old, kept = asked(), asked()
    run_jobs(broken=True)  # the upload checks; the score itself ends as an unreadable file
    for run in (old, kept):
        over(ToolRun.objects.get(pk=run.pk))
    kept.refresh_from_db()
    dataset = repository.Dataset.objects.create(number=1, lab=harbour, phantom=True)
    animal = repository.Animal.objects.create(dataset=dataset, name="m1", pseudonym="P1")
    observation = repository.Observation.objects.create(animal=animal, name="baseline")
    recording = repository.Recording.objects.create(
        dataset=dataset, observation=observation, name="f.mp4", blob=kept.blob, status="ready"
    )
    recording.versions.add(repository.Version.objects.create(dataset=dataset, title="A draft"))
    assert not keeping.due().exists()
    past = timezone.now() - timedelta(days=settings.SCORE_KEPT_DAYS, minutes=1)
    ToolRun.objects.update(created_at=past)
    assert [run.pk for run in keeping.due()] == [old.pk]
    blob_key = ToolRun.objects.get(pk=old.pk).blob.key
    jobs.enqueue(keeping.delete_old_scores)
    run_jobs(broken=True)
    assert get_storage().stat(blob_key) is None
    assert get_storage().stat(ToolRun.objects.get(pk=kept.pk).blob.key) is not None


def test_one_message_is_sent_and_its_address_forgotten(asked, client, run_jobs, mailoutbox) -> None:
    run = asked(key=KEY, name="secret name.mp4")
    answer = client.post(f"/score/{run.token}/tell", {"mail": "lab@example.org"}, follow=True)
    assert "One message will be sent" in answer.content.decode()
    run.refresh_from_db()
    assert run.mail_to == "lab@example.org"
    over(run)
    messages.ask_message(run)
    messages.ask_message(run)
    run_jobs(broken=True)
    (message,) = mailoutbox
    assert message.to == ["lab@example.org"]
    assert f"/score/{run.token}/" in message.body
    assert "secret name" not in message.body + message.subject
    run.refresh_from_db()
    assert run.mail_to == ""
    assert not Job.objects.filter(args__icontains="lab@example.org").exists()


def test_what_is_no_address_is_refused(asked, client) -> None:
    run = asked()
    assert client.post(f"/score/{run.token}/tell", {"mail": "lab"}).status_code == 422


def test_files_sent_together_are_listed_on_a_page_with_a_private_link(
    serve, uploaded, client
) -> None:
    serve()
    client.get("/score/")
    batch = client.post("/score/batch", "{}", content_type="application/json").json()
    for name in ("a.mp4", "b.mp4"):
        body = {
            "upload": uploaded(name.encode(), name=name).public_id,
            "name": name,
            "batch": batch["token"],
        }
        answer = client.post("/score/ask", json.dumps(body), content_type="application/json")
        assert answer.status_code == 201, answer.content
        assert "files" in answer.json()["left"]
    page = Client().get(batch["address"]).content.decode()
    assert "a.mp4" in page
    assert "b.mp4" in page
    stranger = Client().post("/score/ask", json.dumps(body), content_type="application/json")
    assert stranger.status_code == 404
    assert client.get("/score/batch/nothing/").status_code == 404


@pytest.mark.parametrize(
    "body", ["", "[]", '{"upload": "x"}', '{"upload": "x", "region": {"box": [1]}}']
)
def test_a_request_that_makes_no_sense_is_refused_in_a_sentence(serve, client, body) -> None:
    serve()
    answer = client.post("/score/ask", body, content_type="application/json")
    assert answer.status_code in {404, 422}
    assert answer.json()["detail"]


def test_the_form_works_without_a_script(serve, client) -> None:
    serve()
    page = client.get("/score/").content.decode()
    assert 'enctype="multipart/form-data"' in page
    assert "deleted after 30 days" in page
    answer = client.post("/score/plain", {"file": SimpleUploadedFile("a.mp4", b"film")})
    run = ToolRun.objects.get()
    assert answer.url == f"/score/{run.token}/"
    assert run.name == "a.mp4"
    assert client.post("/score/plain").status_code == 422


def test_the_page_that_waits_is_told_where_it_stands(asked, client) -> None:
    first, second = asked(key=KEY), asked(key=KEY)
    for job in Job.objects.filter(kind="files.check_upload"):
        jobs.run(job.public_id)
    told = client.get(f"/score/{first.token}/state").json()
    assert (told["state"], told["ahead"], told["stage"]) == ("queued", 0, "Next in the queue")
    told = client.get(f"/score/{second.token}/state").json()
    assert told["ahead"] == 1
    assert told["stage"] == "Waiting; 1 score before this one"
    assert told["over"] is False
    page = client.get(f"/score/{second.token}/").content.decode()
    assert "Waiting; 1 score before this one" in page
    assert "progress.js" in page


def test_a_score_that_stands_in_a_study_is_kept_and_what_was_made_of_one_goes_with_it(
    asked, alice, settings
) -> None:
    studied, old = (over(asked(user=alice)) for _ in range(2))
    study = Study.objects.create(owner=alice, title="Carprofen")
    StudyEntry.objects.create(study=study, run=studied, name="m1.mp4")
    key = f"jobs/{old.public_id}/2/scores.xlsx"
    get_storage().put(key, b"book")
    Extra.objects.create(run=old, what="workbook", outputs={"scores.xlsx": key})
    past = timezone.now() - timedelta(days=settings.SCORE_KEPT_DAYS, minutes=1)
    ToolRun.objects.update(created_at=past)
    assert [run.pk for run in keeping.due()] == [old.pk]
    keeping._delete(old)
    assert get_storage().stat(key) is None
    assert not Extra.objects.exists()
    # Whoever owns it may delete it all the same.
    ToolRun.objects.filter(pk=studied.pk).update(
        delete_asked_at=timezone.now() - keeping.UNDO - timedelta(minutes=1)
    )
    assert [run.pk for run in keeping.due()] == [studied.pk]


@pytest.mark.django_db(transaction=True)
def test_the_client_tells_at_once_what_is_used_up_until_tomorrow(
    serve, uploaded, settings, live_server
) -> None:
    settings.SCORE_PUBLIC_FILES = 0
    serve()
    body = {"upload": uploaded(b"film").public_id}
    with amgs_client.Client(live_server.url) as client:
        began = time.monotonic()
        with pytest.raises(amgs_client.SiteRefused, match=r"used up\. Go on in") as refusal:
            client.http.ask("POST", "scores", json=body, again=True)
        assert time.monotonic() - began < 30  # not the minute that the client waits at most
    assert refusal.value.status == 429
    answer = httpx.post(f"{live_server.url}/api/scores", json=body)
    assert answer.headers["Retry-After"] == str(answer.json()["details"][0]["seconds"])

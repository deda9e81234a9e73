"""The recording of a score given to a draft; corrected frames rated blind before others."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, NotFound, Refused, TooMuch
from amgs.core.jobs import enqueue
from amgs.files.models import Upload
from amgs.registry.models import ModelVersion
from amgs.repository import services
from amgs.repository.models import Frame, Rating, Recording
from amgs.review.models import Consensus, Seen, Task
from amgs.review.services import next_assignment, rate
from amgs.scoring import contributing, corrections, keeping, queries
from amgs.scoring.models import Contribution, Correction, ToolRun
from amgs.training.services import freeze_snapshot
from models.scale import load_scale

UNITS = load_scale().unit_keys


@pytest.fixture
def scored(scored, clip, tmp_path):
    """Scores of films like those of the draft, by a version that serves no longer.

    It has no bundle that could find faces.
    """

    def make(user: Any) -> ToolRun:
        film = tmp_path / "cage 7.mp4"
        film.write_bytes(clip(77, frames=40))
        run = scored(user=user, clip=film)
        ModelVersion.objects.update(state="retired")
        return run

    return make


@pytest.fixture
def begun(draft):
    """A draft of Harbour with two animals at two time points."""
    return draft()


@pytest.fixture
def api(token_of):
    """A program of a person."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return client

    return make


def give(run: ToolRun, by: Any, version: Any, **place: str) -> Contribution:
    place = place or {"animal": "m1", "observation": "after"}
    return contributing.contribute(by=by, run=run, version=version, **place)[0]


def undrawn(run: ToolRun, recording: Recording) -> list[int]:
    """Rows of the score whose frames the repository did not draw."""
    drawn = set(Frame.objects.filter(recording=recording).values_list("number", flat=True))
    return [place for place in range(run.result["frames"]) if place not in drawn]


# Giving it, and taking it out -------------------------------------------------------------------


def test_a_scored_recording_goes_into_a_draft_without_being_sent_again(
    scored, begun, alice, harbour, run_jobs
):
    run = scored(user=alice)
    before = Recording.objects.count()
    made = give(run, alice, begun)
    run_jobs()
    made.recording.refresh_from_db()
    assert made.recording.status == "ready"
    assert made.recording.blob_id == run.blob_id
    assert str(made.recording.observation.animal.name) == "m1"
    # It takes of the lab's room like every other file of the lab.
    assert Upload.objects.filter(lab=harbour, blob=run.blob, state="done").count() == 1
    again, is_new = contributing.contribute(by=alice, run=run, version=begun)
    assert (again.pk, is_new) == (made.pk, False)
    assert Recording.objects.count() == before + 1
    assert queries.score_detail(queries.by_token(run.token))["contributed"] is True
    found = contributing.contribution_json(run)
    assert found["version"] == begun.identifier
    assert (found["animal"], found["observation"]) == ("m1", "after")


def test_a_contributed_score_is_kept_until_it_is_taken_out(scored, begun, alice):
    run = scored(user=alice)
    old = timezone.now() - timedelta(days=1000)
    ToolRun.objects.filter(pk=run.pk).update(created_at=old)
    assert list(keeping.due()) == [run]
    give(run, alice, begun)
    assert not keeping.due().exists()
    contributing.take_out(by=alice, run=run)
    assert not Contribution.objects.exists()
    assert not Recording.objects.filter(blob=run.blob).exists()
    assert list(keeping.due()) == [run]
    with pytest.raises(NotFound, match="nothing to undo"):
        contributing.take_out(by=alice, run=run)


def test_what_the_repository_removes_is_contributed_no_more(scored, begun, alice):
    run = scored(user=alice)
    made = give(run, alice, begun)
    services.remove_recording(by=alice, version=begun, recording=made.recording)
    assert contributing.contribution_json(run) is None
    give(run, alice, begun)
    assert contributing.contribution_json(run) is not None


def test_what_a_withdrawn_version_held_keeps_no_score(scored, begun, alice):
    run = scored(user=alice)
    ToolRun.objects.filter(pk=run.pk).update(created_at=timezone.now() - timedelta(days=1000))
    give(run, alice, begun)
    type(begun).objects.filter(pk=begun.pk).update(state="withdrawn")
    assert list(keeping.due()) == [run]
    assert contributing.contribution_json(run) is None


def test_refusals_say_what_to_do(scored, begun, draft, alice, bob, settings):
    run = scored(user=alice)
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        give(run, bob, begun)
    with pytest.raises(NotAllowed, match="belongs to no account"):
        give(ToolRun(name="x", user=None), alice, begun)
    with pytest.raises(Refused, match="no observation 'after' of an animal 'm9'"):
        give(run, alice, begun, animal="m9", observation="after")
    ToolRun.objects.filter(pk=run.pk).update(parameters={"region": {"name": "left"}})
    with pytest.raises(Refused, match="shows one animal"):
        give(run, alice, begun)
    ToolRun.objects.filter(pk=run.pk).update(parameters={}, blob=None)
    with pytest.raises(Refused, match="still being checked"):
        give(run, alice, begun)
    ToolRun.objects.filter(pk=run.pk).update(blob=run.blob, delete_asked_at=timezone.now())
    with pytest.raises(Refused, match="is deleted"):
        give(run, alice, begun)
    ToolRun.objects.filter(pk=run.pk).update(delete_asked_at=None)
    settings.UPLOAD_MOST_BYTES_LAB = 1
    with pytest.raises(TooMuch, match="may store here"):
        give(run, alice, begun)
    settings.UPLOAD_MOST_BYTES_LAB = 10**12
    give(run, alice, begun)
    other = draft(title="Another one", seed=1)
    with pytest.raises(Refused, match=f"contributed to {begun.identifier} already"):
        give(run, alice, other)
    type(begun).objects.filter(pk=begun.pk).update(state="submitted")
    with pytest.raises(Refused, match="only a draft can"):
        contributing.take_out(by=alice, run=run)


def test_a_file_that_the_lab_sent_itself_is_not_doubled(scored, begun, alice):
    run = scored(user=alice)
    held = begun.recordings.order_by("pk").first()
    ToolRun.objects.filter(pk=run.pk).update(blob=held.blob)
    run.refresh_from_db()
    before = Recording.objects.count()
    assert give(run, alice, begun).recording_id == held.pk
    assert Recording.objects.count() == before


# Corrected frames -------------------------------------------------------------------------------


def test_corrected_frames_are_named_in_the_draft_and_no_later(scored, begun, alice, run_jobs):
    run = scored(user=alice)
    corrections.correct(by=alice, run=run, place=0, said={UNITS[0]: "2"})
    made = give(run, alice, begun)
    run_jobs()
    first = Frame.objects.get(recording=made.recording, pts=Correction.objects.get().pts)
    assert first.still_key
    place = undrawn(run, made.recording)[0]
    corrections.correct(by=alice, run=run, place=place, said={UNITS[0]: "2"})
    run_jobs()
    named = Frame.objects.get(recording=made.recording, number=place)
    assert not named.drawn
    assert named.still_key
    type(begun).objects.filter(pk=begun.pk).update(state="submitted")
    later = undrawn(run, made.recording)[0]
    corrections.correct(by=alice, run=run, place=later, said={UNITS[0]: "2"})
    run_jobs()
    assert not Frame.objects.filter(recording=made.recording, number=later).exists()


@pytest.fixture
def published(scored, begun, alice, cora, rita, person, take, run_jobs):
    """Publish a dataset with a contributed recording, three frames of which were corrected."""
    run = scored(user=alice)
    made = give(run, alice, begun)
    run_jobs()
    places = undrawn(run, made.recording)[:3]
    for place in places:
        corrections.correct(by=alice, run=run, place=place, said=dict.fromkeys(UNITS, "2"))
    run_jobs()
    take(begun, ("submit", alice), ("start_review", cora))
    for rater in (rita, person("Roger Ruiz", "rater")):
        while held := next_assignment(rater=rater):
            rate(assignment=held, by=rater, grades=dict.fromkeys(UNITS, 1), seconds=3.0)
    run_jobs()
    take(begun, ("accept", cora), ("publish", cora))
    frames = Frame.objects.filter(recording=made.recording, number__in=places)
    return begun, run, set(frames.values_list("pk", flat=True))


def test_they_are_asked_first_and_nobody_is_told(published, person, run_jobs):
    _, _, frames = published
    # Now and then the audit draws one of them: it was asked about already, as any frame.
    frames -= set(Task.objects.exclude(audit=None).values_list("frame", flat=True))
    assert frames
    enqueue("review.fill_queue")
    run_jobs()
    asked = Task.objects.filter(audit=None).order_by("priority")
    assert frames <= set(asked.filter(priority__lt=2).values_list("frame", flat=True))
    assert asked.filter(priority__gte=2).exists()
    assert not any("correct" in task.why for task in asked)
    # The uniform share among them comes along; nobody else is in front.
    rest = asked.filter(priority__lt=2).exclude(frame__in=frames)
    assert not rest.exclude(purpose="random").exists()
    rater = person("Rosa Renz", "rater")
    seen = []
    while held := next_assignment(rater=rater):
        seen.append(held.task.frame_id)
        rate(assignment=held, by=rater, grades=dict.fromkeys(UNITS, 1), seconds=3.0)
    assert frames <= set(seen[: asked.filter(priority__lt=2).count()])


def test_a_frame_that_waits_already_is_brought_forward(published, alice, run_jobs):
    _, run, frames = published
    enqueue("review.fill_queue")
    run_jobs()
    waits = Task.objects.filter(
        audit=None, frame__recording__blob=run.blob, priority__gte=2, purpose="chosen"
    ).select_related("frame")
    task = next(one for one in waits if one.frame_id not in frames)
    corrections.correct(by=alice, run=run, place=task.frame.number, said={UNITS[0]: "0"})
    enqueue("review.fill_queue")
    run_jobs()
    task.refresh_from_db()
    assert 1 <= task.priority < 2
    act = corrections.acts(run)[0]["act"]
    corrections.undo(by=alice, run=run, act=act)
    assert task.frame_id not in set(contributing._corrected([published[0].pk]))


def test_whoever_has_seen_the_score_is_not_asked(published, scored, person, run_jobs):
    version, run, _frames = published
    enqueue("review.fill_queue")
    run_jobs()
    # The contributor leaves the lab and becomes a rater: they know the film all the same.
    alice = run.user
    alice.memberships.all().delete()
    assert Seen.objects.filter(user=alice, dataset=version.dataset).exists()
    looker, program = person("Lena Loos", "rater"), person("Paul Prinz", "rater")
    client = Client()
    client.force_login(looker)
    assert client.get(f"/score/{run.token}/").status_code == 200
    machine = APIClient()
    machine.force_authenticate(program)
    assert machine.get(f"/api/scores/{run.token}").status_code == 200
    for rater in (looker, program):
        assert Seen.objects.filter(user=rater, dataset=version.dataset).exists()
        assert next_assignment(rater=rater) is None


def test_corrections_of_strangers_bring_nothing_forward(published, bob):
    version, run, frames = published
    copy = ToolRun.objects.create(
        name="the same file", user=bob, blob=run.blob, job=None, outputs=run.outputs
    )
    known = set(contributing._corrected([version.pk]))
    assert known == frames
    corrections.correct(by=bob, run=copy, place=0, said={UNITS[0]: "2"})
    assert set(contributing._corrected([version.pk])) == known


@settings(
    max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    said=st.lists(
        st.tuples(st.integers(0, 39), st.sampled_from(UNITS), st.sampled_from("012")), max_size=6
    )
)
def test_no_correction_reaches_ratings_consensus_or_a_snapshot(published, run_jobs, said):
    version, run, _ = published

    def known() -> list[Any]:
        enqueue("review.update_consensus", subject=version, version=version.public_id)
        enqueue("review.fill_queue")
        run_jobs()
        return [
            list(Rating.objects.order_by("pk").values_list("frame", "unit", "grade", "rater_name")),
            list(
                Consensus.objects.order_by("frame", "unit").values_list(
                    "frame", "unit", "probabilities", "scorable", "error", "votes"
                )
            ),
            # The same inputs give the same snapshot.
            freeze_snapshot(by=SYSTEM),
        ]

    before = known()
    assert before[1], "there is a consensus that a correction could have entered"
    for place, unit, grade in said:
        corrections.correct(by=run.user, run=run, place=place, said={unit: grade})
    assert known() == before


# Over the API and on the page -------------------------------------------------------------------


def test_programs_contribute_and_take_out(scored, begun, alice, bob, api):
    run = scored(user=alice)
    address, client = f"/api/scores/{run.token}/contribution", api(alice)
    body = {"version": begun.identifier, "animal": "m2", "observation": "baseline"}
    assert client.get(address).status_code == 404
    assert APIClient().post(address, body, format="json").status_code == 401
    answer = api(bob).post(address, body, format="json")
    assert answer.status_code == 403
    assert "Only the person" in answer.json()["detail"]
    answer = client.post(address, body, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["animal"] == "m2"
    assert client.post(address, body, format="json").status_code == 200
    assert client.get(address).json()["version"] == begun.identifier
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


@pytest.mark.django_db(transaction=True)
def test_the_python_client_contributes(live_server, scored, begun, alice, token_of):
    from amgs_client import Client as Site

    run = scored(user=alice)
    with Site(live_server.url, token_of(alice)) as site:
        place = {"animal": "m1", "observation": "after"}
        told = site.contribute_score(run.token, begun.identifier, **place)
        assert site.contribute_score(site.get_score(run.token), begun.identifier, **place) == told
    assert (told["animal"], told["state"]) == ("m1", "draft")


def test_the_page_leads_from_the_score_to_the_draft_and_back(scored, begun, alice, run_jobs):
    run, client = scored(user=alice), Client()
    client.force_login(alice)
    page = f"/score/{run.token}/"
    assert "Contribute this recording" in client.get(page).content.decode()
    told = client.get(f"{page}contribute").content.decode()
    assert "m1, after" in told
    assert "nothing is sent again" in told
    place = contributing.observations_of(begun).first().public_id
    sent = {"version": begun.public_id, "name": "cage 7.mp4", "observation": place}
    answer = client.post(f"{page}contribute", sent | {"name": "r0001.mp4"})
    assert answer.status_code == 422
    assert "already a recording called" in answer.content.decode()
    answer = client.post(f"{page}contribute", sent, follow=True)
    assert f"It is in {begun.identifier}" in answer.content.decode()
    told = client.get(page).content.decode()
    assert "because the recording is in" in told
    assert "You contributed this recording" in told
    assert "You contributed" not in Client().get(page).content.decode()
    answer = client.post(f"{page}contribute/take-out", follow=True)
    assert "taken out of the draft again" in answer.content.decode()


def test_without_a_draft_the_page_tells_how_to_begin_one(scored, alice, petra, db):
    for person, words in ((alice, "Begin a dataset"), (petra, "Datasets belong to labs")):
        run, client = scored(user=person), Client()
        client.force_login(person)
        assert words in client.get(f"/score/{run.token}/contribute").content.decode()
        ToolRun.objects.all().delete()

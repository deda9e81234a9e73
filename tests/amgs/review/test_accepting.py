"""Accept all but what is left out; remarks pinned to pictures; taking in again."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from rest_framework.test import APIClient

from amgs.accounts.models import Notice
from amgs.core.decisions import broken_links, history
from amgs.core.errors import NotAllowed, Refused
from amgs.repository import queries, services
from amgs.repository.frames import frames_after
from amgs.repository.models import Exclusion, Frame, Recording
from amgs.repository.ratings_table import ratings_of
from amgs.review import reading
from amgs.review.models import Consensus
from amgs.training.freeze import frames_left_out


@pytest.fixture
def accepted(rows_of, cora):
    """Accept a version but for a film and a frame of another one."""

    def make():
        version = rows_of("in_review")
        films = list(Recording.objects.filter(versions=version).order_by("pk"))
        frame = Frame.objects.filter(recording=films[1]).first()
        services.accept_version(
            by=cora,
            version=version,
            why="all but two",
            without_audit=True,
            rejected=[
                {"recording": films[0].public_id, "reason": "people", "why": "a hand"},
                {"frame": frame.public_id, "reason": "blurred"},
            ],
        )
        return version, films, frame

    return make


def test_all_but_the_left_out_are_accepted_in_one_act_with_a_reason_each(accepted, cora):
    version, films, _ = accepted()
    assert version.state == "accepted"
    rows = {row.recording_id or row.frame_id: row for row in Exclusion.objects.all()}
    assert rows[films[0].pk].reason == "people"
    assert rows[films[0].pk].why == "a hand"
    assert {row.by for row in rows.values()} == {cora}
    decision = history(version).get(action="accept")
    assert [row["reason"] for row in decision.facts["left_out"]] == ["people", "blurred"]
    assert films[0].name not in json.dumps(decision.facts)
    assert list(broken_links()) == []


def test_what_is_left_out_is_in_no_consensus_export_frames_or_snapshot(
    accepted, run_jobs, cora, alice, petra
):
    version, films, frame = accepted()
    run_jobs()
    gone = {*Frame.objects.filter(recording=films[0]), frame}
    assert Consensus.objects.count() == (8 - 3) * 5
    assert not Consensus.objects.filter(frame__in=gone).exists()
    assert frames_left_out([version]) == {row.pk for row in gone}
    services.decide_version(by=cora, version=version, action="publish")
    version.refresh_from_db()
    assert not ratings_of(version).filter(frame__in=gone).exists()
    assert ratings_of(version).count() == (8 - 3) * 5 * 2
    shown = {row["id"] for row in frames_after(alice, version, after="", limit=50)[0]}
    assert len(shown) == 5
    assert shown.isdisjoint({row.public_id for row in gone})
    page = queries.version_page(petra, version)
    assert page["counts"]["frames"] == 5
    assert page["counts"]["recordings"] == 3
    names = {row["name"] for row in queries.recordings(petra, version).rows}
    assert films[0].name not in names
    assert len(names) == 3


def test_the_lab_reads_the_reasons_and_others_do_not(accepted, run_jobs, cora, alice, petra):
    version, *_ = accepted()
    run_jobs()
    services.decide_version(by=cora, version=version, action="publish")
    address = f"/datasets/{version.identifier.replace('/', '.')}/"
    pages = {}
    for who in (alice, petra):
        browser = Client()
        browser.force_login(who)
        pages[who] = browser.get(address).content.decode()
    assert "People, badges or cage cards" in pages[alice]
    assert "a hand" in pages[alice]
    assert "a hand" not in pages[petra]
    notice = Notice.objects.filter(user=alice, title__contains="accepted").get()
    assert "2 recordings or frames are left out" in notice.text


def test_a_left_out_recording_is_taken_in_again_until_publication(
    accepted, run_jobs, cora, carl, alice
):
    version, films, _ = accepted()
    run_jobs()
    name = films[0].public_id
    for nobody in (carl, alice):
        with pytest.raises(NotAllowed):
            services.take_in_again(by=nobody, version=version, name=name)
    services.take_in_again(by=cora, version=version, name=name)
    with pytest.raises(Refused, match="still being combined"):
        services.decide_version(by=cora, version=version, action="publish")
    run_jobs()
    assert Consensus.objects.count() == (8 - 1) * 5
    services.decide_version(by=cora, version=version, action="publish")
    left = Exclusion.objects.get()
    with pytest.raises(Refused, match="until it is published"):
        services.take_in_again(by=cora, version=version, name=left.frame.public_id)


def test_an_act_that_names_nothing_or_no_reason_changes_nothing(rows_of, cora):
    version = rows_of("in_review")
    film = Recording.objects.filter(versions=version).first().public_id
    others = Recording.objects.filter(versions=version).values_list("public_id", flat=True)
    for rejected, sentence in (
        ([{"recording": film, "reason": "ugly"}], "Choose a reason"),
        ([{"recording": film, "reason": "other"}], "needs words"),
        ([{"recording": "0" * 26, "reason": "people"}], "name nothing"),
        ([{"reason": "people"}], "name nothing"),
        ([{"recording": each, "reason": "people"} for each in others], "Nothing would be left"),
    ):
        with pytest.raises(Refused, match=sentence) as refusal:
            services.accept_version(
                by=cora, version=version, why="so", without_audit=True, rejected=rejected
            )
        assert refusal.value.field == "rejected"
    version.refresh_from_db()
    assert version.state == "in_review"
    assert not Exclusion.objects.exists()
    assert not history(version).exists()


def test_changes_are_asked_for_with_remarks_on_pictures_which_the_lab_answers(
    rows_of, cora, alice, bob
):
    version = rows_of("in_review")
    film = Recording.objects.filter(versions=version).first()
    frame = Frame.objects.filter(recording=film).first()
    services.ask_for_changes(
        by=cora,
        version=version,
        why="two films",
        remarks=[
            {"recording": film.public_id, "text": "This is m2."},
            {"frame": frame.public_id, "text": "Whose hand is it?"},
        ],
    )
    pins = reading.pins(alice, version)
    assert [pin["state"] for pin in pins] == ["open", "open"]
    assert pins[1]["frame"] == frame.public_id
    with pytest.raises(NotAllowed):
        services.reply(by=bob, version=version, number=pins[0]["number"], text="mine")
    services.reply(by=alice, version=version, number=pins[0]["number"], text="Yes, moved.")
    assert [pin["state"] for pin in reading.pins(cora, version)] == ["answered", "open"]
    film.versions.remove(version)
    assert reading.pins(cora, version)[1]["state"] == "gone"
    assert history(version).get(action="request_changes").facts["remarks"] == [
        pin["number"] for pin in pins
    ]


def test_the_page_of_a_review_takes_what_was_marked_along(rows_of, cora, alice):
    version = rows_of("in_review")
    films = Recording.objects.filter(versions=version).order_by("pk")
    browser = Client()
    browser.force_login(cora)
    base = f"/review/{version.identifier.replace('/', '.')}/"
    page = browser.get(base).content.decode()
    assert page.count('class="cell"') == 4
    assert page.index(">baseline<") < page.index(">after<")
    assert "m1-after.mp4" in browser.get(f"{base}recordings/{films[0].public_id}").content.decode()
    marks = [
        {"recording": films[0].public_id, "frame": "", "reason": "damaged", "text": ""},
        {"recording": films[1].public_id, "frame": "", "reason": "", "text": "Nice."},
    ]
    told = {"why": "fine", "without_audit": "on", "marks": "[nonsense"}
    assert browser.post(f"{base}acts/accept", told).status_code == 422
    answer = browser.post(f"{base}acts/accept", told | {"marks": json.dumps(marks)})
    assert answer.status_code == 302, answer.content.decode()[:2000]
    assert Exclusion.objects.get().recording == films[0]
    assert reading.pins(alice, version)[0]["text"] == "Nice."
    page = browser.get(base).content.decode()
    assert "Take it in again" in page
    browser.post(f"{base}left-out/{films[0].public_id}/take-in")
    assert not Exclusion.objects.exists()


def test_marks_become_remarks_where_changes_are_asked_for(rows_of, cora, alice):
    version = rows_of("in_review")
    film = Recording.objects.filter(versions=version).first()
    browser = Client()
    browser.force_login(cora)
    base = f"/review/{version.identifier.replace('/', '.')}/"
    marks = [{"recording": film.public_id, "frame": "", "reason": "damaged", "text": "at 3 s"}]
    browser.post(f"{base}acts/request_changes", {"why": "see", "marks": json.dumps(marks)})
    version.refresh_from_db()
    (pin,) = reading.pins(alice, version)
    assert pin["text"] == "Damaged, or cut off: at 3 s"
    lab = Client()
    lab.force_login(alice)
    page = f"/datasets/{version.identifier.replace('/', '.')}/"
    assert "Damaged, or cut off: at 3 s" in lab.get(page).content.decode()
    address = f"{page}remarks/{pin['number']}/reply"
    assert lab.post(address, {"text": ""}).status_code == 422
    services.decide_version(by=alice, version=version, action="reopen")
    submit = f"{page}submit"
    assert "1 remark on pictures has no reply yet" in lab.get(submit).content.decode()
    lab.post(address, {"text": "Sent again."})
    assert "no reply yet" not in lab.get(submit).content.decode()
    assert "Sent again." in browser.get(base).content.decode()


def test_the_api_leaves_out_lists_and_takes_in(rows_of, cora, alice, petra, token_of):
    version = rows_of("in_review")
    film = Recording.objects.filter(versions=version).first().public_id
    name = f"/api/versions/{version.identifier.replace('/', '.')}"

    def api(user):
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(user)}")
        return client

    curator = api(cora)
    body = {"why": "but one", "without_audit": True}
    bad = body | {"rejected": [{"recording": film, "reason": "ugly"}]}
    assert curator.post(f"{name}/actions/accept", bad, format="json").status_code == 400
    wrong = {"why": "x", "rejected": [{"recording": film, "reason": "people"}]}
    assert curator.post(f"{name}/actions/reject", wrong, format="json").status_code == 400
    good = body | {"rejected": [{"recording": film, "reason": "people"}]}
    answer = curator.post(f"{name}/actions/accept", good, format="json")
    assert answer.status_code == 200, answer.content
    (row,) = api(alice).get(f"{name}/left-out").json()["results"]
    assert row["id"] == film
    assert row["reason"] == "people"
    assert api(petra).get(f"{name}/left-out").status_code == 404
    assert curator.post(f"{name}/left-out/{film}/take-in").status_code == 201
    assert api(alice).get(f"{name}/left-out").json()["results"] == []


def test_the_next_version_keeps_what_was_left_out(accepted, run_jobs, cora, alice):
    version, films, _ = accepted()
    run_jobs()
    services.decide_version(by=cora, version=version, action="publish")
    version.refresh_from_db()
    draft = services.new_draft(by=alice, version=version)
    held = Exclusion.objects.filter(version=draft)
    assert set(held.values_list("reason", flat=True)) == {"people", "blurred"}
    assert held.get(recording=films[0]).why == "a hand"

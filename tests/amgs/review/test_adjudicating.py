"""Disagreements of raters: shown without names, decided by a curator who did not rate."""

from __future__ import annotations

import pytest
from django.test import Client
from rest_framework.test import APIClient

from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.repository.models import Frame, Rating
from amgs.repository.services import decide_version
from amgs.review import reading
from amgs.review.models import Adjudication, Consensus, Task
from amgs.review.services import adjudicate, start_audit
from models.scale import load_scale

UNIT = load_scale().unit_keys[0]
REASON = load_scale().reason_keys[0]


def _decide(by, version, frame, **given):
    values = {"unit": UNIT, "answer": 1, "why": "half shut"} | given
    return adjudicate(by=by, version=version, frame=frame.public_id, **values)


def test_only_units_on_which_raters_disagree_are_shown_and_nobodys_name(rows_of, cora):
    version = rows_of(votes=(0, 2), animals=1)
    calm = rows_of(votes=(1, 2), animals=1)
    page = reading.disputed_page(cora, version)
    assert len(page["frames"]) == 4
    unit = page["frames"][0]["units"][0]
    assert unit["sentence"] == "grades from 0 to 2"
    assert [vote["letter"] for vote in unit["votes"]] == ["A", "B"]
    assert all(set(vote) == {"letter", "grade", "reason"} for vote in unit["votes"])
    assert reading.disputed_page(cora, calm)["frames"] == []
    assert reading.disputed_count(version) == {"units": 20, "open": 20, "frames": 4}


def test_a_decision_stands_in_place_of_the_votes(rows_of, cora, run_jobs):
    version = rows_of(votes=(0, None), animals=1, frames=1)
    first, second = Frame.objects.filter(recording__versions=version).order_by("pk")
    decision = _decide(cora, version, first)
    assert decision.facts["votes"] == ["0", "n"]
    _decide(cora, version, first, answer=2, why="on second sight")
    _decide(cora, version, second, answer={"reason": REASON}, why="hidden by the bars")
    assert Adjudication.objects.count() == 2
    assert history(version).filter(action="adjudicate").count() == 3
    decide_version(by=cora, version=version, action="accept", why="fine", without_audit=True)
    run_jobs()
    row = Consensus.objects.get(frame=first, unit=UNIT)
    assert row.probabilities == [0.0, 0.0, 1.0]
    assert [vote["source"] for vote in row.votes] == ["adjudicated"]
    assert Consensus.objects.get(frame=second, unit=UNIT).scorable == 0.0
    other = Consensus.objects.filter(frame=first).exclude(unit=UNIT).first()
    assert len(other.votes) == 2
    _decide(cora, version, first, answer=0, why="the last word")
    run_jobs()
    row.refresh_from_db()
    assert row.probabilities == [1.0, 0.0, 0.0]


def test_nobody_decides_on_their_own_labs_data_or_on_what_they_rated(rows_of, cora, carl, alice):
    version = rows_of(votes=(0, 2), animals=1)
    frame = Frame.objects.filter(recording__versions=version).first()
    for nobody in (carl, alice):
        with pytest.raises(NotAllowed):
            _decide(nobody, version, frame)
    Rating.objects.create(
        frame=frame, unit=UNIT, grade=0, rater=cora, rater_name=cora.public_id, source="audit"
    )
    with pytest.raises(Refused, match="rated this frame yourself"):
        _decide(cora, version, frame)
    assert reading.disputed_page(cora, version)["frames"][0]["rated_by_you"]


def test_frames_somebody_is_still_asked_about_are_not_shown(rows_of, cora):
    version = rows_of(votes=(0, 2), animals=1)
    start_audit(version=version)
    assert reading.disputed_page(cora, version)["frames"] == []
    task = Task.objects.filter(kind="units").first()
    with pytest.raises(NotFound):
        _decide(cora, version, task.frame)
    Task.objects.filter(pk=task.pk).update(taken=2, finished=2)
    assert [row["id"] for row in reading.disputed_page(cora, version)["frames"]] == [
        task.frame.public_id
    ]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"answer": 7}, Refused),
        ({"unit": "tail"}, Refused),
        ({"why": " "}, Refused),
        ({"why": "x" * 501}, Refused),
    ],
)
def test_a_decision_needs_a_grade_of_the_scale_and_a_reason(rows_of, cora, given, error):
    version = rows_of(votes=(0, 2), animals=1)
    frame = Frame.objects.filter(recording__versions=version).first()
    with pytest.raises(error):
        _decide(cora, version, frame, **given)
    assert not Adjudication.objects.exists()


def test_what_the_raters_agree_on_is_not_decided(rows_of, cora):
    version = rows_of(votes=(1, 1), animals=1)
    frame = Frame.objects.filter(recording__versions=version).first()
    with pytest.raises(NotFound):
        _decide(cora, version, frame)


def test_page_and_api_decide_alike(rows_of, cora, rita, token_of):
    version = rows_of(votes=(0, 2), animals=1)
    frames = Frame.objects.filter(recording__versions=version).order_by("pk")
    ref = version.identifier.replace("/", ".")
    browser = Client()
    browser.force_login(cora)
    address = f"/review/{ref}/disagreements"
    page = browser.get(address).content.decode()
    assert page.count('class="dispute card"') == 4
    given = {"frame": frames[0].public_id, "unit": UNIT, "answer": "1", "why": ""}
    assert browser.post(address, given).status_code == 422
    assert browser.post(address, given | {"why": "half shut"}).status_code == 302
    assert "half shut" in browser.get(address).content.decode()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(cora)}")
    name = f"/api/versions/{ref}/disagreements"
    body = {"frame": frames[1].public_id, "unit": UNIT, "reason": REASON, "why": "bars"}
    assert client.post(name, body, format="json").status_code == 201
    rows = client.get(name).json()["results"]
    decided = [unit["decided"] for row in rows for unit in row["units"] if unit["decided"]]
    assert [row["grade"] for row in decided] == [1, None]
    rater = APIClient()
    rater.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(rita)}")
    assert rater.get(name).status_code == 404

"""Setting gold frames on the site and over the API: proposals, the training set, retiring."""

from __future__ import annotations

import pytest

from amgs.repository.models import Frame
from amgs.review import golden
from amgs.review.models import Consensus, Gold
from amgs.review.services import next_assignment, rate
from models.scale import load_scale

UNITS = load_scale().unit_keys


@pytest.fixture
def published(in_review, take, rate_all, rita, roger, cora):
    """Publish a version whose audit two raters and a sheet agree on."""
    version = in_review(animals=2)
    rate_all(rita, 1)
    rate_all(roger, 1)
    take(version, ("accept", cora), ("publish", cora))
    # As exact as many raters would make it.
    Consensus.objects.update(error=0.1, probabilities=[0.1, 0.8, 0.1])
    return version


@pytest.fixture
def form():
    """Return a form that says 1 of every unit but for what is given."""
    return lambda use, **units: dict.fromkeys(UNITS, "1") | {"use": use} | units


def test_settled_frames_of_other_labs_are_proposed_with_their_grades(published, cora, carl):
    frames = golden.candidates(cora)
    assert set(frames) == set(Frame.objects.filter(consensus__isnull=False))
    told = golden.proposals(frames[:2])
    assert [row["agreed"] for row in told[0]["units"]] == [1] * len(UNITS)
    assert not golden.candidates(carl)  # of the lab itself
    assert golden.candidates(cora, unit=UNITS[0], grade=1).exists()
    assert not golden.candidates(cora, unit=UNITS[0], grade=2).exists()
    # Of the few who graded the unit all say 1, but most found it not scorable.
    refused = Consensus.objects.filter(unit=UNITS[0])
    refused.update(scorable=0.2)
    assert not golden.candidates(cora, unit=UNITS[0], grade=1).exists()
    assert golden.candidates(cora, unit=UNITS[0]).exists()
    refused.update(scorable=1.0)
    unsettled = frames.first()
    row = Consensus.objects.filter(frame=unsettled)
    votes = row.first().votes
    row.update(votes=votes[:2])
    assert unsettled not in golden.candidates(cora)
    row.update(votes=votes)
    assert unsettled in golden.candidates(cora)
    Consensus.objects.filter(frame=unsettled, unit=UNITS[0]).update(error=0.5)
    assert unsettled not in golden.candidates(cora)
    Consensus.objects.filter(frame=unsettled, unit=UNITS[0]).update(
        error=None, scorable=0.1, probabilities=[None] * 3
    )
    (told,) = golden.proposals([unsettled])
    assert told["units"][0]["agreed"] is None


def test_a_curator_adds_a_frame_and_retires_it_on_the_page(client, published, form, cora, rita):
    client.force_login(cora)
    page = client.get("/gold/?show=new")
    assert page.status_code == 200
    frame = golden.candidates(cora).first()
    assert frame.public_id in page.content.decode()
    address = f"/gold/frames/{frame.public_id}?show=new"
    assert client.post(address, form("training", **{UNITS[1]: "n"})).status_code == 302
    row = Gold.objects.get()
    assert row.training
    assert row.agreed == dict.fromkeys(UNITS, 1) | {UNITS[1]: None}
    assert frame.public_id not in client.get("/gold/?show=new").content.decode()
    assert "19 are missing" in " ".join(client.get("/gold/").content.decode().split())
    assert client.post(f"/gold/{row.public_id}/retire").status_code == 302
    row.refresh_from_db()
    assert row.over
    wrong = client.post(address, form("hidden", **{UNITS[0]: "7"}))
    assert wrong.status_code == 422
    assert "graded 0 to 2" in wrong.content.decode()
    client.force_login(rita)
    assert client.get("/gold/").status_code == 403
    assert client.post(address, form("hidden")).status_code == 403


def test_the_list_says_how_raters_met_a_frame(published, cora, rita, grades, person):
    from amgs.review.models import Assignment
    from amgs.review.services import set_gold

    frame = golden.candidates(cora).first()
    gold = set_gold(by=cora, frame=frame, agreed=grades(1))
    for number, said in enumerate((1, 0)):
        rater = person(f"Learner{number} Lee", "rater")
        held = Assignment.objects.create(
            rater=rater, gold=gold, kind="units", expires_at="2099-01-01T00:00Z"
        )
        rate(assignment=held, by=rater, grades=grades(said))
    (row,) = golden.shown(list(golden.gold_rows(cora, training=False)))
    assert row["raters"] == 2
    assert [unit["exact"] for unit in row["units"]] == [0.5] * len(UNITS)


def test_nobody_is_measured_by_gold_they_set(published, person, grades):
    from amgs.review.services import set_gold
    from amgs.review.services.queue import golden_for

    both = person("Dora Dunn", "curator", "rater")
    set_gold(by=both, frame=golden.candidates(both).first(), agreed=grades(1))
    assert not golden_for(both, "units", training=False)
    assert golden_for(person("Rosa Reed", "rater"), "units", training=False)
    assert next_assignment(rater=both) is None


def test_the_api_does_the_same(client, published, cora, rita, grades):
    client.force_login(cora)
    proposed = client.get("/api/gold/proposals?limit=1").json()
    assert len(proposed["results"]) == 1
    assert proposed["next"]
    body = {"frame": proposed["results"][0]["id"], "agreed": grades(2), "training": True}
    made = client.post("/api/gold", body, content_type="application/json")
    assert made.status_code == 201, made.content
    assert client.get("/api/gold?training=true").json()["results"][0]["id"] == made.json()["id"]
    assert client.get("/api/gold?training=false").json()["results"] == []
    assert client.get("/api/gold?training=perhaps").status_code == 400
    assert client.get("/api/gold/proposals?unit=tail").status_code == 400
    assert client.delete(f"/api/gold/{made.json()['id']}").status_code == 204
    assert client.get("/api/gold").json()["results"] == []
    client.force_login(rita)
    assert client.get("/api/gold").status_code == 403


def test_a_list_of_gold_asks_the_same_number_of_queries(
    published, cora, grades, django_assert_num_queries
):
    from amgs.review.services import set_gold

    for frame in list(golden.candidates(cora)[:3]):
        set_gold(by=cora, frame=frame, agreed=grades(1))
    with django_assert_num_queries(2):
        golden.shown(list(golden.gold_rows(cora, training=False)))
    with django_assert_num_queries(2):
        golden.proposals(golden.candidates(cora)[:2])

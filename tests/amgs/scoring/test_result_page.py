"""The page of a result: what is made of it when asked, corrections by hand, what it is not."""

from __future__ import annotations

import csv
import io
import json

import openpyxl
import pytest
from django.test import Client
from rest_framework.test import APIClient

from amgs.core.errors import NotAllowed, NotFound, Refused
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.scoring import corrections, extras, queries
from amgs.scoring.keeping import COOKIE, digest_of
from amgs.scoring.models import Correction, Extra, ToolRun


def unit(place: int = 0) -> str:
    from models.scale import load_scale

    return load_scale().unit_keys[place]


def stored(run: ToolRun, name: str) -> bytes:
    with get_storage().open(extras.key_of(run, name)) as stream:
        return stream.read()


def test_a_page_asks_once_for_what_it_shows(scored, run_jobs):
    run, client = scored(), Client()
    address = f"/score/{run.token}/"
    page = client.get(address)
    assert page.status_code == 200
    assert not Extra.objects.exists(), "looking changes nothing"
    for _ in range(2):
        client.post(f"{address}made", headers={"HX-Request": "true"})
    # A result without a graded picture has nothing to explain, which is not refused aloud.
    assert [row.what for row in Extra.objects.all()] == ["player"]
    assert Job.objects.filter(kind="scoring.make_extra").count() == 1
    run_jobs()
    told = extras.summary(run)["player"]
    assert told["state"] == "done"
    assert told["told"]["file"] in told["files"]
    answer = client.get(told["files"]["player.mp4"])
    assert answer.status_code == 302
    assert "filename" not in answer["Location"], "a film beside a chart is shown, not saved"


def test_films_and_workbooks_are_made_when_asked_and_name_their_origin(scored, run_jobs):
    run, client = scored(), APIClient()
    for what in ("workbook", "annotated"):
        answer = client.post(f"/api/scores/{run.token}/extras", {"what": what}, format="json")
        assert answer.status_code == 202
    run_jobs()
    book = openpyxl.load_workbook(io.BytesIO(stored(run, "result.xlsx")))
    readme = {row[0]: row[1] for row in book["README"].iter_rows(values_only=True)}
    assert readme["Model"] == run.provenance["model"]
    assert "rendered mouse" in readme["Phantom"]
    assert stored(run, "annotated.mp4")[4:8] == b"ftyp"
    detail = client.get(f"/api/scores/{run.token}").json()
    assert set(detail["extras"]) == {"workbook", "annotated"}
    assert detail["sum"]["top"] == 8
    wrong = client.post(f"/api/scores/{run.token}/extras", {"what": "poem"}, format="json")
    assert wrong.status_code == 400


def test_what_cannot_be_made_is_refused_with_the_reason(scored):
    run = scored()
    with pytest.raises(Refused, match="nothing to explain"):
        extras.ask_for(run=run, what="explanation")
    with pytest.raises(Refused, match="Nobody has corrected"):
        extras.ask_for(run=run, what="corrected")
    run.blob = None
    run.save()
    with pytest.raises(Refused, match="not there any more"):
        extras.ask_for(run=run, what="player")


def test_only_whoever_asked_for_a_score_may_correct_it(scored, person):
    alice, bob = person("Alice"), person("Bob")
    run = scored(user=alice)
    said = {unit(): "2"}
    with pytest.raises(NotAllowed, match="Only the person who asked"):
        corrections.correct(by=bob, run=run, place=0, said=said)
    corrections.correct(by=alice, run=run, place=0, said=said)
    assert Correction.objects.get().model_grade == 1


def test_without_an_account_the_browser_that_asked_may_correct(scored):
    run = scored()
    stranger, asker = Client(), Client()
    asker.cookies[COOKIE] = "k" * 32
    type(run).objects.filter(pk=run.pk).update(owner=digest_of("k" * 32))
    address = f"/score/{run.token}/frames/3/correct"
    stranger.post(address, {unit(): "2"})
    assert not Correction.objects.exists()
    answer = asker.post(address, {unit(): "ns:blurred", unit(1): "", unit(2): "0"}, follow=True)
    assert "Kept beside the model" in answer.content.decode()
    rows = {row.unit: (row.grade, row.reason, row.place) for row in Correction.objects.all()}
    assert rows == {unit(): (None, "blurred", 3), unit(2): (0, "", 3)}


@pytest.mark.parametrize("said", [{}, "7", "ns:bored"])
def test_a_correction_that_cannot_be_is_refused(scored, person, said):
    alice = person("Alice")
    run = scored(user=alice)
    given = said if isinstance(said, dict) else {unit(): said}
    with pytest.raises(Refused):
        corrections.correct(by=alice, run=run, place=0, said=given)
    with pytest.raises(NotFound):
        corrections.correct(by=alice, run=run, place=9999, said={unit(): "1"})


def test_figures_are_the_models_unless_ticked_and_exports_carry_both(scored, person, run_jobs):
    alice = person("Alice")
    run = scored(user=alice)
    before = queries.score_json(run)["result"]["score"]
    for place in range(6):
        corrections.correct(by=alice, run=run, place=place, said={unit(): "2"})
    client = Client()
    client.force_login(alice)
    page = client.get(f"/score/{run.token}/").content.decode()
    assert "leave these corrections out" in page
    assert "With corrections by hand" not in page
    client.post(f"/score/{run.token}/made", {"what": "corrected"})
    run_jobs()
    run.refresh_from_db()
    assert run.result["score"] == before, "the result itself never changes"
    page = client.get(f"/score/{run.token}/?by_hand=1").content.decode()
    assert "With corrections by hand" in page
    assert "in place of the model" in page
    told = json.loads(stored(run, "result-with-corrections.json"))
    assert told["result"]["score"] > before
    assert told["result"]["corrected_frames"] == 6
    text = stored(run, "frames-with-corrections.csv").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row[f"{unit()}_by_hand"] for row in rows[:7]] == ["2"] * 6 + [""]
    assert {row[unit()] for row in rows} == {"1"}


def test_undone_corrections_count_no_more(scored, person):
    alice = person("Alice")
    run = scored(user=alice)
    corrections.correct(by=alice, run=run, place=0, said={unit(): "0"})
    act = corrections.correct(by=alice, run=run, place=0, said={unit(): "2"})
    assert next(iter(corrections.counted(run).values()))[unit()].grade == 2
    client = APIClient()
    client.force_authenticate(alice)
    answer = client.delete(f"/api/scores/{run.token}/corrections/{act}")
    assert len(answer.json()["corrections"]) == 1
    assert next(iter(corrections.counted(run).values()))[unit()].grade == 0
    assert client.delete(f"/api/scores/{run.token}/corrections/{act}").status_code == 404


def test_corrections_enter_neither_ratings_nor_consensus_nor_training(scored, person):
    from amgs.repository.models import Rating
    from amgs.review.models import Consensus
    from amgs.training.models import Placement, Snapshot

    def known() -> list[int]:
        return [model.objects.count() for model in (Rating, Consensus, Placement, Snapshot)]

    alice = person("Alice")
    run = scored(user=alice)
    before = known()
    corrections.correct(by=alice, run=run, place=0, said={unit(): "2"})
    assert known() == before
    # If the film is contributed, the frame is to be rated blind first: that is written down.
    assert len(corrections.waiting_for_blind_rating(run)) == 1


def test_nothing_below_scoring_can_read_a_correction():
    from pathlib import Path

    import amgs
    import curation

    root = Path(amgs.__path__[0])
    places = [root / name for name in ("core", "repository", "review", "training", "registry")]
    for folder in [*places, Path(curation.__path__[0])]:
        for path in folder.rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            assert "amgs.scoring" not in text, f"{path} reads scores"
            assert "scoring_correction" not in text


def test_the_report_to_print_says_model_date_and_limits(scored):
    run = scored()
    page = Client().get(f"/score/{run.token}/report").content.decode()
    for words in (run.provenance["model"], "snapshot-0", "2026-01-31", "Phantom", "no pain"):
        assert words in page
    assert "For the methods section" in page


def test_independence_is_told_of_the_same_film_and_of_the_animal(scored, study, lab):
    from amgs.registry.models import ModelVersion
    from amgs.repository.models import Recording
    from amgs.scoring.independence import independence_of

    run = scored()
    from amgs.files.services import local_copy

    path = local_copy(run.blob)
    assert independence_of(run.model_version, run.blob, path)["independent"] == "unknown"
    snapshot = study("train")
    ModelVersion.objects.filter(pk=run.model_version.pk).update(snapshot=snapshot.public_id)
    version = ModelVersion.objects.get(pk=run.model_version.pk)
    assert independence_of(version, run.blob, path)["independent"] == "yes"
    known = Recording.objects.first()
    told = independence_of(version, known.blob, local_copy(known.blob))
    assert told["independent"] == "no"
    assert "this very recording" in told["sentences"][0]
    assert "Harbour" not in json.dumps(told), "whose it was is not told"
    # Another recording of the same animal, which the model has not seen.
    Recording.objects.create(
        dataset=known.dataset, observation=known.observation, name="later.mp4", blob=run.blob
    )
    told = independence_of(version, run.blob, path)
    assert "of the animal" in told["sentences"][0]

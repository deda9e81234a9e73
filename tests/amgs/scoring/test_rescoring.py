"""A recording is scored again by another version: a second result, and what it says otherwise."""

from __future__ import annotations

import csv
import io

import pytest
from rest_framework.test import APIClient

from amgs.core.errors import Refused
from amgs.registry import services as registry
from amgs.scoring import queries, services
from amgs.scoring.models import ToolRun
from amgs.scoring.rescoring import compared, rescore, selectable


@pytest.fixture
def scored(serve_bundle, uploaded, run_jobs, tmp_path, render):
    """Score a film with a first version, and let a second one serve."""
    first = serve_bundle(0)
    run = services.start_score(upload=uploaded(render(tmp_path / "film.mp4").read_bytes()))
    run_jobs()
    run.refresh_from_db()
    second = serve_bundle(1)
    return run, first, second


def test_a_second_score_stands_beside_the_first_which_stays(scored, run_jobs):
    run, first, second = scored
    before = (run.result, run.outputs, run.provenance)
    client = APIClient()
    shown = client.get(f"/api/scores/{run.token}").json()
    assert [row["model"] for row in shown["versions"]] == [second.identifier]
    assert (shown["rescored"], shown["rescored_from"]) == ([], None)

    answer = client.post(
        f"/api/scores/{run.token}/rescore", {"model": second.identifier}, format="json"
    )
    assert answer.status_code == 201
    token = answer.json()["token"]
    assert client.get(f"/api/scores/{token}/difference").status_code == 404
    run_jobs()
    run.refresh_from_db()
    assert (run.result, run.outputs, run.provenance) == before
    again = client.get(f"/api/scores/{token}").json()
    assert again["rescored_from"] == run.token
    assert again["provenance"]["model"] == second.identifier
    assert again["provenance"]["snapshot"] == "snapshot-1"

    told = client.get(f"/api/scores/{token}/difference").json()
    assert told["before"]["provenance"]["bundle_digest"] == first.digest
    assert told["after"]["provenance"]["bundle_digest"] == second.digest
    # Both bundles hold the same network, so that nothing may have changed but the version.
    assert told["difference"]["score"]["change"] in (0.0, None)
    assert told["difference"]["counts"]["moved"] == 0
    assert f"{second.identifier} scored it instead of {first.identifier}" in told["sentence"]
    assert told["phantom"]
    answer = client.get(f"/api/scores/{token}/difference.csv")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    assert {(row["model_before"], row["model_after"]) for row in rows} == {
        (first.identifier, second.identifier)
    }
    assert {row["snapshot_before"] for row in rows} == {"snapshot-0"}
    assert client.get(f"/api/scores/{run.token}/difference").status_code == 404


def test_asked_twice_the_same_second_score_is_returned(scored, run_jobs):
    run, _, second = scored
    one = rescore(user=None, run=run, model=second.identifier)
    assert rescore(user=None, run=run, model=second.public_id) == one
    run_jobs()
    assert rescore(user=None, run=run, model=second.identifier) == one
    assert [row["token"] for row in queries.rescored(run)] == [one.token]
    # From the second score, too, it is the first one that is scored again.
    one.refresh_from_db()
    assert rescore(user=None, run=one, model=second.identifier) == one
    assert queries.versions(one) == []


def test_an_older_version_may_be_chosen_again(scored, run_jobs, uploaded, render, tmp_path):
    _, first, second = scored
    newer = services.start_score(
        upload=uploaded(render(tmp_path / "other.mp4", animal=2).read_bytes())
    )
    run_jobs()
    newer.refresh_from_db()
    assert newer.model_version == second
    old = rescore(user=None, run=newer, model=first.identifier)
    run_jobs()
    old.refresh_from_db()
    assert old.model_version == first
    assert compared(queries.by_token(old.token))["before"]["token"] == newer.token


def test_what_may_not_be_chosen_is_refused_with_a_sentence(scored, mia, settings):
    run, first, second = scored
    with pytest.raises(Refused, match="same version gives the same score"):
        rescore(user=None, run=run, model=first.identifier)
    never = registry.register_version(
        bundle_key="x", bundle_sha256="x", digest="e" * 64, info={"phantom": True}, report={}
    )
    with pytest.raises(Refused, match="never served"):
        rescore(user=None, run=run, model=never.identifier)
    registry.decide_model(by=mia, version=second, action="withdraw", why="a fault")
    second.refresh_from_db()
    with pytest.raises(Refused, match="withdrawn for a fault"):
        rescore(user=None, run=run, model=second.identifier)
    assert [one.identifier for one in selectable()] == [first.identifier]
    settings.ALLOW_PHANTOM = False
    assert selectable() == []


def test_a_score_without_its_file_or_result_cannot_be_made_again(scored):
    run, _, second = scored
    type(run.blob).objects.filter(pk=run.blob.pk).update(deleted_at="2026-01-01T00:00:00Z")
    with pytest.raises(Refused, match="upload it again"):
        rescore(user=None, run=run, model=second.identifier)
    ToolRun.objects.filter(pk=run.pk).update(result={})
    with pytest.raises(Refused, match="not ready yet"):
        rescore(user=None, run=run, model=second.identifier)


def test_the_pages_offer_show_and_explain_the_second_score(scored, run_jobs, client):
    run, first, second = scored
    page = client.get(f"/score/{run.token}/").content.decode()
    assert "Score again" in page
    assert second.identifier in page
    answer = client.post(f"/score/{run.token}/rescore", {"model": second.public_id})
    token = answer["Location"].split("/")[-2]
    run_jobs()
    page = client.get(f"/score/{token}/difference").content.decode()
    assert f"{second.identifier} scored it instead of {first.identifier}" in page
    assert "difference.csv" in page
    assert f"/score/{token}/difference" in client.get(f"/score/{run.token}/").content.decode()
    refused = client.post(f"/score/{run.token}/rescore", {"model": first.public_id})
    assert refused.status_code == 422
    assert "same score again" in refused.content.decode()

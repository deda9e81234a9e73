"""Grades come from a validated model, or there are none."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from amgs.core.errors import Refused, TooMuch
from amgs.scoring import services
from amgs.scoring.models import ToolRun


@pytest.fixture
def production(settings):
    """The two settings in which production differs from the embedded default here."""
    settings.PRODUCTION = True
    settings.ALLOW_PHANTOM = False


def test_production_refuses_grades_from_a_phantom_model(production, serve, uploaded):
    serve(phantom=True)
    upload = uploaded(b"film")
    with pytest.raises(Refused, match="There is no validated model yet") as refusal:
        services.start_score(upload=upload)
    assert "rendered phantom mice" in refusal.value.sentence
    answer = APIClient().post("/api/scores", {"upload": upload.public_id}, format="json")
    assert answer.status_code == 400
    assert "no validated model yet" in answer.json()["detail"]
    assert not ToolRun.objects.exists()


def test_a_score_already_waiting_is_refused_too(production, serve, uploaded, run_jobs, settings):
    serve(phantom=True)
    settings.ALLOW_PHANTOM = True
    run = services.start_score(upload=uploaded(b"film"))
    settings.ALLOW_PHANTOM = False
    run_jobs()
    run.refresh_from_db()
    assert run.job.state == "failed"
    assert "no validated model yet" in run.job.error
    assert run.result == {}


def test_production_settings_do_not_allow_phantoms(monkeypatch):
    import importlib

    monkeypatch.delenv("AMGS_ALLOW_PHANTOM", raising=False)
    production = importlib.import_module("amgs.settings.production")
    production = importlib.reload(production)
    assert production.PRODUCTION
    assert not production.ALLOW_PHANTOM


def test_a_model_judged_on_real_mice_may_grade_in_production(production, serve):
    version = serve(phantom=False)
    assert services.grading_model() == version


def test_a_bundle_that_does_not_say_what_it_rests_on_counts_as_phantom(production, serve):
    serve(info={})
    with pytest.raises(Refused):
        services.grading_model()


def test_where_nothing_serves_a_score_is_refused_in_a_sentence(uploaded):
    with pytest.raises(Refused, match="There is no validated model yet"):
        services.start_score(upload=uploaded(b"film"))


def test_a_file_that_is_too_large_is_refused_with_the_limit(serve, uploaded, settings):
    serve()
    upload = uploaded(b"x" * 2_000_000)
    settings.UPLOAD_MOST_BYTES_PUBLIC = 1_000_000
    with pytest.raises(TooMuch, match="This file has 2 MB, but at most 1 MB"):
        services.start_score(upload=upload)


def test_an_upload_for_another_purpose_is_refused(serve, uploaded):
    serve()
    upload = uploaded(b"film")
    type(upload).objects.filter(pk=upload.pk).update(purpose="recording")
    upload.refresh_from_db()
    with pytest.raises(Refused, match="another purpose"):
        services.start_score(upload=upload)


def test_the_upload_of_somebody_else_cannot_be_scored(serve, uploaded, petra, token_of):
    serve()
    upload = uploaded(b"film", user=petra)
    answer = APIClient().post("/api/scores", {"upload": upload.public_id}, format="json")
    assert answer.status_code == 404

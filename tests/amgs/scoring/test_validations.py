"""The validation page: made by one command from the snapshot, raters beside the model."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from amgs.core.base import SYSTEM
from amgs.core.errors import NotAllowed, Refused
from amgs.scoring.models import Validation
from amgs.scoring.validations import ask_for_validation, asked, newest, validation_due


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.mark.django_db(transaction=True)
def test_one_command_makes_the_page_and_again_gives_the_same_figures(
    study, serve_shipped, client, mia
):
    version = serve_shipped(study().public_id)
    assert validation_due(version)
    assert "No validation has been made yet" in _page(client, version)
    out = StringIO()
    call_command("validation_page", version.identifier, stdout=out)
    assert "Not run." in out.getvalue()
    made = newest(version)
    claims = {claim["key"]: claim for claim in made.content["claims"]}
    (cell,) = claims["unseen_animals"]["cells"]
    assert (cell["assay"], cell["lab"], cell["state"]) == ("post_surgical", "Harbour", "assessed")
    sides = cell["figures"]["sides"]
    # The raters graded 0 before and 1 after; the model has to see the pain that was rendered.
    assert sides["raters"]["change"] == pytest.approx(1.0)
    assert sides["model"]["interval"][0] > 0.2
    assert cell["sentence"] == "Raters and model both see more grimacing after the procedure."
    assert claims["left_out"]["state"] == "not_run"
    assert claims["independent_lab"]["state"] == "no_data"
    assert len(claims["unseen_animals"]["no_data"]) == 5
    assert made.content["phantom"]

    answer = APIClient().get(f"/api/models/{version.identifier}/validation").json()
    assert answer["digest"] == made.digest
    page = _page(client, version)
    assert "Post-surgical (laparotomy)" in page
    assert "validates nothing for real mice" in page
    assert "<svg" in page
    call_command("validation_page", version.identifier, stdout=out)
    assert newest(version).pk != made.pk
    assert newest(version).digest == made.digest
    assert not validation_due(version)


def _page(client, version) -> str:
    return client.get(f"/models/{version.public_id}/validation/").content.decode()


def test_a_version_that_was_not_trained_here_says_so(serve_shipped, client, mia):
    version = serve_shipped("")
    with pytest.raises(Refused, match="not trained here"):
        ask_for_validation(by=mia, version=version)
    with pytest.raises(CommandError, match="not trained here"):
        call_command("validation_page", version.identifier)
    assert "not trained here" in _page(client, version)
    assert APIClient().get(f"/api/models/{version.identifier}/validation").status_code == 404
    assert not validation_due(version)


def test_maintainers_alone_may_ask_and_one_making_waits_at_a_time(
    study, serve_shipped, petra, mia, token_of
):
    version = serve_shipped(study().public_id)
    with pytest.raises(NotAllowed):
        ask_for_validation(by=petra, version=version)
    one = ask_for_validation(by=mia, version=version)
    assert ask_for_validation(by=SYSTEM, version=version) == one
    api = APIClient()
    assert api.post(f"/api/models/{version.identifier}/validation").status_code == 401
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(mia)}")
    answer = api.post(f"/api/models/{version.identifier}/validation")
    assert (answer.status_code, answer.json()["id"]) == (202, one.public_id)
    assert asked(version) == one
    assert Validation.objects.count() == 1

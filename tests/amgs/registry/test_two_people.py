"""What was not assessed is answered by a person, and two people look before a model serves."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from amgs.core import decisions
from amgs.core.errors import NotAllowed, Refused
from amgs.core.models import Decision
from amgs.registry import queries, services

SMALL = {
    "gate": "non_inferiority:Meadow|black",
    "title": "Not worse in lab Meadow, coat black",
    "passed": None,
    "value": None,
    "threshold": 0.05,
    "sentence": "Not assessed in lab Meadow, coat black: 3 animals with labels, 8 are needed.",
    "told": False,
}
TOLD = {**SMALL, "gate": "speed", "title": "Speed", "told": True}
WHY = "Meadow has no black mice in its next studies."


@pytest.fixture
def grace(person):
    """A second maintainer."""
    return person("Grace Gill", "maintainer")


@pytest.fixture
def waiting(register):
    """Make a version in review of which one group was not assessed."""
    version = register()
    version.verdicts = [SMALL, TOLD]
    version.save(update_fields=["verdicts"])
    return version


def test_a_version_is_not_approved_before_each_open_gate_is_answered(waiting, mia):
    for ticks in (None, {}, {SMALL["gate"]: "  "}):
        with pytest.raises(Refused, match="Not worse in lab Meadow, coat black") as refused:
            services.decide_model(by=mia, version=waiting, action="approve", why="ok", ticks=ticks)
        assert refused.value.field == "ticks"
    assert waiting.state == "in_review"
    decision = services.decide_model(
        by=mia, version=waiting, action="approve", why="ok", ticks={SMALL["gate"]: WHY}
    )
    assert decision.facts["ticks"] == [{"gate": SMALL["gate"], "title": SMALL["title"], "why": WHY}]


def test_what_was_assessed_cannot_be_ticked(waiting, mia):
    ticks = {SMALL["gate"]: WHY, "speed": "fast enough"}
    with pytest.raises(Refused, match="nothing to tick for speed"):
        services.decide_model(by=mia, version=waiting, action="approve", why="ok", ticks=ticks)


def test_rejecting_needs_no_tick(waiting, mia):
    services.decide_model(by=mia, version=waiting, action="reject", why="worse for one lab")
    assert waiting.state == "rejected"


def test_the_api_and_the_command_ask_for_the_same_ticks(waiting, mia, token_of):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token_of(mia)}")
    address = f"/api/models/{waiting.identifier}/actions/approve"
    refused = client.post(address, {"why": "ok"}, format="json")
    assert refused.status_code == 400
    assert "Not worse in lab Meadow" in refused.json()["detail"]
    with pytest.raises(CommandError, match="Not worse in lab Meadow"):
        call_command("approve", waiting.identifier, by=mia.email, why="ok")
    call_command(
        "approve", waiting.identifier, by=mia.email, why="ok", tick=[f"{SMALL['gate']}={WHY}"]
    )
    told = client.get(f"/api/models/{waiting.identifier}").json()
    assert told["state"] == "approved"
    assert [row["told"] for row in told["verdicts"]] == [False, True]


def test_the_page_asks_for_the_same_ticks_and_keeps_what_was_typed(waiting, mia):
    client = Client()
    client.force_login(mia)
    address = f"/models/{waiting.public_id}/"
    page = client.get(f"{address}beside").content.decode()
    assert "Not assessed: tick each one" in page
    sent = {"why": "ok", "from": "beside", f"why:{SMALL['gate']}": WHY}
    refused = client.post(f"{address}approve", sent)
    assert refused.status_code == 422
    assert "Not assessed and not answered" in refused.content.decode()
    client.post(f"{address}approve", sent | {"tick": SMALL["gate"]})
    waiting.refresh_from_db()
    assert waiting.state == "approved"
    assert WHY in client.get(address).content.decode()


def test_whoever_approved_does_not_promote_where_another_maintainer_exists(register, mia, grace):
    first, second = register("approved"), register("approved")
    with pytest.raises(NotAllowed, match="another maintainer has to promote"):
        services.decide_model(by=mia, version=first, action="promote", why="better")
    refused = next(a for a in queries.actions(first, mia) if a["action"] == "promote")
    assert not refused["allowed"]
    services.decide_model(by=grace, version=first, action="promote", why="better")
    services.decide_model(by=grace, version=second, action="promote", why="better still")
    # A version that served before may come back at once, whoever approved it.
    assert services.roll_back(by=mia, why="scores jumped") == first


def test_a_site_with_one_maintainer_is_not_locked_out(register, mia, grace):
    grace.is_active = False
    grace.save(update_fields=["is_active"])
    version = register("approved")
    services.decide_model(by=mia, version=version, action="promote", why="better")
    assert queries.serving() == version


def test_a_changed_decision_shows_on_the_page_over_the_api_and_to_the_command(register, mia):
    version = register("serving")
    out = io.StringIO()
    call_command("check_ledger", stdout=out)
    assert "as they were written" in out.getvalue()
    last = decisions.history(version).last()
    Decision.objects.filter(pk=last.pk).update(why="no reason at all")

    client = Client()
    page = client.get(f"/models/{version.public_id}/").content.decode()
    assert "changed afterwards" in page
    told = client.get(f"/api/models/{version.identifier}/history").json()["results"]
    assert [row["as_written"] for row in told][-1] is False
    assert all(row["as_written"] for row in told[:-1])
    errors = io.StringIO()
    with pytest.raises(CommandError, match="decision log was changed"):
        call_command("check_ledger", stderr=errors)
    assert f"Entry {last.number} was changed after it was written." in errors.getvalue()

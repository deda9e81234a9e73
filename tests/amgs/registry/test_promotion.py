"""Which version serves, who may decide it, and what the ledger knows of it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from amgs.core import decisions
from amgs.core.errors import NotAllowed, Refused
from amgs.registry import queries, services
from amgs.registry.models import ModelVersion

HERE = Path(__file__).parent


def test_promoting_retires_the_version_that_served(register, mia):
    first, second = register("serving"), register("approved")
    services.decide_model(by=mia, version=second, action="promote", why="smaller error")
    first.refresh_from_db()
    assert (first.state, second.state) == ("retired", "serving")
    assert queries.serving() == second
    last = decisions.history(second).last()
    assert last.facts["replaces"] == first.identifier
    assert decisions.history(first).last().facts["replaced_by"] == second.identifier


def test_versions_are_numbered_per_species(register):
    names = [register().identifier for _ in range(3)]
    assert names == ["mouse-v1", "mouse-v2", "mouse-v3"]


def test_the_database_lets_only_one_version_serve(register):
    register("serving")
    other = register("approved")
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=other.pk).update(state="serving")


def test_rolling_back_lets_the_version_before_serve_again(register, mia):
    first, second = register("serving"), register("approved")
    services.decide_model(by=mia, version=second, action="promote", why="smaller error")
    assert services.roll_back(by=mia, why="scores jumped") == first
    second.refresh_from_db()
    assert second.state == "retired"
    assert queries.serving() == first
    assert decisions.history(first).last().action == "rollback"


def test_there_is_nothing_to_roll_back_to_at_first(register, mia):
    register("serving")
    with pytest.raises(Refused, match="no retired version"):
        services.roll_back(by=mia, why="scores jumped")


def test_only_a_maintainer_promotes(register, cora, alice):
    version = register("approved")
    for person in (cora, alice):
        with pytest.raises(NotAllowed, match="Only a maintainer"):
            services.decide_model(by=person, version=version, action="promote", why="please")
    assert queries.serving() is None


def test_promoting_needs_a_reason_and_leaves_the_old_version_serving_without(register, mia):
    first, second = register("serving"), register("approved")
    with pytest.raises(Refused, match="reason"):
        services.decide_model(by=mia, version=second, action="promote", why=" ")
    assert queries.serving() == first


def test_a_stale_page_cannot_promote_twice(register, mia):
    version = register("approved")
    stale = ModelVersion.objects.get(pk=version.pk)
    services.decide_model(by=mia, version=version, action="promote", why="better")
    with pytest.raises(Refused, match="serves already"):
        services.decide_model(by=mia, version=stale, action="promote", why="better")
    assert queries.serving() == version


def test_a_version_the_gates_refused_cannot_be_promoted_and_names_them(mia, register):
    version = services.register_version(
        bundle_key="k", bundle_sha256="b" * 64, digest="d" * 64, info={}, report={}, profile="demo"
    )
    verdict = {
        "gate": "image_r",
        "title": "Correlation of the image score",
        "passed": False,
        "value": 0.1,
        "threshold": 0.5,
        "sentence": "The image score correlates with the raters' at 0.10; …",
    }
    services.record_verdicts(
        version=version, verdicts=[verdict], refused_by=["image_r"], comparison={}
    )
    assert version.state == "rejected"
    last = decisions.history(version).last()
    assert last.why == "Refused by the gates: Correlation of the image score."
    assert last.facts == {"refused_by": ["image_r"]}
    for action in ("approve", "promote"):
        with pytest.raises(Refused):
            services.decide_model(by=mia, version=version, action=action, why="anyway")


def test_the_actions_of_a_version_say_who_may_and_why_not(register, mia, cora):
    version = register("approved")
    assert [a["action"] for a in queries.actions(version, mia)] == ["promote", "withdraw"]
    assert all(a["allowed"] for a in queries.actions(version, mia))
    refused = queries.actions(version, cora)[0]
    assert not refused["allowed"]
    assert "Only a maintainer" in refused["reason"]


def test_the_ledger_says_what_served_at_any_moment(register, mia):
    before = decisions.database_now() - timedelta(seconds=1)
    first = register("serving")
    began = decisions.history(first).last().at
    second = register("approved")
    services.decide_model(by=mia, version=second, action="promote", why="better")
    changed = decisions.history(second).last().at
    services.decide_model(by=mia, version=second, action="withdraw", why="a fault")
    withdrawn = decisions.history(second).last().at

    assert queries.serving_at(before) is None
    version, decision = queries.serving_at(began)
    assert (version, decision.actor_name) == (first, "Mia Moreau")
    if changed < withdrawn:
        assert queries.serving_at(changed)[0] == second
    assert queries.serving_at(withdrawn + timedelta(seconds=1)) is None


def test_what_served_is_read_in_a_constant_number_of_queries(
    register, mia, django_assert_num_queries
):
    one, other = register("serving"), register("approved")
    for _ in range(3):
        services.decide_model(by=mia, version=other, action="promote", why="in turn")
        one, other = other, ModelVersion.objects.get(pk=one.pk)
    with django_assert_num_queries(3):
        assert queries.serving_at(datetime.now(UTC))[0] == one


def test_the_commands_do_the_same_act(register, mia, settings):
    first, second = register("serving"), register("approved")
    out = io.StringIO()
    call_command("promote", second.identifier, by=mia.email, why="better", stdout=out)
    call_command("rollback", by=mia.email, why="scores jumped", stdout=out)
    call_command("live", stdout=out)
    call_command("live", at="2001-01-01", stdout=out)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"{second.identifier} serves."
    assert lines[1] == f"{first.identifier} serves again."
    assert "Mia Moreau decided 'rollback'" in lines[2]
    assert lines[3].startswith("No model version served at 2001-01-01")


def test_a_command_refuses_in_a_sentence(register, cora):
    version = register("approved")
    with pytest.raises(CommandError, match="Only a maintainer"):
        call_command("promote", version.identifier, by=cora.email, why="please")
    with pytest.raises(CommandError, match="no model version 'mouse-v9'"):
        call_command("promote", "mouse-v9", by=cora.email, why="please")
    with pytest.raises(CommandError, match="no ISO time"):
        call_command("live", at="yesterday")


def on_postgresql(postgresql_url: str, name: str, folder: Path, *command: str) -> dict | list:
    """Run a program of this folder on a new database; return what it prints last."""
    server = psycopg2.connect(postgresql_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    server.close()
    url = urlsplit(postgresql_url)._replace(path=f"/{name}").geturl()
    environment = os.environ | {"DATABASE_URL": url, "AMGS_VAR": str(folder)}
    script, *rest = command
    run = subprocess.run(
        [sys.executable, str(HERE / script), str(HERE.parents[2]), *rest],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.service("postgresql")
def test_of_two_promotions_at_once_one_wins_on_postgresql(postgresql_url, tmp_path):
    """Each round: two threads promote two versions at one moment, with and without one serving."""
    rounds = on_postgresql(postgresql_url, "promotions", tmp_path, "promote_at_once.py", "12")
    assert len(rounds) == 12
    for outcome in rounds:
        assert outcome["serving"] == 1
        assert set(outcome["ended"]) <= {"promoted", "Conflict"}
        assert "promoted" in outcome["ended"]
    assert any("Conflict" in outcome["ended"] for outcome in rounds)


@pytest.mark.service("postgresql")
def test_a_changed_decision_is_detected_on_postgresql(postgresql_url, tmp_path):
    told = on_postgresql(postgresql_url, "tampered", tmp_path, "tampered_ledger.py")
    assert told["before"].endswith("decisions are as they were written.")
    assert told["after"] == f"Entry {told['number']} was changed after it was written."

"""A fresh site begins with the bundle that comes with the program, once, and says what it is."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.core.management import CommandError, call_command

from amgs.core import decisions
from amgs.core.errors import Refused
from amgs.core.models import Job
from amgs.files.storage import get_storage
from amgs.registry import queries
from amgs.registry.models import ModelVersion
from amgs.registry.shipped import register_shipped
from models.bundle import load_bundle

HERE = Path(__file__).parent


@pytest.mark.django_db
def test_a_fresh_site_registers_the_bundle_and_serves_it_as_version_1(make_bundle):
    folder = make_bundle()
    version = register_shipped(folder)
    assert queries.serving() == version
    assert (version.identifier, version.state, version.profile) == ("mouse-v1", "serving", "demo")
    assert version.phantom
    assert version.digest == load_bundle(folder).digest
    assert version.report["n_frames"] == 100
    assert version.card == "nothing"
    assert {row["passed"] for row in version.verdicts if not row["told"]} == {True}
    assert get_storage().stat(version.report_key).size == len("nothing")
    assert Job.objects.filter(kind="registry.mirror").count() == 1


@pytest.mark.django_db
def test_the_ledger_says_that_the_software_brought_it(make_bundle):
    last = decisions.history(register_shipped(make_bundle())).last()
    assert (last.action, last.to_state, last.actor_name) == ("ship", "serving", "aMGS")
    assert last.why == "The bundle this software ships with; learnt from rendered mouse faces."
    assert last.facts["phantom"] is True


@pytest.mark.django_db
def test_a_second_time_nothing_happens(make_bundle):
    folder = make_bundle()
    register_shipped(folder)
    assert register_shipped(folder) is None
    assert ModelVersion.objects.count() == 1


def test_a_site_with_any_version_is_left_alone(make_bundle, register):
    register("retired")
    assert register_shipped(make_bundle()) is None
    assert queries.serving() is None


@pytest.mark.django_db
def test_the_pages_show_the_banner_and_the_version(make_bundle, client):
    version = register_shipped(make_bundle())
    page = client.get("/models/").content.decode()
    assert "phantom-banner" in page
    assert version.identifier in page
    assert "tag phantom" in page
    assert client.get(f"/models/{version.public_id}/report").content == b"nothing"
    assert client.get("/readyz").json()["champion"] == "ok"


@pytest.mark.django_db
def test_production_does_not_serve_a_bundle_of_phantoms(make_bundle, settings):
    settings.PRODUCTION, settings.ALLOW_PHANTOM = True, False
    folder = make_bundle()
    with pytest.raises(Refused, match="AMGS_ALLOW_PHANTOM=1"):
        register_shipped(folder)
    call_command("register_shipped", folder, at_start=True)
    assert not ModelVersion.objects.exists()
    settings.ALLOW_PHANTOM = True
    assert register_shipped(folder).state == "serving"


@pytest.mark.django_db
def test_a_bundle_that_the_gates_refuse_serves_nobody(make_bundle):
    version = register_shipped(make_bundle(r=0.1))
    assert version.state == "rejected"
    assert queries.serving() is None


@pytest.mark.django_db
def test_without_a_bundle_a_site_starts_and_says_so(settings, tmp_path, caplog):
    settings.SHIPPED_MODEL = tmp_path / "nowhere"
    call_command("register_shipped", at_start=True)
    assert "No model is shipped with this copy of the program" in caplog.text
    with pytest.raises(CommandError, match="nowhere is not there"):
        call_command("register_shipped")
    settings.SHIPPED_MODEL = None
    caplog.clear()
    call_command("register_shipped", at_start=True)
    assert caplog.text == ""
    assert not ModelVersion.objects.exists()


@pytest.mark.django_db
def test_a_damaged_bundle_is_named_and_not_registered(make_bundle):
    folder = make_bundle()
    (folder / "frame.onnx").write_text("something else")
    with pytest.raises(CommandError, match="was changed after it was sealed"):
        call_command("register_shipped", folder)
    assert not ModelVersion.objects.exists()


@pytest.mark.django_db
def test_the_command_says_what_came_of_it(make_bundle):
    out, folder = io.StringIO(), make_bundle()
    call_command("register_shipped", folder, stdout=out)
    call_command("register_shipped", folder, stdout=out)
    assert out.getvalue().splitlines() == [
        "mouse-v1 is registered; it is serving.",
        "This site has model versions already; nothing was done.",
    ]


@pytest.mark.django_db
def test_serving_a_fresh_site_begins_with_it(make_bundle, settings, monkeypatch):
    settings.SHIPPED_MODEL = make_bundle()
    monkeypatch.setattr("amgs.core.supervisor.Supervisor.run", lambda self: self.prepare())
    settings.VAR.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for _ in range(2):
        call_command("serve", port=port, no_migrate=True)
        assert [row.identifier for row in ModelVersion.objects.all()] == ["mouse-v1"]
        assert queries.serving().identifier == "mouse-v1"


def at_once(folder: Path, tmp_path: Path, **environment: str) -> list[dict]:
    """Return how rounds of two registrations at one moment ended."""
    run = subprocess.run(
        [sys.executable, str(HERE / "register_at_once.py"), str(HERE.parents[2]), folder, "6"],
        env={**os.environ, "AMGS_VAR": str(tmp_path / "site"), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


def test_of_two_that_begin_at_once_one_registers(make_bundle, tmp_path):
    for told in at_once(make_bundle(), tmp_path):
        assert told == {"ended": ["nothing", "serving"], "there": [[1, "serving"]]}


@pytest.mark.service("postgresql")
def test_of_two_that_begin_at_once_one_registers_on_postgresql(
    make_bundle, tmp_path, postgresql_url
):
    server = psycopg2.connect(postgresql_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("CREATE DATABASE shipping")
    server.close()
    url = urlsplit(postgresql_url)._replace(path="/shipping").geturl()
    for told in at_once(make_bundle(), tmp_path, DATABASE_URL=url):
        assert told == {"ended": ["nothing", "serving"], "there": [[1, "serving"]]}

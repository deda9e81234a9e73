"""The settings, the health of a site and what its checks say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import DatabaseError

from amgs.core import checks, jobs
from amgs.files.storage import Unavailable

ROOT = Path(__file__).resolve().parents[3]


def check(var: Path, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``manage.py check`` with nothing in the environment but this."""
    return subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), "check", *options],
        env={"PATH": os.environ["PATH"], "AMGS_VAR": str(var), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_settings_run_with_an_empty_environment(tmp_path):
    done = check(tmp_path / "var")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "var" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_production_passes_the_deployment_checks_with_all_services_named(tmp_path):
    done = check(
        tmp_path / "var",
        *("--deploy", "--tag", "security", "--tag", "amgs", "--fail-level", "WARNING"),
        DJANGO_SETTINGS_MODULE="amgs.settings.production",
        SECRET_KEY="k" * 25 + "".join(map(chr, range(65, 91))),
        SITE_URL="https://amgs.example.org",
        ALLOWED_HOSTS="amgs.example.org",
        DATABASE_URL="postgresql://amgs:secret@db/amgs",
        # Behind the site's own proxy, so that no preflight has to be asked of a made-up host.
        STORAGE_URL="s3+https://key:secret@s3.example.org/amgs?public=https://amgs.example.org",
        BROKER_URL="amqp://amgs:secret@broker//",
    )
    assert done.returncode == 0, done.stderr


def test_production_on_the_embedded_default_is_warned_of(settings, monkeypatch):
    settings.PRODUCTION = True
    for name in ("SECRET_KEY", "DATABASE_URL", "STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BROKER_URL", "redis://broker/0")
    told = [message.msg.split()[0] for message in checks.production_has_servers()]
    assert told == ["SECRET_KEY", "DATABASE_URL", "STORAGE_URL"]


def test_the_deployment_check_shows_that_phantoms_may_grade(settings):
    settings.ALLOW_PHANTOM = True
    (warning,) = checks.phantoms_are_no_mice()
    assert "phantom mice" in warning.msg
    settings.ALLOW_PHANTOM = False
    assert checks.phantoms_are_no_mice() == []


def test_phantoms_are_off_in_production_and_on_in_the_embedded_default(tmp_path):
    script = "from django.conf import settings; print(settings.ALLOW_PHANTOM)"
    for module, expected in (("base", "True"), ("production", "False")):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={
                "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
                "AMGS_VAR": str(tmp_path),
                "DJANGO_SETTINGS_MODULE": f"amgs.settings.{module}",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == expected, done.stderr


@pytest.mark.django_db
def test_a_site_without_a_champion_is_degraded_and_ready(client):
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert json.loads(answer.content) == {
        "status": "degraded",
        "database": "ok",
        "storage": "ok",
        "broker": "ok",
        "champion": "missing",
    }
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("service", ["storage", "broker", "database"])
def test_a_missing_service_makes_the_site_unavailable_without_saying_why(
    client, monkeypatch, service
):
    from amgs.api import health

    def away(*_):
        raise {"database": DatabaseError, "storage": Unavailable}.get(service, OSError)("10.0.0.7")

    if service == "storage":
        monkeypatch.setattr("amgs.files.local.LocalStorage.check", away)
    elif service == "broker":
        monkeypatch.setattr(jobs, "check_broker", away)
    else:
        monkeypatch.setattr(health, "_database", away)
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()[service] == "missing"
    assert b"10.0.0.7" not in answer.content

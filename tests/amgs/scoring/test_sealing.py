"""Secrets of webhooks lie sealed in the database, and survive a change of the site's key."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from rest_framework.test import APIClient

from amgs.core.errors import Refused
from amgs.scoring import webhooks
from amgs.scoring.models import Delivery, ToolRun, Webhook, WebhookSecret
from amgs.scoring.sealing import needs_sealing_anew, opened, seal

ROOT = Path(__file__).parents[3]
OLD, NEW = "a key of before " * 4, "the key of now " * 4


def lying(table: str, column: str = "secret") -> list[str]:
    """Return what the database itself holds."""
    quote = connection.ops.quote_name
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {quote(column)} FROM {quote(table)} ORDER BY id")  # noqa: S608
        return [row[0] for row in cursor.fetchall()]


def test_a_text_is_opened_by_the_key_it_was_sealed_with_and_by_a_fallback(settings):
    settings.SECRET_KEY = OLD
    sealed = seal("whsec_abc")
    assert "whsec" not in sealed
    assert seal("whsec_abc") != sealed
    assert (opened(sealed), needs_sealing_anew(sealed)) == ("whsec_abc", False)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert (opened(sealed), needs_sealing_anew(sealed)) == ("whsec_abc", True)
    settings.SECRET_KEY_FALLBACKS = []
    assert (opened(sealed), needs_sealing_anew(sealed)) == ("", False)
    assert opened(f"{sealed[:-6]}AAAAA=") == opened("whsec_abc") == ""


def test_the_database_holds_no_secret_that_can_be_read(alice):
    first = webhooks.secret_of(alice).secret
    second = webhooks.rotate_secret(user=alice)
    assert second.previous == first
    run = ToolRun.objects.create(name="a.mp4")
    hook = Webhook.objects.create(run=run, address="https://example.org", secret="whsec_own")
    held = [
        *lying("scoring_webhooksecret"),
        *lying("scoring_webhooksecret", "previous"),
        *lying("scoring_webhook"),
    ]
    assert [opened(one) for one in held] == [second.secret, first, "whsec_own"]
    assert not any("whsec" in one for one in held)
    hook.refresh_from_db()
    assert hook.secret == webhooks.own_secret(run) == "whsec_own"


def test_secrets_are_sealed_anew_before_a_fallback_is_taken_out(alice, settings, run_jobs):
    from amgs.core import jobs

    settings.SECRET_KEY = OLD
    first = webhooks.secret_of(alice).secret
    second = webhooks.rotate_secret(user=alice).secret
    run = ToolRun.objects.create(name="a.mp4")
    Webhook.objects.create(run=run, address="https://example.org", secret="whsec_own")
    Webhook.objects.create(
        run=ToolRun.objects.create(name="b.mp4", user=alice), address="https://example.org"
    )
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]
    assert webhooks.secret_of(alice).secret == second
    for count in (3, 0):
        row = jobs.enqueue(webhooks.seal_secrets_anew)
        run_jobs()
        row.refresh_from_db()
        assert row.result == {"sealed": count}
    settings.SECRET_KEY_FALLBACKS = []
    row = webhooks.secret_of(alice)
    assert (row.secret, row.previous) == (second, first)
    assert webhooks.own_secret(run) == "whsec_own"


def test_a_lost_secret_is_told_and_nothing_is_sent_unsigned(alice, settings, run_jobs, monkeypatch):
    monkeypatch.setattr(webhooks.calling, "post", lambda *given: pytest.fail("it was sent"))
    settings.SECRET_KEY = OLD
    run = ToolRun.objects.create(name="a.mp4", user=alice)
    webhooks.secret_of(alice)
    hook = Webhook.objects.create(run=run, address="https://example.org")
    settings.SECRET_KEY = NEW
    with pytest.raises(Refused, match="Make a new secret"):
        webhooks.secret_of(alice)
    client = APIClient()
    client.force_authenticate(alice)
    assert "Make a new secret" in client.get("/api/webhooks/secret").json()["detail"]
    webhooks.tell(run, "done", "It was scored.")
    (row,) = run_jobs()
    assert row.state == "failed"
    assert Delivery.objects.get(webhook=hook).sentence == webhooks.LOST
    made = webhooks.rotate_secret(user=alice)
    assert webhooks.secret_of(alice).secret == made.secret
    assert webhooks.old_secret_until(made) is None


def test_the_page_says_that_a_secret_is_lost(alice, settings, client):
    settings.SECRET_KEY = OLD
    webhooks.secret_of(alice)
    settings.SECRET_KEY = NEW
    client.force_login(alice)
    page = client.get("/account/webhooks/").content.decode()
    assert "cannot be read any more" in page


@pytest.mark.django_db(transaction=True)
def test_the_migration_seals_what_lay_open_and_opens_it_on_the_way_back(alice):
    old, new = (
        [("scoring", "0005_extras_and_corrections")],
        [("scoring", "0006_deleted_studies_and_sealed_secrets")],
    )
    last = MigrationExecutor(connection).loader.graph.leaf_nodes("scoring")
    row = webhooks.secret_of(alice)
    run = ToolRun.objects.create(name="a.mp4")
    Webhook.objects.create(run=run, address="https://example.org", secret="whsec_own")
    plain = row.secret
    try:
        MigrationExecutor(connection).migrate(old)
        assert lying("scoring_webhooksecret") == [plain]
        assert lying("scoring_webhooksecret", "previous") == [""]
        assert lying("scoring_webhook") == ["whsec_own"]
        MigrationExecutor(connection).migrate(new)
        assert [opened(one) for one in lying("scoring_webhooksecret")] == [plain]
        assert lying("scoring_webhook") != ["whsec_own"]
    finally:
        MigrationExecutor(connection).migrate(last)
    assert WebhookSecret.objects.get().secret == plain
    assert WebhookSecret.objects.get().made_at <= timezone.now()
    assert Webhook.objects.get().secret == "whsec_own"


PROGRAM = """
import os, django
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amgs.settings.base")
django.setup()
from django.core.management import call_command
from django.db import connection
from amgs.accounts.models import User
from amgs.scoring import webhooks

def lying():
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret, previous FROM scoring_webhooksecret")
        return cursor.fetchone()

call_command("migrate", verbosity=0)
user = User.objects.create_user("a@example.org", "correct horse battery", full_name="A")
first = webhooks.secret_of(user).secret
row = webhooks.rotate_secret(user=user)
call_command("migrate", "scoring", "0005", verbosity=0)
assert lying() == (row.secret, first), lying()
call_command("migrate", "scoring", verbosity=0)
assert not any(one.startswith("whsec") for one in lying())
row.refresh_from_db()
assert row.previous == first
print("sealed")
"""


@pytest.mark.service("postgresql")
def test_the_migration_goes_both_ways_on_postgresql(tmp_path, postgresql_url):
    server = psycopg2.connect(postgresql_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("CREATE DATABASE sealing")
    server.close()
    url = urlsplit(postgresql_url)._replace(path="/sealing").geturl()
    paths = os.pathsep.join([str(ROOT), str(ROOT / "platform")])
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"AMGS_VAR": str(tmp_path), "DATABASE_URL": url, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.splitlines()[-1] == "sealed"

"""A rejected version keeps its files for 90 days; its lab is warned, and may open it till then."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from amgs.accounts.models import Notice
from amgs.core.decisions import history
from amgs.core.errors import Refused
from amgs.core.jobs import enqueue
from amgs.files.storage import get_storage
from amgs.repository import services
from amgs.repository.models import Recording, Version

pytestmark = pytest.mark.django_db
CHECK = "repository.check_rejected"


@pytest.fixture
def rejected(draft, take, alice, cora):
    """Make a version that a curator rejected."""

    def make(version=None):
        version = version or draft(grades=False, animals=1)
        return take(version, ("submit", alice), ("start_review", cora), ("reject", cora))

    return make


@pytest.fixture
def check(run_jobs):
    """Let the files of a version be kept for so many days more, and look after rejected ones."""

    def look(version, days: float) -> None:
        until = timezone.now() + timedelta(days=days)
        Version.objects.filter(pk=version.pk).update(files_kept_until=until)
        enqueue(CHECK)
        run_jobs()
        version.refresh_from_db()

    return look


def stored() -> set[str]:
    """Return the keys of all that is stored of recordings."""
    storage = get_storage()
    return {key for prefix in ("blobs/", "jobs/", "stills/") for key in storage.list(prefix)}


def warnings() -> list[str]:
    """Return what the inbox of the lab says of files that go or went, oldest first."""
    rows = Notice.objects.filter(title__contains="files of").order_by("pk")
    return list(rows.values_list("title", flat=True))


def test_files_are_kept_for_ninety_days(rejected, run_jobs):
    version = rejected()
    left = version.files_kept_until - timezone.now()
    assert timedelta(days=89, hours=23) < left <= timedelta(days=90)
    keys = stored()
    enqueue(CHECK)
    run_jobs()
    assert stored() == keys
    assert warnings() == []


def test_the_lab_is_warned_once_fourteen_days_before(rejected, check):
    version = rejected()
    check(version, 15)
    assert warnings() == []
    check(version, 13)
    assert len(warnings()) == 1
    assert version.identifier in warnings()[0]
    check(version, 12)
    assert len(warnings()) == 1
    assert history(version).filter(action="files_go_soon").count() == 1


def test_opening_it_again_keeps_everything(rejected, check, take, alice):
    version = rejected()
    keys = stored()
    check(version, 1)
    take(version, ("reopen", alice))
    assert version.state == "draft"
    assert version.files_kept_until is None
    check(version, -200)
    assert stored() == keys


def test_after_ninety_days_the_files_go_and_it_cannot_be_opened(rejected, check, alice):
    version = rejected()
    assert any(recording.evidence for recording in version.recordings.all())
    check(version, -1)
    assert version.files_deleted_at is not None
    assert {key for key in stored() if not key.endswith("manifest.json")} == set()
    assert Recording.objects.filter(versions=version).exists()
    assert Recording.objects.filter(versions=version, signature={}).exists()
    assert "are deleted" in warnings()[-1]
    done = history(version).get(action="files_deleted")
    assert done.facts["originals"] == 2
    with pytest.raises(Refused, match="more than 90 days ago"):
        services.decide_version(by=alice, version=version, action="reopen")
    services.delete_draft(by=alice, version=version)


def test_a_published_version_keeps_what_a_rejected_one_shared(
    draft, rejected, take, check, sign, alice, cora
):
    first = draft(grades=False, animals=1)
    take(first, ("submit", alice), ("start_review", cora))
    take(first, ("accept", cora), without_audit=True)
    take(first, ("publish", cora))
    keys = stored()
    second = services.new_draft(by=alice, version=first)
    sign(second, alice)
    check(rejected(second), -1)
    assert second.files_deleted_at is not None
    assert stored() == keys


def test_one_that_was_rejected_before_a_day_was_kept_gets_ninety_from_now(rejected, run_jobs):
    version = rejected()
    Version.objects.filter(pk=version.pk).update(files_kept_until=None)
    keys = stored()
    enqueue(CHECK)
    run_jobs()
    version.refresh_from_db()
    assert version.files_kept_until > timezone.now() + timedelta(days=89)
    assert stored() == keys

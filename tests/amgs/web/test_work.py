"""My work: what a person asked for, with the checks of one folder in one line."""

from __future__ import annotations

from django.test import Client
from django.utils import timezone

from amgs.core.models import Job


def test_checks_of_a_folder_are_one_line_and_a_failed_one_has_its_own(alice):
    states = ["done", "done", "failed", "done", "done", "done", "running"]
    for state in states:
        Job.objects.create(
            kind="files.finish_upload",
            queue="ingest",
            state=state,
            actor_id=alice.public_id,
            due_at=timezone.now(),
        )
    page = Client()
    page.force_login(alice)
    html = page.get("/my-work/").content.decode()
    assert html.count('<th scope="row">') == 4
    assert [number in html for number in ("× 3", "× 2", "× 1")] == [True, True, False]
    assert html.count(">Cancel<") == 1
    assert html.count(">Begin again<") == 1

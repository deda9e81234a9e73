"""What is stored need not be sent again, nobody learns what others store, and room has an end."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from amgs.core.errors import Refused, TooMuch
from amgs.core.jobs import later
from amgs.files import queries, services
from amgs.files.models import Blob, Upload
from amgs.files.storage import get_storage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("arrived")]
DATA = b"a film of a mouse"
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def stored(opened, alice, run_jobs) -> Upload:
    """Alice's lab has stored the film."""
    upload = opened(DATA)
    get_storage().put(services.part_key(upload, 1), DATA)
    services.complete_upload(upload=upload, by=alice)
    run_jobs()
    upload.refresh_from_db()
    assert upload.state == "done"
    return upload


def test_what_the_lab_has_stored_is_done_at_once(stored, opened, arrived):
    again = opened(DATA, name="copy.mp4", sha256=SHA)
    assert (again.state, again.blob, queries.held_bytes(again)) == ("done", stored.blob, len(DATA))
    assert arrived[-1] == (again.public_id, "done", SHA)
    with pytest.raises(Refused, match="takes no more parts"):
        services.part_addresses(upload=again, parts=[1])


def test_what_another_lab_has_stored_is_not_told(stored, bob, meadow, petra):
    facts = {"name": "a.mp4", "size": len(DATA), "sha256": SHA}
    for user, lab, purpose in (
        (bob, meadow, "test"),
        (petra, None, "anyone"),
        (None, None, "anyone"),
    ):
        upload = services.open_upload(user=user, lab=lab, purpose=purpose, **facts)
        assert (upload.state, upload.blob) == ("open", None)


def test_the_same_bytes_of_another_lab_are_one_blob(stored, bob, meadow, run_jobs):
    upload = services.open_upload(
        user=bob, lab=meadow, name="b.mp4", size=len(DATA), sha256=SHA, purpose="test"
    )
    get_storage().put(services.part_key(upload, 1), DATA)
    services.complete_upload(upload=upload, by=bob)
    run_jobs()
    upload.refresh_from_db()
    assert upload.blob == stored.blob


def test_bytes_that_are_lost_have_to_be_sent(stored, opened):
    get_storage().delete(stored.blob.key)
    assert opened(DATA, sha256=SHA).state == "open"


def test_a_lab_that_has_no_room_left_is_told_so(stored, opened, alice, settings, run_jobs):
    settings.UPLOAD_MOST_BYTES_LAB = 2 * len(DATA)
    waiting = opened(b"x" * len(DATA))
    with pytest.raises(TooMuch, match="the lab Harbour may store here 0 bytes are left") as told:
        opened(b"y")
    assert "Discard unfinished uploads" in told.value.sentence
    assert opened(DATA, sha256=SHA).state == "done"  # stored once, so it takes no room
    services.discard_upload(upload=waiting, by=alice)
    assert opened(b"y").state == "open"


def test_a_digest_learned_while_sending_is_compared(opened, alice, run_jobs):
    upload = opened(DATA)
    get_storage().put(services.part_key(upload, 1), b"other bytes, alas")
    services.complete_upload(upload=upload, by=alice, sha256=SHA, digests={1: SHA})
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, "part 1" in upload.refusal) == ("open", True)
    assert queries.held_parts(upload) == []
    get_storage().put(services.part_key(upload, 1), DATA)
    services.complete_upload(upload=upload, by=alice, sha256=SHA)
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, upload.sha256) == ("done", SHA)


def test_another_file_of_the_same_name_is_not_put_to_an_announced_one(opened, alice):
    upload = opened(DATA, sha256=SHA)
    get_storage().put(services.part_key(upload, 1), b"other bytes, alas")
    with pytest.raises(Refused, match="not the file that was announced"):
        services.complete_upload(upload=upload, by=alice, sha256="0" * 64)


def test_an_upload_that_somebody_goes_on_with_is_not_given_up(opened, run_jobs):
    from amgs.core import jobs
    from amgs.files.jobs import UPLOADS_KEPT, collect_orphans

    upload = opened(DATA)
    Upload.objects.update(created_at=later(-2 * UPLOADS_KEPT))
    services.part_addresses(upload=upload, parts=[1])
    jobs.enqueue(collect_orphans)
    run_jobs()
    upload.refresh_from_db()
    assert upload.state == "open"
    Upload.objects.update(active_at=later(-UPLOADS_KEPT - timedelta(hours=1)))
    jobs.enqueue(collect_orphans)
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, "within 7 days" in upload.refusal) == ("discarded", True)


def test_what_is_unfinished_is_listed_with_its_progress(
    stored, opened, client, token_of, alice, bob
):
    begun = opened(DATA * 3, target="01J")
    get_storage().put(services.part_key(begun, 1), DATA * 3)

    def ask(user, query: str):
        headers = {"Authorization": f"Bearer {token_of(user)}"}
        return client.get(f"/api/uploads?{query}", headers=headers).json()

    (row,) = ask(alice, "unfinished=true")["results"]
    assert (row["id"], row["held_bytes"]) == (begun.public_id, 3 * len(DATA))
    assert [row["id"] for row in ask(alice, f"size={len(DATA)}")["results"]] == [stored.public_id]
    assert ask(alice, "target=01J&name=r1.mp4&purpose=test")["results"][0]["id"] == begun.public_id
    assert ask(alice, "size=many")["field"] == "size"
    assert ask(bob, "unfinished=true")["results"] == []


@pytest.mark.django_db(transaction=True)
def test_twenty_at_once_are_twenty_successes_and_one_blob(opened, alice):
    from django.db import connection

    from amgs.core import jobs

    uploads = [opened(DATA, name=f"{number}.mp4") for number in range(20)]

    def finish(upload: Upload) -> None:
        try:
            get_storage().put(services.part_key(upload, 1), DATA)
            job = services.complete_upload(upload=upload, by=alice, sha256=SHA)
            jobs.run(job.public_id)
        finally:
            connection.close()

    with ThreadPoolExecutor(20) as people:
        list(people.map(finish, uploads))
    assert Blob.objects.count() == 1
    assert set(Upload.objects.values_list("state", "sha256")) == {("done", SHA)}

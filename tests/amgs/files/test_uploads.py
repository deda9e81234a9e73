"""A file comes in whole or not at all: parts, resuming, checks, and what becomes of it."""

from __future__ import annotations

import base64
import hashlib
import json
import os

import pytest

from amgs.core import jobs
from amgs.core.base import PUBLIC
from amgs.core.errors import NotAllowed, NotFound, Refused, TooMuch
from amgs.core.jobs import later
from amgs.core.models import Job
from amgs.files import queries, services
from amgs.files.models import Blob, Upload
from amgs.files.storage import get_storage

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("arrived")]
PART = 8 * 1024 * 1024
LARGE = b"".join(bytes([number]) * PART for number in range(2)) + b"the end"


def send(upload: Upload, data: bytes, *parts: int) -> None:
    for part in parts or range(1, upload.part_count + 1):
        start = (part - 1) * upload.part_size
        get_storage().put(services.part_key(upload, part), data[start : start + upload.part_size])


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored() -> list[str]:
    return list(get_storage().list(""))


@pytest.mark.parametrize("data", [b"a tiny video", LARGE], ids=["one part", "three parts"])
def test_what_was_sent_becomes_a_blob_and_is_handed_on(opened, alice, run_jobs, arrived, data):
    upload = opened(data, sha256=sha(data))
    send(upload, data)
    services.complete_upload(upload=upload, by=alice)
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, upload.blob.sha256, upload.blob.size) == ("done", sha(data), len(data))
    assert arrived == [(upload.public_id, "done", sha(data))]
    assert upload.blob.media_type == "video/mp4"
    with services.open_blob(upload.blob) as stream:
        assert stream.read() == data
    assert services.local_copy(upload.blob).read_bytes() == data
    assert stored() == [services.blob_key(sha(data))]  # no part and no draft is left


def test_only_the_missing_parts_are_sent_again(opened, alice):
    upload = opened(LARGE)
    assert upload.part_count == 3
    send(upload, LARGE, 1, 3)
    assert [held["part"] for held in queries.held_parts(upload)] == [1, 3]
    with pytest.raises(Refused, match=r"1 of 3 parts of 'r1.mp4' have not arrived \(2\)") as told:
        services.complete_upload(upload=upload, by=alice)
    assert told.value.details == [{"part": 2}]
    send(upload, LARGE, 2)
    services.complete_upload(upload=upload, by=alice)


def test_a_part_of_the_wrong_size_does_not_count_as_held(opened):
    upload = opened(LARGE)
    get_storage().put(services.part_key(upload, 1), b"cut short")
    get_storage().put(f"uploads/{upload.public_id}/00009", b"too many")
    assert queries.held_parts(upload) == []


def test_an_address_is_given_for_each_part_with_its_size(opened):
    upload = opened(LARGE)
    addresses = services.part_addresses(upload=upload, parts=[3, 1])
    assert [(a["part"], a["size"]) for a in addresses] == [(3, 7), (1, PART)]
    assert all(services.part_key(upload, a["part"]) in a["url"] for a in addresses)
    with pytest.raises(Refused, match="there is no part 4"):
        services.part_addresses(upload=upload, parts=[4])
    with pytest.raises(Refused, match="1 to 200 parts"):
        services.part_addresses(upload=upload, parts=[])


def test_an_empty_file_is_refused_before_anything_is_sent(opened):
    with pytest.raises(Refused, match=r"'r1.mp4' is empty \(0 bytes\)") as told:
        opened(b"")
    assert told.value.field == "size"
    assert not Upload.objects.exists()


@pytest.mark.parametrize(
    ("facts", "field", "sentence"),
    [
        ({"name": "  \n"}, "name", "how the file is called"),
        ({"name": "n" * 401}, "name", "longer than 400"),
        ({"sha256": "abc"}, "sha256", "64 hexadecimal"),
        ({"purpose": "mischief"}, "purpose", "Nothing is known about files for 'mischief'"),
        ({"size": 10**15}, "size", "at most"),
    ],
)
def test_an_announcement_that_makes_no_sense_is_refused(opened, facts, field, sentence):
    with pytest.raises(Refused, match=sentence) as told:
        opened(b"data", **facts)
    assert told.value.field == field


def test_a_large_file_is_cut_into_no_more_parts_than_s3_takes(opened):
    upload = opened(b"", size=1024**4 - 1)
    assert upload.part_count <= 10_000
    assert upload.part_size % (1024 * 1024) == 0


def test_other_bytes_than_announced_are_refused_and_nothing_is_stored(
    opened, alice, run_jobs, arrived
):
    upload = opened(b"what was meant", sha256=sha(b"what was meant"))
    send(upload, b"what has come!")
    services.complete_upload(upload=upload, by=alice)
    run_jobs()
    upload.refresh_from_db()
    assert upload.state == "refused"
    assert "send it again" in upload.refusal
    assert not Blob.objects.exists()
    assert (stored(), arrived) == ([], [])


def test_a_changed_part_is_named_and_only_that_one_is_sent_again(opened, alice, run_jobs):
    upload = opened(LARGE, sha256=sha(LARGE))
    send(upload, LARGE, 1, 3)
    get_storage().put(services.part_key(upload, 2), b"\xff" * PART)
    digests = {part: sha(LARGE[(part - 1) * PART : part * PART]) for part in (1, 2, 3)}
    services.complete_upload(upload=upload, by=alice, digests=digests)
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, "part 2" in upload.refusal) == ("open", True)
    assert [held["part"] for held in queries.held_parts(upload)] == [1, 3]
    assert not Blob.objects.exists()
    send(upload, LARGE, 2)
    services.complete_upload(upload=upload, by=alice, digests=digests)
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, upload.refusal) == ("done", "")


def test_parts_that_vanish_before_the_check_refuse_the_upload(opened, alice, run_jobs):
    upload = opened(b"data")
    send(upload, b"data")
    services.complete_upload(upload=upload, by=alice)
    get_storage().delete(services.part_key(upload, 1))
    run_jobs()
    upload.refresh_from_db()
    assert (upload.state, "no longer there" in upload.refusal) == ("refused", True)


def test_a_check_that_breaks_leaves_the_upload_open(opened, alice, run_jobs, monkeypatch):
    from amgs.files import jobs as files_jobs

    def broken(*_):
        raise OSError("disk full")

    upload = opened(b"data")
    send(upload, b"data")
    job = services.complete_upload(upload=upload, by=alice)
    monkeypatch.setattr(files_jobs, "_digest", broken)
    for _ in range(5):
        run_jobs(broken=True)
        Job.objects.update(due_at=later(-files_jobs.OUTPUTS_KEPT))
    job.refresh_from_db()
    upload.refresh_from_db()
    assert (job.state, upload.state) == ("failed", "open")
    assert "complete the upload again" in upload.refusal
    monkeypatch.undo()


def test_completing_twice_is_one_check(opened, alice, run_jobs):
    upload = opened(b"data")
    send(upload, b"data")
    first = services.complete_upload(upload=upload, by=alice)
    assert services.complete_upload(upload=upload, by=alice) == first
    run_jobs()
    upload.refresh_from_db()
    assert services.complete_upload(upload=upload, by=alice) == first


def test_the_same_bytes_are_stored_once(opened, alice, run_jobs, arrived):
    uploads = [opened(b"same", name=f"{number}.mp4") for number in range(20)]
    for upload in uploads:
        send(upload, b"same")
        services.complete_upload(upload=upload, by=alice)
    run_jobs()
    assert Blob.objects.count() == 1
    assert len(arrived) == 20
    assert len(stored()) == 1


def test_a_part_sent_again_during_the_check_changes_nothing(opened, alice, run_jobs, monkeypatch):
    from amgs.files import jobs as files_jobs

    upload = opened(b"good bytes", sha256=sha(b"good bytes"))
    send(upload, b"good bytes")
    services.complete_upload(upload=upload, by=alice)
    digest = files_jobs._digest

    def late(*args):
        found = digest(*args)
        send(upload, b"evil bytes")  # the signed address is still good
        return found

    monkeypatch.setattr(files_jobs, "_digest", late)
    run_jobs()
    upload.refresh_from_db()
    with services.open_blob(upload.blob) as stream:
        assert stream.read() == b"good bytes"


def test_an_upload_given_up_leaves_nothing(opened, alice, run_jobs):
    upload = opened(LARGE)
    send(upload, LARGE, 1, 2)
    services.discard_upload(upload=upload, by=alice)
    run_jobs()
    assert stored() == []
    with pytest.raises(Refused, match="discarded"):
        services.part_addresses(upload=upload, parts=[1])
    with pytest.raises(Refused, match="cannot be given up"):
        services.discard_upload(upload=upload, by=alice)


def test_only_the_lab_uses_its_uploads(opened, alice, bob, petra, person, harbour):
    upload = opened(b"data")
    assert services.find_upload(upload.public_id, by=person("Anna Alt", lab=harbour)) == upload
    for stranger in (bob, petra, PUBLIC):
        with pytest.raises(NotFound):
            services.find_upload(upload.public_id, by=stranger)
    with pytest.raises(NotAllowed):
        services.complete_upload(upload=upload, by=bob)


def test_who_belongs_to_no_lab_sends_only_what_anyone_may(petra, alice, meadow):
    with pytest.raises(NotAllowed):
        services.open_upload(user=petra, lab=None, name="a", size=1, purpose="test")
    with pytest.raises(NotAllowed):
        services.open_upload(user=None, lab=None, name="a", size=1, purpose="test")
    with pytest.raises(NotAllowed):
        services.open_upload(user=alice, lab=meadow, name="a", size=1, purpose="test")
    upload = services.open_upload(user=None, lab=None, name="a", size=1, purpose="anyone")
    assert services.find_upload(upload.public_id, by=PUBLIC) == upload


def test_the_public_sends_no_more_than_it_may(settings):
    settings.UPLOAD_MOST_BYTES_PUBLIC = 1000
    with pytest.raises(TooMuch, match="1001 bytes"):
        services.open_upload(user=None, lab=None, name="a", size=1001, purpose="anyone")


def test_what_the_platform_makes_is_stored_once(tmp_path):
    path = tmp_path / "manifest.parquet"
    path.write_bytes(b"rows")
    first = services.store_file(path, "application/parquet")
    assert services.store_file(b"rows") == first
    assert (first.sha256, first.size) == (sha(b"rows"), 4)
    assert len(stored()) == 1


def test_bytes_that_come_again_after_their_removal_are_there_again():
    blob = services.store_file(b"rows")
    Blob.objects.update(deleted_at=later(-services.jobs.settings.JOB_LEASE))
    assert services.store_file(b"rows").deleted_at is None
    blob.refresh_from_db()
    assert blob.deleted_at is None


def test_orphans_are_collected_and_nothing_else(opened, alice, run_jobs):
    from amgs.files.jobs import UPLOADS_KEPT, check_upload, collect_orphans

    old, fresh = opened(LARGE), opened(LARGE)
    send(old, LARGE, 1)
    send(fresh, LARGE, 1)
    Upload.objects.filter(pk=old.pk).update(created_at=later(-2 * UPLOADS_KEPT))
    over = Job.objects.create(
        kind=check_upload.kind,
        queue="quick",
        state="done",
        attempt=2,
        due_at=later(-UPLOADS_KEPT),
        finished_at=later(-UPLOADS_KEPT),
    )
    get_storage().put(f"jobs/{over.public_id}/1/still.jpg", b"lost attempt")
    get_storage().put(f"jobs/{over.public_id}/2/still.jpg", b"kept")
    get_storage().put(f"uploads/{'0' * 26}/00001", b"of no upload")
    draft = get_storage().root / ".drafts" / "killed"
    draft.write_bytes(b"half a part")
    os.utime(draft, (0, 0))
    job = jobs.enqueue(collect_orphans)
    run_jobs()
    job.refresh_from_db()
    assert not draft.exists()
    assert job.result == {
        "uploads_discarded": 1,
        "parts_deleted": 2,
        "outputs_deleted": 1,
        "drafts_deleted": 1,
    }
    old.refresh_from_db()
    assert old.state == "discarded"
    assert stored() == [f"jobs/{over.public_id}/2/still.jpg", services.part_key(fresh, 1)]


# --- by HTTP ---------------------------------------------------------------------------------


@pytest.fixture
def api(client, token_of):
    """Speak JSON as a person with a token, or as nobody."""

    def call(method: str, path: str, user=None, body=None, scopes=()):
        headers = {"Authorization": f"Bearer {token_of(user, *scopes)}"} if user else {}
        answer = client.generic(
            method,
            f"/api/{path}",
            json.dumps(body) if body is not None else "",
            content_type="application/json",
            headers=headers,
        )
        return answer.status_code, json.loads(answer.content) if answer.content else None

    return call


def test_a_file_comes_in_by_http_alone(api, client, alice, harbour, run_jobs):
    status, upload = api(
        *("POST", "uploads", alice),
        {"name": "r1.mp4", "size": len(LARGE), "sha256": sha(LARGE), "purpose": "test"},
    )
    assert (status, upload["lab"], upload["part_count"]) == (201, harbour.public_id, 3)
    base = f"uploads/{upload['id']}"
    status, answer = api("POST", f"{base}/addresses", alice, {"parts": [1, 2, 3]})
    assert status == 200
    for address in answer["addresses"]:
        start = (address["part"] - 1) * upload["part_size"]
        data = LARGE[start : start + address["size"]]
        assert address["url"].startswith("http://testserver/storage/uploads/")
        sent = client.put(address["url"], data, content_type="application/octet-stream")
        assert sent.status_code == 200
    assert api("GET", f"{base}/parts", alice)[1]["parts"][2] == {"part": 3, "size": 7}
    status, answer = api("POST", f"{base}/complete", alice)
    assert (status, answer["state"]) == (200, "checking")
    run_jobs()
    status, answer = api("GET", base, alice)
    assert (status, answer["state"], answer["sha256"]) == (200, "done", sha(LARGE))
    listed = api("GET", "uploads", alice)[1]
    assert [row["id"] for row in listed["results"]] == [upload["id"]]


def test_refusals_are_problems_with_their_field(api, alice, bob, petra):
    status, problem = api(
        "POST", "uploads", alice, {"name": "empty.mp4", "size": 0, "purpose": "test"}
    )
    assert (status, problem["field"]) == (400, "size")
    assert "'empty.mp4' is empty" in problem["detail"]
    ask = {"name": "r1.mp4", "size": 4, "purpose": "test"}
    assert api("POST", "uploads", petra, ask)[0] == 403
    assert api("POST", "uploads", None, ask)[0] == 403
    assert api("POST", "uploads", alice, ask, scopes=["read"])[0] == 403
    assert api("GET", "uploads")[0] == 403
    status, upload = api("POST", "uploads", alice, ask)
    assert api("GET", f"uploads/{upload['id']}", bob)[0] == 404
    assert api("DELETE", f"uploads/{upload['id']}", alice)[0] == 204
    assert api("POST", f"uploads/{upload['id']}/addresses", alice, {"parts": [1]})[0] == 400


def test_more_bytes_than_announced_are_not_taken(opened, client):
    upload = opened(b"four")
    (address,) = services.part_addresses(upload=upload, parts=[1])
    answer = client.put(address["url"], b"five!", content_type="application/octet-stream")
    assert answer.status_code == 400
    assert b"4 were announced" in answer.content
    assert stored() == []


def test_a_flipped_byte_is_found_when_the_part_arrives(opened, client):
    upload = opened(b"four")
    (address,) = services.part_addresses(upload=upload, parts=[1])
    digest = base64.b64encode(hashlib.sha256(b"four").digest()).decode()
    headers = {"Content-Digest": f"sha-256=:{digest}:"}

    def put(data: bytes):
        kind = "application/octet-stream"
        return client.put(address["url"], data, content_type=kind, headers=headers)

    answer = put(b"foul")
    assert (answer.status_code, b"changed on the way" in answer.content) == (400, True)
    assert stored() == []
    assert put(b"four").status_code == 200

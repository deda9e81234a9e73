"""Both implementations of the storage contract keep it: files, and a real S3 server."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import time
from urllib.parse import urlsplit

import httpx
import pytest

from amgs.files.storage import (
    BadKey,
    Missing,
    Unavailable,
    WrongLength,
    storage_at,
)

MIB = 1024 * 1024


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.service("s3"))])
def storage(request, tmp_path):
    """An empty storage of each kind."""
    if request.param == "local":
        yield storage_at(f"file://{tmp_path / 'objects'}")
        return
    kept = storage_at(request.getfixturevalue("s3_url"))
    yield kept
    for key in list(kept.list("")):
        kept.delete(key)


def read(storage, key: str, **stretch) -> bytes:
    with storage.open(key, **stretch) as stream:
        return stream.read()


def test_what_was_put_is_read_back(storage):
    stat = storage.put("a/b.txt", b"mouse")
    assert read(storage, "a/b.txt") == b"mouse"
    assert storage.stat("a/b.txt") == stat
    assert stat.size == 5


def test_a_stream_of_known_and_of_unknown_length_is_stored(storage):
    data = bytes(range(256)) * 5000
    assert storage.put("known", io.BytesIO(data), len(data)).size == len(data)
    assert storage.put("unknown", io.BytesIO(data)).size == len(data)
    assert read(storage, "known") == read(storage, "unknown") == data


def test_an_empty_object_is_an_object(storage):
    storage.put("empty", b"")
    assert storage.stat("empty").size == 0
    assert read(storage, "empty") == b""


def test_a_stream_that_ends_early_stores_nothing_and_keeps_what_was(storage):
    storage.put("key", b"before")
    with pytest.raises(WrongLength):
        storage.put("key", io.BytesIO(b"abc"), 10)
    assert read(storage, "key") == b"before"
    assert list(storage.list("")) == ["key"]


def test_putting_again_replaces_and_changes_the_entity_tag(storage):
    first = storage.put("key", b"one")
    second = storage.put("key", b"two")
    assert read(storage, "key") == b"two"
    assert first.etag != second.etag


@pytest.mark.parametrize(
    ("offset", "length", "expected"),
    [
        (0, None, b"0123456789"),
        (4, None, b"456789"),
        (4, 3, b"456"),
        (8, 100, b"89"),
        (10, None, b""),
        (12, 5, b""),
        (3, 0, b""),
    ],
)
def test_a_stretch_is_read(storage, offset, length, expected):
    storage.put("digits", b"0123456789")
    assert read(storage, "digits", offset=offset, length=length) == expected


def test_what_is_not_there_is_missing(storage, tmp_path):
    assert storage.stat("nothing") is None
    with pytest.raises(Missing), storage.open("nothing"):
        pass
    with pytest.raises(Missing), storage.open("nothing", length=0):
        pass
    with pytest.raises(Missing):
        storage.download("nothing", tmp_path / "copy")
    with pytest.raises(Missing):
        storage.compose("target", ["nothing"])
    with pytest.raises(Missing):
        storage.compose("target", ["nothing", "nothing-either"])
    assert not (tmp_path / "copy").exists()
    assert storage.stat("target") is None


def test_deleting_twice_is_no_error(storage):
    storage.put("a/b/c", b"x")
    storage.delete("a/b/c")
    storage.delete("a/b/c")
    assert storage.stat("a/b/c") is None
    assert list(storage.list("")) == []


def test_keys_are_listed_by_prefix_in_order(storage):
    for key in ("p/2", "p/10", "p/1/x", "pq/1", "r/1"):
        storage.put(key, key.encode())
    assert list(storage.list("p/")) == ["p/1/x", "p/10", "p/2"]
    assert list(storage.list("p")) == ["p/1/x", "p/10", "p/2", "pq/1"]
    assert [(key, stat.size) for key, stat in storage.scan("pq/")] == [("pq/1", 4)]
    assert list(storage.list("none/")) == []


def test_parts_are_composed_in_their_order_and_stay(storage):
    parts = {f"part/{n}": bytes([n]) * (5 * MIB) for n in (1, 2)} | {"part/3": b"end"}
    for key, data in parts.items():
        storage.put(key, data)
    stat = storage.compose("whole", sorted(parts))
    assert stat.size == 10 * MIB + 3
    assert read(storage, "whole") == b"".join(parts.values())
    assert sorted(storage.list("part/")) == sorted(parts)


def test_one_part_alone_is_composed(storage):
    storage.put("part", b"tiny")
    storage.compose("whole", ["part"])
    storage.compose("whole", ["part"])
    storage.delete("part")
    assert read(storage, "whole") == b"tiny"


@pytest.mark.parametrize("parts", [1, 2])
def test_a_local_object_has_its_name_once_the_disk_has_its_bytes(tmp_path, monkeypatch, parts):
    kept = storage_at(f"file://{tmp_path / 'objects'}")
    for number in range(parts):
        kept.put_part(f"part/{number}", io.BytesIO(b"mouse"), 5)
    synced: set[int] = set()
    monkeypatch.setattr(os, "fsync", lambda number: synced.add(os.fstat(number).st_ino))
    kept.compose("whole", [f"part/{number}" for number in range(parts)], durable=False)
    assert not synced
    kept.wait("whole")
    assert synced == {kept.path("whole").stat().st_ino}
    with pytest.raises(Missing):
        kept.wait("nothing")
    synced.clear()
    kept.compose("blob", ["whole"])
    named = kept.path("blob").stat().st_ino
    assert named == kept.path("whole").stat().st_ino
    assert {named, kept.path("blob").parent.stat().st_ino} <= synced
    kept.put("other", b"bytes")
    assert kept.path("other").stat().st_ino in synced


def test_replacing_a_source_leaves_what_was_composed_of_it(storage):
    storage.put("part", b"first")
    storage.compose("whole", ["part"])
    storage.put("part", b"other")
    assert read(storage, "whole") == b"first"


def test_an_object_is_downloaded_and_again_over_itself(storage, tmp_path):
    storage.put("key", b"bytes")
    target = tmp_path / "cache" / "copy"
    assert storage.download("key", target).read_bytes() == b"bytes"
    assert storage.download("key", target).read_bytes() == b"bytes"
    assert [path.name for path in target.parent.iterdir()] == ["copy"]


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".drafts/x", "a b", "a\n", "a\0"]
)
def test_a_path_cannot_be_smuggled_in_as_a_key(storage, key):
    for act in (
        lambda: storage.put(key, b"x"),
        lambda: storage.stat(key),
        lambda: storage.delete(key),
        lambda: storage.sign_put(key, 60),
        lambda: storage.sign_get(key, 60),
        lambda: storage.compose(key, ["a"]),
    ):
        with pytest.raises(BadKey):
            act()


def test_a_storage_that_answers_passes_its_check(storage):
    storage.check()


@pytest.fixture
def fetch(storage, client):
    """Use a signed address as a browser would: the site's own through Django, others by HTTP."""

    def call(method: str, url: str, body: bytes | None = None, **headers: str):
        if urlsplit(url).netloc:
            answer = httpx.request(method, url, content=body, headers=headers)
            return answer.status_code, answer.content, answer.headers
        answer = client.generic(
            method, url, body or b"", content_type="application/octet-stream", headers=headers
        )
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        return answer.status_code, content, answer.headers

    return call


def test_whoever_has_the_address_puts_and_gets(storage, fetch):
    status, _, _ = fetch("PUT", storage.sign_put("in/1", 60), b"pixels")
    assert status == 200
    assert read(storage, "in/1") == b"pixels"
    status, content, headers = fetch(
        "GET", storage.sign_get("in/1", 60, filename="Maus Ä.mp4", media_type="video/mp4")
    )
    assert (status, content) == (200, b"pixels")
    assert headers["Content-Type"] == "video/mp4"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''Maus%20%C3%84.mp4"


def test_a_range_is_answered_with_206_and_one_beyond_the_end_with_416(storage, fetch):
    storage.put("video", b"0123456789")
    url = storage.sign_get("video", 60, media_type="video/mp4")
    status, content, headers = fetch("GET", url, Range="bytes=2-4")
    assert (status, content, headers["Content-Range"]) == (206, b"234", "bytes 2-4/10")
    status, content, _ = fetch("GET", url, Range="bytes=7-")
    assert (status, content) == (206, b"789")
    status, content, _ = fetch("GET", url, Range="bytes=-2")
    assert (status, content) == (206, b"89")
    assert fetch("GET", url, Range="bytes=20-")[0] == 416


def test_an_address_is_good_for_its_method_and_key_only(storage, fetch):
    storage.put("mine", b"secret")
    storage.put("yours", b"secret too")
    get = storage.sign_get("mine", 60)
    assert fetch("PUT", get, b"overwritten")[0] == 403
    assert fetch("GET", get.replace("mine", "yours"))[0] == 403
    assert fetch("GET", get.partition("?")[0])[0] == 403
    assert read(storage, "mine") == b"secret"


def test_an_address_runs_out(storage, fetch):
    storage.put("key", b"x")
    url = storage.sign_get("key", 3)
    assert fetch("GET", url)[0] == 200
    deadline = time.monotonic() + 15
    while (status := fetch("GET", url)[0]) == 200 and time.monotonic() < deadline:
        time.sleep(0.1)  # the clock of the server must pass the second
    assert status == 403


def test_a_signed_address_of_nothing_is_not_found(storage, fetch):
    assert fetch("GET", storage.sign_get("nothing", 60))[0] == 404


def test_signing_asks_no_server():
    away = storage_at("s3+https://key:secret@127.0.0.1:9/bucket?region=x&public=https://amgs.test")
    assert away.sign_put("key", 60).startswith("https://amgs.test/bucket/key?X-Amz-Algorithm")
    assert away.sign_get("key", 60).startswith("https://amgs.test/bucket/key?")


@pytest.mark.service("s3")
def test_a_bucket_that_is_not_there_is_said_to_be_missing(s3_url):
    away = storage_at(s3_url.replace("/amgs?", "/elsewhere?"))
    with pytest.raises(Unavailable, match="elsewhere"):
        away.check()


def test_a_folder_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Unavailable):
        storage_at(f"file://{tmp_path / 'file'}").check()


def test_an_s3_server_compares_the_digest_of_a_part_on_arrival(s3_url):
    storage = storage_at(s3_url)
    assert storage.part_digest == "md5"
    digest = base64.b64encode(hashlib.md5(b"four", usedforsecurity=False).digest()).decode()
    address, headers = storage.sign_put("part", 60), {"Content-MD5": digest}
    assert httpx.put(address, content=b"foul", headers=headers).status_code == 400
    assert storage.stat("part") is None
    assert httpx.put(address, content=b"four", headers=headers).status_code == 200
    storage.delete("part")

"""Permissions, embargo, new versions, deletion and leaving over HTTP."""

from __future__ import annotations

import pytest
from django.utils import timezone

from amgs.repository import services
from amgs.repository.models import Version
from curation.permissions import KINDS, current

pytestmark = pytest.mark.django_db
NAME = "AMGS-000001.1"


@pytest.fixture
def ask(client):
    """Ask the API as somebody; return status and body."""

    def do(user, method: str, path: str, body=None):
        if user is not None:
            client.force_login(user)
        else:
            client.logout()
        answer = client.generic(
            method, f"/api/{path}", data=_json(body), content_type="application/json"
        )
        return answer.status_code, answer.json() if answer.content else None

    return do


def _json(body) -> str:
    import json

    return "" if body is None else json.dumps(body)


@pytest.fixture
def bare(alice, harbour):
    """A draft about which nothing is signed."""
    return services.create_dataset(by=alice, lab=harbour, title="Grimace after laparotomy")


@pytest.fixture
def out(bare):
    """The same, published without the review."""
    Version.objects.filter(pk=bare.pk).update(state="published", published_at=timezone.now())
    bare.refresh_from_db()
    return bare


SIGNED = {"signer_name": "Prof. Arber", "right_to_share": True}


def test_every_version_of_the_texts_can_be_read_by_anybody(ask):
    status, body = ask(None, "GET", "permission-texts")
    assert status == 200
    assert body["version"] == current().key
    assert {row["kind"] for row in body["texts"]} == {*KINDS, "right_to_share"}
    assert {row["sha256"] for row in body["texts"]} == {row.digest for row in current().texts}
    assert ask(None, "GET", "permission-texts?version=2026-1")[1]["current"] is False
    assert ask(None, "GET", "permission-texts?version=1")[0] == 404


def test_permissions_are_signed_given_and_taken_back(ask, out, alice, bob):
    path = f"versions/{NAME}/permissions"
    assert ask(alice, "PUT", f"{path}/download", SIGNED)[0] == 400
    status, body = ask(alice, "PUT", f"{path}/download", SIGNED | {"licence": "CC-BY-4.0"})
    assert (status, body["licence"], body["permissions"]["download"]) == (200, "CC-BY-4.0", True)
    assert body["signed"][0]["text_sha256"] == current().text("download").digest
    assert ask(alice, "PUT", f"{path}/everything", SIGNED)[0] == 404
    told = ask(alice, "GET", f"versions/{NAME}/consequences/take_back_download")[1]
    assert told["allowed"]
    assert told["consequences"]
    others = ask(bob, "GET", f"versions/{NAME}/consequences/take_back_download")[1]
    assert (others["allowed"], others["consequences"]) == (False, [])
    assert ask(alice, "POST", f"{path}/download/take-back", {})[0] == 400
    assert ask(bob, "POST", f"{path}/download/take-back", {"why": "No."})[0] == 403
    status, body = ask(alice, "POST", f"{path}/download/take-back", {"why": "No."})
    assert (status, body["permissions"]["download"]) == (200, False)


def test_an_embargo_is_set_and_refused_with_its_field(ask, bare, alice, bob):
    path = f"versions/{NAME}/embargo"
    status, body = ask(alice, "PUT", path, {"until": "2027-03-01", "train_under_embargo": True})
    assert (status, body["embargo_until"], body["train_under_embargo"]) == (
        200,
        "2027-03-01",
        True,
    )
    assert ask(alice, "PUT", path, {"until": "2001-03-01"})[0] == 400
    assert ask(bob, "PUT", path, {"until": None})[0] == 404
    assert ask(alice, "PUT", path, {"until": None})[1]["embargo_until"] is None


def test_a_draft_is_deleted_listed_and_brought_back(ask, bare, alice, bob):
    assert ask(bob, "DELETE", f"versions/{NAME}")[0] == 404
    assert ask(alice, "DELETE", f"versions/{NAME}") == (204, None)
    assert ask(alice, "GET", f"versions/{NAME}")[0] == 404
    [row] = ask(alice, "GET", "deleted-drafts")[1]["results"]
    assert row["identifier"] == "AMGS-000001/1"
    assert ask(bob, "GET", "deleted-drafts")[1]["results"] == []
    assert ask(bob, "POST", f"deleted-drafts/{row['id']}/restore")[0] == 404
    assert ask(alice, "POST", f"deleted-drafts/{row['id']}/restore")[0] == 200
    assert ask(alice, "GET", f"versions/{NAME}")[0] == 200


def test_the_next_version_begins_and_the_published_one_leaves(ask, out, alice, bob):
    assert ask(alice, "DELETE", f"versions/{NAME}")[0] == 400
    status, body = ask(alice, "POST", f"versions/{NAME}/next")
    assert (status, body["identifier"], body["state"]) == (201, "AMGS-000001/2", "draft")
    told = ask(alice, "GET", f"versions/{NAME}/consequences/withdraw")[1]
    assert {"tombstone", "downloads", "files"} <= {row["key"] for row in told["consequences"]}
    assert ask(alice, "GET", f"versions/{NAME}/consequences/burn")[0] == 404
    status, body = ask(
        alice, "POST", f"versions/{NAME}/actions/withdraw", {"why": "Consent ended."}
    )
    assert (status, body["state"]) == (200, "withdrawn")
    assert body["tombstone"]["why"] == "Consent ended."
    public = ask(None, "GET", f"versions/{NAME}")[1]
    assert public["tombstone"]["by"] == alice.name
    assert public["design"] == {"groups": [], "animals": [], "observations": []}
    for person in (None, bob, alice):
        assert ask(person, "GET", f"versions/{NAME}/recordings")[0] == 403

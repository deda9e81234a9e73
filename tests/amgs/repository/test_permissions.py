"""The four permissions: signed with their text, given later, taken back with consequences."""

from __future__ import annotations

import pytest

from amgs.core import policy
from amgs.core.base import PUBLIC
from amgs.core.decisions import history
from amgs.core.errors import Conflict, NotAllowed, Refused
from amgs.repository import queries, services
from amgs.repository.frames import frames_after
from amgs.repository.rules import may_see_pictures
from amgs.repository.tombstone import consequences_page
from amgs.review.models import Task
from amgs.review.services import next_assignment
from curation import permissions

pytestmark = pytest.mark.django_db
SIGNED = {"signer_name": "Prof. Arber", "right_to_share": True}


@pytest.fixture
def bare(alice, harbour):
    """A draft about which nothing is signed."""
    return services.create_dataset(by=alice, lab=harbour, title="Walk", licence="CC0-1.0")


def test_a_signature_keeps_text_digest_name_and_right(bare, alice, sign):
    sign(bare, alice, "train", "download")
    rows = {row.kind: row for row in bare.permissions.all()}
    assert set(rows) == {"train", "download"}
    text = permissions.current().text("train")
    train = rows["train"]
    assert (train.text_version, train.text_digest) == (text.version, text.digest)
    assert (train.signer_name, train.right_to_share, train.signed_by) == (
        "Prof. Arber",
        True,
        alice,
    )
    facts = history(bare).last().facts
    assert facts["digests"]["train"] == text.digest
    assert "right_to_share" in facts["digests"]


def test_without_the_right_to_share_nothing_is_allowed(bare, alice):
    with pytest.raises(Refused, match="may share these data") as refused:
        services.sign_permissions(
            by=alice, version=bare, kinds=["train"], signer_name="Prof. Arber"
        )
    assert refused.value.field == "right_to_share"
    assert not bare.permissions.exists()


def test_texts_that_were_read_in_an_older_version_are_not_signed(bare, alice, sign):
    with pytest.raises(Refused, match="have changed since you read them"):
        sign(bare, alice, "train", text_version="2026-1")


def test_a_licence_belongs_to_a_public_download_only(bare, alice, sign):
    sign(bare, alice, "train", licence="CC-BY-4.0")
    bare.refresh_from_db()
    assert bare.licence == ""
    with pytest.raises(Refused, match="needs a licence"):
        sign(bare, alice, "download", licence="")
    sign(bare, alice, "download", licence="CC-BY-NC-4.0")
    bare.refresh_from_db()
    assert bare.licence == "CC-BY-NC-4.0"


def test_nobody_of_another_lab_signs_or_takes_back(published, bob, cora):
    version = published()
    for person in (bob, cora):
        with pytest.raises(NotAllowed):
            services.take_back_permission(by=person, version=version, kind="train", why="No.")
        with pytest.raises(NotAllowed):
            services.give_permission(by=person, version=version, kind="train", **SIGNED)


def test_a_download_that_is_taken_back_stops_at_once_and_stays_licensed(published, alice, bob):
    version = published()
    assert policy.may(bob, "download_recordings", version)
    told = consequences_page(alice, "take_back_download", version)
    assert told["allowed"]
    assert told["consequences"][0]["sentence"].startswith("Downloads of 4 recordings by others")
    services.take_back_permission(
        by=alice, version=version, kind="download", why="The contract has ended."
    )
    assert not policy.may(bob, "download_recordings", version)
    assert policy.may(alice, "download_recordings", version)
    decision = history(version).last()
    assert (decision.action, decision.why) == ("take_back_permission", "The contract has ended.")
    assert decision.facts["consequences"] == told["consequences"]
    version.refresh_from_db()
    assert version.licence == "CC0-1.0"


def test_it_is_taken_back_with_a_reason_and_once(published, alice):
    version = published()
    with pytest.raises(Refused, match="say why"):
        services.take_back_permission(by=alice, version=version, kind="train", why=" ")
    services.take_back_permission(by=alice, version=version, kind="train", why="No.")
    with pytest.raises(Refused, match="not allowed anyway"):
        services.take_back_permission(by=alice, version=version, kind="train", why="No.")
    with pytest.raises(Refused, match="no permission"):
        services.take_back_permission(by=alice, version=version, kind="all", why="No.")


def test_a_permission_is_given_after_publication_with_the_licence_it_lacked(
    published, draft, sign, alice, bob
):
    version = draft()
    sign(version, alice, "outside_raters", "train")
    published(version)
    version.refresh_from_db()
    assert version.licence == ""
    with pytest.raises(Refused, match="needs a licence"):
        services.give_permission(by=alice, version=version, kind="download", **SIGNED)
    services.give_permission(
        by=alice, version=version, kind="download", licence="CC-BY-4.0", **SIGNED
    )
    assert policy.may(bob, "download_recordings", version)
    with pytest.raises(Conflict):
        services.give_permission(by=alice, version=version, kind="train", **SIGNED)
    services.take_back_permission(by=alice, version=version, kind="download", why="No.")
    with pytest.raises(Refused, match="under CC-BY-4"):
        services.give_permission(
            by=alice, version=version, kind="download", licence="CC0-1.0", **SIGNED
        )


def test_frames_are_given_to_no_rater_any_more_once_taken_back(draft, take, alice, cora, rita):
    version = draft()
    take(version, ("submit", alice), ("start_review", cora))
    assert next_assignment(rater=rita) is not None
    told = {
        row["key"]: row
        for row in consequences_page(alice, "take_back_outside_raters", version)["consequences"]
    }
    waiting = Task.objects.filter(kind="units", closed=False).count()
    assert waiting
    assert told["raters"]["number"] == waiting
    assert "1 rater has one on the screen now" in told["raters"]["sentence"]
    services.take_back_permission(by=alice, version=version, kind="outside_raters", why="No.")
    assert next_assignment(rater=rita) is None
    services.give_permission(by=alice, version=version, kind="outside_raters", **SIGNED)
    assert next_assignment(rater=rita) is not None


def test_pictures_are_shown_to_others_where_a_permission_says_so(published, alice, bob, cora):
    version = published()
    version = queries.find_version(bob, "AMGS-000001.1")
    assert queries.recordings(bob, version).rows[0]["poster"]
    services.take_back_permission(by=alice, version=version, kind="show_frames", why="No.")
    assert may_see_pictures(PUBLIC, version)  # whoever may download may look
    services.take_back_permission(by=alice, version=version, kind="download", why="No.")
    assert queries.recordings(bob, version).rows[0]["poster"] is None
    assert frames_after(bob, version, after="", limit=60)[0][0]["still"] is None
    for person in (alice, cora):
        assert queries.recordings(person, version).rows[0]["poster"]

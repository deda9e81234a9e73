"""Pages of permissions, embargo and leaving: what is told beforehand, what stands afterwards."""

from __future__ import annotations

import pytest

from amgs.core.models import Job
from amgs.repository import services
from amgs.repository.models import Version
from amgs.repository.services import decide_version
from curation.permissions import KINDS, current

pytestmark = pytest.mark.django_db
PAGE = "/datasets/AMGS-000001.1/"


@pytest.fixture
def bare(alice, harbour):
    """A draft about which nothing is signed."""
    return services.create_dataset(by=alice, lab=harbour, title="Grimace after laparotomy")


@pytest.fixture
def out(bare, alice):
    """The same, published without the review; all four uses are allowed."""
    from django.utils import timezone

    services.sign_permissions(
        by=alice,
        version=bare,
        kinds=KINDS,
        signer_name="Prof. Arber",
        right_to_share=True,
        licence="CC0-1.0",
    )
    Version.objects.filter(pk=bare.pk).update(state="published", published_at=timezone.now())
    bare.refresh_from_db()
    return bare


def signed(**more):
    return {
        "kinds": ["train"],
        "signer": "Prof. Arber",
        "right_to_share": "on",
        "text_version": current().key,
    } | more


def test_the_texts_are_shown_in_full_and_signed(client, bare, alice):
    client.force_login(alice)
    text = client.get(f"{PAGE}permissions").content.decode()
    for kind in (*KINDS, "right_to_share"):
        assert current().text(kind).text in text
    response = client.post(f"{PAGE}permissions", signed(until="2027-06-01"))
    assert response.status_code == 302
    bare.refresh_from_db()
    assert [row.kind for row in bare.permissions.all()] == ["train"]
    assert bare.embargo_until.isoformat() == "2027-06-01"


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({"right_to_share": ""}, ""),
        ({"kinds": ["download"], "licence": ""}, "needs a licence"),
        ({"until": "soon"}, "is no day"),
        ({"until": "2020-01-01"}, "must end after today"),
        ({"text_version": "2026-1"}, "have changed since you read them"),
    ],
)
def test_what_is_refused_stands_above_the_form_and_nothing_is_kept(
    client, bare, alice, more, sentence
):
    client.force_login(alice)
    values = signed(**more)
    if not values["right_to_share"]:
        del values["right_to_share"]
        sentence = "confirm that the lab may share these data"
    response = client.post(f"{PAGE}permissions", values)
    assert response.status_code == 422
    assert sentence in response.content.decode()
    assert not bare.permissions.exists()


def test_a_permission_is_taken_back_and_given_on_its_pages(client, out, alice):
    client.force_login(alice)
    text = client.get(f"{PAGE}allowed").content.decode()
    assert current().text("train").digest in text
    assert f"{PAGE}leave/take_back_train" in text
    told = client.get(f"{PAGE}leave/take_back_train").content.decode()
    assert "no later model learns from it" in told
    refused = client.post(f"{PAGE}leave/take_back_train", {"why": "No."})
    assert refused.status_code == 422
    assert "tick that you have read" in refused.content.decode()
    done = client.post(f"{PAGE}leave/take_back_train", {"why": "No.", "understood": "on"})
    assert done.status_code == 302
    assert not out.permissions.filter(kind="train").exists()
    client.post(f"{PAGE}allowed", signed())
    assert out.permissions.filter(kind="train").exists()


def test_a_withdrawal_asks_for_reason_and_tick_and_leaves_a_tombstone(client, out, alice, bob):
    client.force_login(alice)
    assert f"{PAGE}leave/withdraw" in client.get(PAGE).content.decode()
    told = client.get(f"{PAGE}leave/withdraw").content.decode()
    assert "This cannot be undone" in told
    assert "What stays" in told
    answers = [
        client.post(f"{PAGE}leave/withdraw", body).status_code
        for body in (
            {"why": "Consent ended.", "understood": ""},
            {"why": "", "understood": "on"},
            {"why": "Consent ended.", "understood": "on"},
        )
    ]
    out.refresh_from_db()
    assert out.state == "withdrawn"
    assert answers == [422, 422, 302]
    for person in (None, bob):
        client.logout()
        if person:
            client.force_login(person)
        text = client.get(PAGE).content.decode()
        assert "This dataset was withdrawn." in text
        assert "Consent ended." in text
        assert alice.name in text
        assert "Grimace after laparotomy" in text
    assert Job.objects.filter(kind="repository.clear_withdrawn").exists()


def test_others_are_told_why_they_may_not(client, out, bob):
    client.force_login(bob)
    response = client.get(f"{PAGE}leave/withdraw")
    assert "members of the lab" in response.content.decode()
    assert client.post(f"{PAGE}leave/withdraw", {"why": "x", "understood": "on"}).status_code == 422
    out.refresh_from_db()
    assert out.state == "published"
    assert client.get(f"{PAGE}allowed").status_code == 403
    assert client.get(f"{PAGE}leave/burn").status_code == 404


def test_a_retracted_version_says_so_and_a_corrected_one_begins(client, out, alice):
    decide_version(by=alice, version=out, action="retract", why="Mice mixed up.")
    client.force_login(alice)
    text = client.get(PAGE).content.decode()
    assert "This dataset was retracted." in text
    assert "Begin a corrected version" in text
    assert client.post(f"{PAGE}next").status_code == 302
    assert Version.objects.filter(number=2, state="draft").exists()
    again = client.post(f"{PAGE}next")
    assert "one unpublished version at a time" in again.content.decode()


def test_a_draft_is_deleted_and_brought_back(client, bare, alice):
    client.force_login(alice)
    assert "Delete …" in client.get(PAGE).content.decode()
    done = client.post(f"{PAGE}leave/delete", {"understood": "on"}, follow=True)
    assert "can be brought back for 30 days" in done.content.decode()
    assert client.get(PAGE).status_code == 404
    assert "Deleted drafts (1)" in client.get("/datasets/").content.decode()
    back = client.post(f"/deleted-drafts/{bare.public_id}/restore", follow=True)
    assert "is back, as it was" in back.content.decode()


def test_an_embargo_is_set_moved_and_lifted_on_its_page(client, bare, alice):
    client.force_login(alice)
    page = f"{PAGE}embargo"
    assert client.post(page, {"until": "2027-06-01"}).status_code == 302
    assert "1 June 2027" in client.get(page).content.decode()
    assert client.post(page, {"until": "2020-06-01"}).status_code == 422
    assert client.post(page, {"until": ""}).status_code == 422
    assert client.post(page, {"lift": "1"}).status_code == 302
    bare.refresh_from_db()
    assert bare.embargo_until is None

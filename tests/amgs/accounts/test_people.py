"""People, labs, roles and tokens: who may let whom do what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from amgs.accounts import services
from amgs.accounts.models import ApiToken, Membership, User
from amgs.core.base import PUBLIC, SYSTEM
from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, Refused

pytestmark = pytest.mark.django_db


def test_an_address_is_one_person_whatever_its_case():
    User.objects.create_user("Alice@Example.org", "correct horse")
    assert User.objects.get_by_natural_key("ALICE@example.ORG").email == "alice@example.org"


def test_nobody_reads_an_address_as_a_name():
    user = User.objects.create_user("secret@example.org")
    assert "secret" not in user.name
    assert str(user) == user.name == user.get_full_name()


def test_whoever_makes_a_lab_is_its_head_and_a_contributor(petra):
    assert petra.roles == frozenset()
    lab = services.create_lab(name=" Ridge ", by=petra)
    assert lab.name == "Ridge"
    assert Membership.objects.get(user=petra, lab=lab).is_head
    assert petra.roles == {"contributor"}
    assert [row.action for row in history(lab)] == ["create_lab"]


def test_a_lab_has_a_name_of_its_own(petra, harbour):
    for name, sentence in (("", "name the lab"), ("HARBOUR", "already a lab")):
        with pytest.raises(Refused, match=sentence) as refused:
            services.create_lab(name=name, by=petra)
        assert refused.value.field == "name"


def test_only_people_make_labs():
    with pytest.raises(NotAllowed, match="sign in"):
        services.create_lab(name="Ridge", by=PUBLIC)


def test_only_the_head_lets_people_in(petra, alice, bob, harbour, mia):
    lab = services.create_lab(name="Ridge", by=petra)
    first, is_new = services.add_member(lab=lab, user=bob, by=petra)
    assert is_new
    assert services.add_member(lab=lab, user=bob, by=petra) == (first, False)
    assert lab.pk in bob.lab_ids
    with pytest.raises(NotAllowed, match="Only the head of 'Harbour'"):
        services.add_member(lab=harbour, user=petra, by=alice)
    services.add_member(lab=harbour, user=petra, by=mia)


@pytest.mark.parametrize("who", ["alice", "rita", "cora"])
def test_only_maintainers_give_roles(request, who, petra, mia):
    with pytest.raises(NotAllowed, match="Only a maintainer"):
        services.grant_role(user=petra, role="curator", by=request.getfixturevalue(who))
    services.grant_role(user=petra, role="curator", by=mia)
    assert petra.roles == {"curator"}


def test_the_first_maintainer_is_made_by_who_runs_the_site(petra):
    root = User.objects.create_superuser("root@example.org", "correct horse")
    services.grant_role(user=petra, role="maintainer", by=root)
    services.grant_role(user=root, role="maintainer", by=SYSTEM)
    assert "maintainer" in petra.roles & root.roles


@pytest.mark.parametrize("role", ["system", "king"])
def test_a_role_that_nobody_holds_is_refused(petra, mia, role):
    with pytest.raises(Refused, match="no role called"):
        services.grant_role(user=petra, role=role, by=mia)


def test_a_token_is_its_owners_and_its_secret_is_not_kept(alice):
    token, secret = services.create_token(user=alice, name="laptop", scopes=["read"])
    assert services.user_of_token(secret).user == alice
    assert secret not in str(ApiToken.objects.values().get())
    assert services.user_of_token(secret[:-1]) is None
    assert services.user_of_token("nonsense") is None
    assert services.user_of_token(f"amgs_{token.prefix}_") is None


@pytest.mark.parametrize("end", ["revoked", "expired", "inactive"])
def test_a_token_that_ended_opens_nothing(alice, end):
    token, secret = services.create_token(
        user=alice,
        name="laptop",
        scopes=["read"],
        expires_at=timezone.now() - timedelta(hours=1) if end == "expired" else None,
    )
    if end == "revoked":
        services.revoke_token(token=token, by=alice)
    if end == "inactive":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    assert services.user_of_token(secret) is None


def test_only_its_owner_ends_a_token(alice, bob):
    token, _ = services.create_token(user=alice, name="laptop", scopes=["read"])
    with pytest.raises(NotAllowed):
        services.revoke_token(token=token, by=bob)


def test_a_token_says_what_it_is_for(alice):
    for facts, field in (
        ({"name": "", "scopes": ["read"]}, "name"),
        ({"name": "laptop", "scopes": []}, "scopes"),
        ({"name": "laptop", "scopes": ["everything"]}, "scopes"),
    ):
        with pytest.raises(Refused) as refused:
            services.create_token(user=alice, **facts)
        assert refused.value.field == field


def test_when_a_token_was_used_last_is_written_now_and_then(alice, django_assert_num_queries):
    _, secret = services.create_token(user=alice, name="laptop", scopes=["read"])
    services.user_of_token(secret)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    services.user_of_token(secret)
    assert ApiToken.objects.get().last_used_at == first

"""People, labs, roles and tokens: who may let whom do what."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from amgs.accounts import services
from amgs.accounts.closing import close_account
from amgs.accounts.models import ApiToken, Membership, Notice, User
from amgs.core.base import PUBLIC, SYSTEM
from amgs.core.decisions import history
from amgs.core.errors import NotAllowed, NotFound, Refused

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


@pytest.mark.parametrize("role", ["system", "king", "contributor"])
def test_a_role_that_nobody_gives_is_refused(petra, mia, role):
    with pytest.raises(Refused, match=f"one of rater, curator, maintainer, not '{role}'"):
        services.grant_role(user=petra, role=role, by=mia)


def test_a_role_is_taken_and_the_person_told_both_times(petra, mia, alice):
    services.grant_role(user=petra, role="rater", by=mia)
    with pytest.raises(NotAllowed, match="Only a maintainer"):
        services.take_role(user=petra, role="rater", by=alice)
    services.take_role(user=petra, role="rater", by=mia)
    assert petra.roles == frozenset()
    assert [row.action for row in history(petra)] == ["grant_role", "take_role"]
    titles = Notice.objects.filter(user=petra).order_by("pk").values_list("title", flat=True)
    assert list(titles) == ["You are a rater now", "You are no longer a rater"]
    with pytest.raises(NotFound, match="does not hold"):
        services.take_role(user=petra, role="rater", by=mia)


def test_one_maintainer_stays(petra, mia):
    with pytest.raises(Refused, match="no other maintainer"):
        services.take_role(user=mia, role="maintainer", by=mia)
    services.grant_role(user=petra, role="maintainer", by=mia)
    User.objects.filter(pk=petra.pk).update(is_active=False)
    with pytest.raises(Refused, match="no other maintainer"):
        services.take_role(user=mia, role="maintainer", by=mia)
    User.objects.filter(pk=petra.pk).update(is_active=True)
    services.take_role(user=mia, role="maintainer", by=mia)
    assert "maintainer" not in mia.roles


def test_who_leaves_a_lab_sees_its_data_no_more(petra, bob, rita):
    lab = services.create_lab(name="Ridge", by=petra)
    for user in (bob, rita):
        services.add_member(lab=lab, user=user, by=petra)
    with pytest.raises(NotAllowed, match="everybody may leave"):
        services.remove_member(lab=lab, user=rita, by=bob)
    services.remove_member(lab=lab, user=bob, by=bob)
    services.remove_member(lab=lab, user=rita, by=petra)
    assert lab.pk not in bob.lab_ids | rita.lab_ids
    assert history(lab)[0].action in {"create_lab", "remove_member"}
    # Who leaves is not told of it, who is let go is.
    assert not Notice.objects.filter(user=bob).exists()
    assert Notice.objects.get(user=rita).title == "You no longer belong to Ridge"
    with pytest.raises(NotFound, match="does not belong"):
        services.remove_member(lab=lab, user=bob, by=petra)


def test_a_lab_keeps_a_head(petra, bob, mia):
    lab = services.create_lab(name="Ridge", by=petra)
    services.add_member(lab=lab, user=bob, by=petra)
    for act in (
        lambda: services.remove_member(lab=lab, user=petra, by=petra),
        lambda: services.set_head(lab=lab, user=petra, head=False, by=petra),
        lambda: services.remove_member(lab=lab, user=petra, by=mia),
    ):
        with pytest.raises(Refused, match="no other head"):
            act()
    with pytest.raises(NotAllowed, match="who else is its head"):
        services.set_head(lab=lab, user=bob, head=True, by=bob)
    services.set_head(lab=lab, user=bob, head=True, by=petra)
    services.set_head(lab=lab, user=bob, head=True, by=petra)
    assert Notice.objects.get(user=bob).title == "You are now a head of Ridge"
    services.set_head(lab=lab, user=petra, head=False, by=bob)
    services.remove_member(lab=lab, user=petra, by=petra)
    assert set(lab.members.all()) == {bob}


def test_people_are_found_by_parts_of_name_and_address(petra, alice, mia):
    found = services.people(by=mia, words=f"{petra.full_name.split()[0][:4]} @")
    assert petra in found
    assert alice not in found
    assert alice in services.people(by=mia)
    with pytest.raises(NotAllowed):
        services.people(by=alice)
    with pytest.raises(NotFound):
        services.person(by=mia, public_id="nobody")


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


def test_a_closed_account_tells_nothing_of_the_person(petra, rita, mia):
    services.create_lab(name="Ridge", by=petra)
    _, secret = services.create_token(user=petra, name="my laptop", scopes=["read"])
    petra.emailaddress_set.create(email=petra.email, verified=True, primary=True)
    User.objects.filter(pk=petra.pk).update(orcid="0000-0002-1825-0097")
    services.grant_role(user=petra, role="rater", by=mia)
    with pytest.raises(NotAllowed, match="Only the person themselves"):
        close_account(user=petra, by=rita)
    close_account(user=petra, by=petra)
    kept = User.objects.get(pk=petra.pk)
    row = str(User.objects.values().get(pk=petra.pk)) + str(ApiToken.objects.values())
    for told in ("Petra", "petra@", "0000-0002", "my laptop"):
        assert told not in row
    assert kept.name == f"Member {kept.public_id[-6:]}"
    assert not kept.is_active
    assert not kept.has_usable_password()
    assert kept.roles == frozenset()
    assert not kept.emailaddress_set.exists()
    assert not kept.notices.exists()
    assert services.user_of_token(secret) is None
    last = history(kept).order_by("-number")[0]
    assert (last.action, last.actor_name) == ("close_account", kept.name)


def test_nobody_goes_who_is_needed(petra, bob, mia):
    lab = services.create_lab(name="Ridge", by=petra)
    services.add_member(lab=lab, user=bob, by=petra)
    with pytest.raises(Refused, match="'Ridge' has no other head"):
        close_account(user=petra, by=petra)
    with pytest.raises(Refused, match="no other maintainer"):
        close_account(user=mia, by=mia)
    services.set_head(lab=lab, user=bob, head=True, by=petra)
    close_account(user=petra, by=SYSTEM)
    assert set(lab.members.all()) == {bob}

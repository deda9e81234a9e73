"""Signing up, ORCID without an address, labs and tokens on the pages."""

from __future__ import annotations

import re

import pytest
from django.core import mail
from django.test import Client

from amgs.accounts.models import ApiToken, Lab, User
from amgs.web.account import ProviderAccounts
from tests.amgs.conftest import PASSWORD


@pytest.fixture
def signed_in():
    """Return a browser in which somebody is signed in."""

    def make(user) -> Client:
        browser = Client()
        browser.force_login(user)
        return browser

    return make


def test_signing_up_asks_for_a_name_and_confirms_the_address(db):
    browser = Client()
    form = {"full_name": "Nora Nowak", "email": "nora@example.org", "password1": "long enough 12"}
    answer = browser.post("/accounts/signup/", form | {"full_name": ""})
    assert answer.status_code == 200
    assert not User.objects.exists()
    assert browser.post("/accounts/signup/", form).status_code == 302
    user = User.objects.get()
    assert (user.name, user.email) == ("Nora Nowak", "nora@example.org")
    assert not user.emailaddress_set.get().verified
    link = re.search(r"https?://\S+/accounts/confirm-email/\S+", mail.outbox[-1].body)
    path = link[0].split("/", 3)[3]
    assert browser.get(f"/{path}").status_code == 200
    browser.post(f"/{path}")
    assert user.emailaddress_set.get().verified


def test_orcid_without_an_address_asks_for_one_and_confirms_it(db, rf, settings):
    from allauth.socialaccount.models import SocialAccount, SocialLogin

    settings.SOCIALACCOUNT_PROVIDERS = {"orcid": {"APP": {"client_id": "x", "secret": "y"}}}
    account = SocialAccount(provider="orcid", uid="0000-0002-1825-0097", extra_data={})
    provider = ProviderAccounts().get_provider(rf.get("/"), "orcid")
    login = SocialLogin(user=User(), account=account, provider=provider)
    data = {"first_name": "Josiah", "last_name": "Carberry"}
    ProviderAccounts().populate_user(rf.get("/"), login, data)

    browser = Client()
    session = browser.session
    session["socialaccount_sociallogin"] = login.serialize()
    session.save()
    asked = browser.get("/accounts/3rdparty/signup/")
    assert 'value="Josiah Carberry"' in asked.content.decode()
    form = {"full_name": "Josiah Carberry", "email": ""}
    assert browser.post("/accounts/3rdparty/signup/", form).status_code == 200
    assert not User.objects.exists()
    form["email"] = "josiah@example.org"
    assert browser.post("/accounts/3rdparty/signup/", form).status_code == 302
    user = User.objects.get()
    assert (user.full_name, user.orcid) == ("Josiah Carberry", "0000-0002-1825-0097")
    assert not user.emailaddress_set.get().verified
    assert mail.outbox[-1].to == ["josiah@example.org"]


def test_a_lab_is_made_and_refused_beside_its_field(petra, signed_in):
    browser = signed_in(petra)
    assert browser.post("/account/labs", {"name": "Quay"}).status_code == 302
    assert Lab.objects.get().members.get() == petra
    answer = browser.post("/account/labs", {"name": "quay"})
    assert answer.status_code == 422
    assert "There is already a lab called" in answer.content.decode()


def test_the_head_of_a_lab_adds_people_who_have_an_account(petra, rita, signed_in):
    browser = signed_in(petra)
    browser.post("/account/labs", {"name": "Quay"})
    lab = Lab.objects.get()
    answer = browser.post(f"/labs/{lab.public_id}/members", {"email": "nobody@example.org"})
    assert answer.status_code == 422
    assert "Nobody has an account with this address" in answer.content.decode()
    browser.post(f"/labs/{lab.public_id}/members", {"email": rita.email})
    assert set(lab.members.all()) == {petra, rita}


def test_members_come_and_go_and_heads_change(petra, rita, signed_in):
    browser = signed_in(petra)
    browser.post("/account/labs", {"name": "Quay"})
    lab = Lab.objects.get()
    base = f"/labs/{lab.public_id}/members"
    assert "Make head" not in browser.get("/account/").content.decode()
    browser.post(base, {"email": rita.email})
    page = browser.get("/account/").content.decode()
    assert "Make head" in page
    assert f"Remove {rita.name}" in page
    answer = browser.post(f"{base}/{petra.public_id}/remove")
    assert answer.status_code == 422
    assert "has no other head" in answer.content.decode()
    browser.post(f"{base}/{rita.public_id}/head", {"head": "yes"})
    assert lab.memberships.get(user=rita).is_head
    assert browser.post(f"{base}/{petra.public_id}/remove").status_code == 302
    assert set(lab.members.all()) == {rita}
    assert browser.post(f"{base}/{rita.public_id}/remove").status_code == 404


def test_a_member_who_is_no_head_may_leave_and_nothing_else(petra, rita, bob, signed_in):
    signed_in(petra).post("/account/labs", {"name": "Quay"})
    lab = Lab.objects.get(name="Quay")
    base = f"/labs/{lab.public_id}/members"
    for user in (rita, bob):
        signed_in(petra).post(base, {"email": user.email})
    browser = signed_in(rita)
    page = browser.get("/account/").content.decode()
    assert "Leave “Quay”" in page
    assert f"Remove {bob.name}" not in page
    for act, sentence in (("remove", "lets people go"), ("head", "who else is its head")):
        answer = browser.post(f"{base}/{bob.public_id}/{act}", {"head": "yes"})
        assert answer.status_code == 422
        assert sentence in answer.content.decode()
    browser.post(f"{base}/{rita.public_id}/remove")
    assert set(lab.members.all()) == {petra, bob}


def test_maintainers_let_somebody_into_a_lab_that_nobody_belongs_to(petra, rita, mia, signed_in):
    signed_in(petra).post("/account/labs", {"name": "Quay", "institution": "Institute of Piers"})
    lab = Lab.objects.get(name="Quay")
    lab.memberships.all().delete()
    browser, where = signed_in(mia), f"/labs/{lab.public_id}"
    page = browser.get("/labs/", {"q": "quay piers"}).content.decode()
    assert f'href="{where}"' in page
    assert "nobody" in page
    assert "No lab fits" in browser.get("/labs/", {"q": "nowhere"}).content.decode()
    assert "Nobody belongs to this lab any more" in browser.get(where).content.decode()
    answer = browser.post(f"{where}/members?on=lab", {"email": "nobody@example.org"})
    assert answer.status_code == 422
    assert "Nobody has an account with this address" in answer.content.decode()
    assert 'value="nobody@example.org"' in answer.content.decode()
    assert browser.post(f"{where}/members?on=lab", {"email": rita.email}).url == where
    assert f"Make head: {rita.name}" in browser.get(where).content.decode()
    base = f"{where}/members/{rita.public_id}"
    assert browser.post(f"{base}/head?on=lab", {"head": "yes"}).url == where
    assert lab.memberships.get().is_head
    answer = browser.post(f"{base}/head?on=lab", {"head": "no"})
    assert "has no other head" in answer.content.decode()
    theirs = signed_in(rita)
    assert theirs.get(where).status_code == 200
    assert "All labs" not in theirs.get(where).content.decode()
    browser.post(f"{where}/members?on=lab", {"email": petra.email})
    hers = signed_in(petra)
    answer = hers.post(f"{where}/members/{petra.public_id}/remove?on=lab")
    assert answer.url == "/account/", "a lab that is left is not shown any more"


def test_only_maintainers_see_all_labs_and_strangers_none(petra, signed_in, harbour):
    browser = signed_in(petra)
    assert browser.get("/labs/").status_code == 403
    assert browser.get(f"/labs/{harbour.public_id}").status_code == 404
    assert "All labs" not in browser.get("/account/").content.decode()
    assert Client().get("/labs/").status_code == 302


def test_maintainers_give_and_take_roles_on_a_page(petra, rita, mia, signed_in):
    browser = signed_in(mia)
    page = browser.get("/people/", {"q": petra.email}).content.decode()
    assert petra.email in page
    assert rita.email not in page
    assert browser.post(f"/people/{petra.public_id}/roles?q=x", {"role": "curator"}).url == (
        "/people/?q=x"
    )
    assert "curator" in User.objects.get(pk=petra.pk).roles
    notice = petra.notices.get()
    assert signed_in(petra).get(f"/inbox/{notice.public_id}/").url == "/account/"
    answer = browser.post(f"/people/{petra.public_id}/roles", {"role": "king"})
    assert answer.status_code == 422
    assert "not &#x27;king&#x27;" in answer.content.decode()
    browser.post(f"/people/{petra.public_id}/roles/curator/take")
    assert "curator" not in User.objects.get(pk=petra.pk).roles
    answer = browser.post(f"/people/{mia.public_id}/roles/maintainer/take")
    assert answer.status_code == 422
    assert "no other maintainer" in answer.content.decode()
    assert "Nobody fits" in browser.get("/people/?q=zzz").content.decode()
    assert signed_in(rita).get("/people/").status_code == 403
    assert Client().get("/people/").status_code == 302


def test_who_runs_the_site_makes_the_first_maintainer(db, signed_in):
    root = User.objects.create_superuser("root@example.org", "correct horse")
    browser = signed_in(root)
    assert 'href="/people/"' in browser.get("/account/").content.decode()
    browser.post(f"/people/{root.public_id}/roles", {"role": "maintainer"})
    assert User.objects.get(pk=root.pk).roles == {"maintainer"}


def test_an_account_is_closed_after_its_address_was_typed(petra, person):
    from amgs.accounts.services import create_lab
    from amgs.scoring.models import ToolRun
    from amgs.scoring.study_models import Study

    run = ToolRun.objects.create(user=petra, name="clip.mp4")
    study = Study.objects.create(owner=petra, title="Mine")
    create_lab(name="Quay", by=petra)
    petra.emailaddress_set.create(email=petra.email, verified=True, primary=True)
    browser = Client()
    browser.post("/accounts/login/", {"login": petra.email, "password": PASSWORD})
    asked = browser.get("/account/close")
    assert "reauthenticate" in asked.url
    assert browser.post(asked.url, {"password": PASSWORD}).url == "/account/close"
    page = browser.get("/account/close").content.decode()
    assert "1 result of tools" in page
    assert "“Quay” has no other member" in page
    assert "1 study, hidden at once" in page
    assert browser.post("/account/close", {"email": "other@example.org"}).status_code == 422
    assert browser.post("/account/close", {"email": f" {petra.email} "}).status_code == 302
    assert browser.get("/account/").status_code == 302
    run.refresh_from_db()
    study.refresh_from_db()
    assert run.delete_asked_at is not None
    assert study.deleted_at is not None
    again = browser.post("/accounts/login/", {"login": petra.email, "password": PASSWORD})
    assert again.status_code == 200
    assert "/accounts/login/" in browser.get("/account/close").url
    assert person("Petra Public").pk != petra.pk


def test_a_token_is_shown_once(petra, signed_in):
    browser = signed_in(petra)
    answer = browser.post(
        "/account/tokens", {"token_name": "my script", "scopes": ["read", "score"], "days": "30"}
    )
    secret = re.search(r"amgs_[0-9a-f]{8}_[\w-]{20,}", answer.content.decode())[0]
    assert answer["Cache-Control"] == "no-store"
    again = browser.get("/account/").content.decode()
    assert secret not in again
    assert "my script" in again
    token = ApiToken.objects.get()
    browser.post(f"/account/tokens/{token.public_id}/revoke")
    token.refresh_from_db()
    assert token.revoked_at is not None


def test_nobody_ends_the_token_of_somebody_else(petra, rita, signed_in):
    from amgs.accounts.services import create_token

    token, _ = create_token(user=rita, name="hers", scopes=["read"])
    answer = signed_in(petra).post(f"/account/tokens/{token.public_id}/revoke")
    assert answer.status_code == 404
    token.refresh_from_db()
    assert token.revoked_at is None


def test_the_secret_of_webhooks_is_shown_and_replaced(signed_in, alice):
    from amgs.scoring.models import WebhookSecret

    browser = signed_in(alice)
    assert "You have no secret yet" in browser.get("/account/webhooks/").content.decode()
    assert not WebhookSecret.objects.exists()
    seen = []
    for _ in range(2):
        assert browser.post("/account/webhooks/rotate").status_code == 302
        page = browser.get("/account/webhooks/")
        assert "no-store" in page["Cache-Control"]
        seen.append(re.search(r"whsec_[A-Za-z0-9+/=]{40,}", page.content.decode())[0])
    assert seen[0] != seen[1]
    assert "The one before signs as well" in page.content.decode()
    assert Client().get("/account/webhooks/").status_code == 302

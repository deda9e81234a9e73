"""Letting people in and go in the browser: roles, members and heads of a lab, a closed account."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

from tests.browser.conftest import PASSWORD

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}


def _wrong(page: Any) -> list[str]:
    page.evaluate((settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    told = [f"{page.url} {row['id']}: {row['nodes'][0]['html'][:160]}" for row in found]
    return [*told, f"{page.url} is {wide} px too wide"] if wide > 0 else told


def test_a_maintainer_gives_a_role_on_a_phone_and_takes_it(story, open_page, picture):
    rita, mia = story.person("Rita Roth"), story.person("Mia Moreau", "maintainer")
    page = open_page(mia, PHONE, bypass_csp=True, color_scheme="dark")
    page.goto("/people/?q=rita")
    page.get_by_label("Role for Rita Roth").select_option("curator")
    page.get_by_role("button", name="Give the role to Rita Roth").click()
    page.get_by_text("Rita Roth is a curator now.").wait_for()
    picture(page, "people-phone")
    wrong = _wrong(page)
    hers = open_page(rita)
    hers.goto("/inbox/")
    hers.get_by_role("link", name="You are a curator now").click()
    hers.get_by_text("Curator: reviews what labs submit").wait_for()
    page.get_by_role("button", name="Take the role curator from Rita Roth").click()
    page.get_by_text("Rita Roth is no longer a curator.").wait_for()
    assert not rita.grants.exists()
    assert not wrong


def test_a_maintainer_lets_somebody_into_an_empty_lab(story, open_page, picture):
    alice = story.person("Alice Arber", lab="Harbour")
    mia = story.person("Mia Moreau", "maintainer")
    story.person("Bea Berg", lab="Ridge")
    lab = alice.labs.get()
    lab.memberships.all().delete()
    page = open_page(mia, bypass_csp=True)
    page.goto("/people/")
    page.get_by_role("link", name="All labs").click()
    page.get_by_role("heading", name="Labs", exact=True).wait_for()
    picture(page, "labs-desktop")
    wrong = _wrong(page)
    page.get_by_role("link", name="Harbour").click()
    page.get_by_text("Add a person").click()
    page.get_by_label("Their e-mail address").fill(alice.email)
    page.get_by_role("button", name="Add to the lab").click()
    page.get_by_text("Alice Arber belongs to “Harbour” now.").wait_for()
    page.get_by_role("button", name="Make head: Alice Arber").click()
    page.get_by_text("Alice Arber is now a head of “Harbour”.").wait_for()
    wrong += _wrong(page)
    phone = open_page(mia, PHONE, bypass_csp=True, color_scheme="dark")
    for name, where in (("labs", "/labs/"), ("lab", f"/labs/{lab.public_id}")):
        phone.goto(where)
        picture(phone, f"{name}-phone")
        wrong += _wrong(phone)
    assert lab.memberships.get().is_head
    assert not wrong


def test_a_head_passes_a_lab_on_and_closes_the_account(story, open_page, picture):
    from amgs.accounts.models import User

    alice, bea = story.person("Alice Arber", lab="Harbour"), story.person("Bea Berg", lab="Harbour")
    lab = alice.labs.get()
    lab.memberships.filter(user=bea).update(is_head=False)
    page = open_page(alice, bypass_csp=True)
    page.goto("/account/")
    page.get_by_role("link", name="Close my account").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Confirm").click()
    page.get_by_text("'Harbour' has no other head").wait_for()
    page.get_by_role("link", name="Back to my account").click()
    page.get_by_role("button", name="Make head: Bea Berg").click()
    page.get_by_text("Bea Berg is now a head of “Harbour”.").wait_for()
    page.get_by_text("Remove Bea Berg").first.click()
    picture(page, "members-desktop")
    wrong = _wrong(page)
    page.get_by_role("link", name="Close my account").click()
    picture(page, "close-desktop")
    wrong += _wrong(page)
    page.get_by_label("Type your address").fill(alice.email)
    page.get_by_role("button", name="Close my account for good").click()
    page.get_by_text("Your account is closed").wait_for()
    kept = User.objects.get(pk=alice.pk)
    assert kept.name.startswith("Member ")
    assert list(lab.members.all()) == [bea]
    assert not wrong

"""Deciding in the browser: the queue, pictures by keyboard, marks, live figures, the inbox."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

AXE = "() => axe.run(document, {resultTypes: ['violations']})"
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def people(story):
    """Two curators, two raters and a contributor."""
    return {
        "alice": story.person("Alice Arber", lab="Harbour"),
        "cora": story.person("Cora Costa", "curator"),
        "sven": story.person("Sven Sand", "curator"),
        "rita": story.person("Rita Roth", "rater"),
        "roger": story.person("Roger Ruiz", "rater"),
    }


def _ref(version: Any) -> str:
    return version.identifier.replace("/", ".")


def _axe(page: Any) -> list[str]:
    page.evaluate((settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found = [
        f"{page.url} {row['id']}: {row['nodes'][0]['html'][:160]}"
        for row in page.evaluate(AXE)["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, f"{page.url} is {wide} px too wide"] if wide > 0 else found


def test_a_curator_marks_by_keyboard_accepts_the_rest_and_the_lab_reads_why(
    people, story, open_page, picture
):
    from amgs.repository.models import Exclusion
    from amgs.review.models import Assignment

    alice, cora = people["alice"], people["cora"]
    version = story.dataset(alice, "Grimace after laparotomy in white mice")
    story.take(version, ("submit", alice), ("start_review", cora))
    story.rate_all(people["rita"], most=9)
    story.rate_all(people["roger"], most=7)
    Assignment.objects.filter(pk=Assignment.objects.filter(task__kind="units").first().pk).update(
        flag="Is this the same mouse?"
    )
    page = open_page(cora, bypass_csp=True)
    page.goto("/review/")
    picture(page, "deciding-queue-desktop")
    wrong = _axe(page)
    page.get_by_role("link", name="Grimace after laparotomy in white mice").click()
    assert page.locator(".cell").count() == 4
    picture(page, "deciding-review-desktop")
    wrong += _axe(page)
    # The audit asks for itself; a rating that comes in is seen without a click.
    before = page.locator("#audit p").first.inner_text()
    story.rate_all(people["roger"], most=3)
    page.wait_for_function(
        "before => document.querySelector('#audit p').innerText !== before", arg=before
    )
    # Marking by keyboard: to the second cell, R, a reason, words, send.
    page.locator(".cell").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("r")
    page.wait_for_selector("#large[open] .mark-form")
    picture(page, "deciding-recording-desktop", whole=False)
    wrong += _axe(page)
    page.get_by_label("Leave it out, because").select_option("people")
    page.get_by_label("In words").fill("A hand is seen at the end.")
    page.get_by_role("button", name="Mark", exact=True).click()
    page.wait_for_selector("#large:not([open])", state="attached")
    assert "1 to be left out, 0 remarks" in page.locator("#marks").inner_text()
    # A remark on one frame of the first recording.
    page.locator(".cell").first.click()
    page.locator("#large .still").first.click()
    page.get_by_label("In words").fill("Sharper ones would help.")
    page.get_by_role("button", name="Mark", exact=True).click()
    page.keyboard.press("Escape")
    page.reload()
    assert "1 to be left out, 1 remark." in page.locator("#marks").inner_text()
    picture(page, "deciding-marked-desktop")
    page.locator("summary", has_text="Accept").click()
    form = page.locator("form[action$='/acts/accept']")
    form.get_by_role("textbox", name="Why").fill("All but one film.")
    form.get_by_role("checkbox").check()
    form.get_by_role("button", name="Accept").click()
    page.wait_for_selector("text=is accepted now")
    assert Exclusion.objects.get().reason == "people"
    assert page.locator("#out-title").count() == 1
    picture(page, "deciding-accepted-desktop")
    wrong += _axe(page)
    lab = open_page(alice, PHONE, color_scheme="dark", bypass_csp=True)
    lab.goto("/inbox/")
    picture(lab, "deciding-inbox-phone")
    wrong += _axe(lab)
    lab.keyboard.press("j")
    lab.keyboard.press("Enter")
    lab.wait_for_url(f"**/datasets/{_ref(version)}/")
    assert "A hand is seen at the end." in lab.locator("#main").inner_text()
    assert "Sharper ones would help." in lab.locator("#main").inner_text()
    picture(lab, "deciding-lab-phone")
    wrong += _axe(lab)
    lab.goto("/account/")
    picture(lab, "deciding-account-phone")
    wrong += _axe(lab)
    assert not wrong, "\n".join(wrong)


def test_disagreements_and_handing_over_on_a_phone(people, story, open_page, picture):
    alice, cora, sven = people["alice"], people["cora"], people["sven"]
    version = story.dataset(alice, "Grimace after laparotomy in white mice", animals=1)
    story.take(version, ("submit", alice), ("start_review", cora))
    story.rate_all(people["rita"])
    story.rate_all(people["roger"])
    page = open_page(cora, PHONE, color_scheme="dark", bypass_csp=True)
    page.goto("/review/?who=me")
    picture(page, "deciding-queue-phone")
    wrong = _axe(page)
    page.goto(f"/review/{_ref(version)}/")
    picture(page, "deciding-review-phone")
    wrong += _axe(page)
    page.get_by_role("link", name="Where raters disagree").click()
    picture(page, "deciding-disagreements-phone", whole=False)
    wrong += _axe(page)
    form = page.locator("form.decide-unit").first
    form.get_by_label("Why").fill("The eye is half shut.")
    form.locator("select").select_option("1")
    form.get_by_role("button", name="Decide").click()
    page.wait_for_selector("text=Your decision stands")
    assert "The eye is half shut." in page.locator("#main").inner_text()
    wide = open_page(cora, bypass_csp=True)
    wide.goto(f"/review/{_ref(version)}/disagreements")
    picture(wide, "deciding-disagreements-desktop", whole=False)
    wrong += _axe(wide)
    page.goto(f"/review/{_ref(version)}/")
    page.locator("summary", has_text="Hand it over").click()
    page.get_by_label("To", exact=True).select_option(label="Sven Sand")
    page.get_by_label("Note").fill("The audit is done; one unit is decided.")
    page.get_by_role("button", name="Hand it over").click()
    page.wait_for_selector("text=Sven Sand’s now")
    other = open_page(sven, color_scheme="dark", bypass_csp=True)
    other.goto("/inbox/")
    assert "Your review" in other.locator("#main").inner_text()
    picture(other, "deciding-inbox-desktop")
    wrong += _axe(other)
    other.goto(f"/review/{_ref(version)}/")
    picture(other, "deciding-review-dark")
    wrong += _axe(other)
    other.goto("/review/?who=nobody&coat=black&since=30")
    picture(other, "deciding-nothing-dark")
    wrong += _axe(other)
    assert not wrong, "\n".join(wrong)

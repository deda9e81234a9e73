"""The shell in the browser: keyboard, the reference of the API, life without JavaScript."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]


def test_the_first_stop_of_the_tab_key_skips_to_the_content(open_page):
    page = open_page()
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_the_reference_of_the_api_draws_itself_within_its_policy(open_page):
    page = open_page()
    page.goto("/api/docs/")
    scores = page.locator("#operations-tag-scores")
    scores.wait_for()
    assert page.locator(".opblock-tag").count() > 20  # every group of calls, closed
    scores.click()
    page.get_by_text("/api/scores", exact=True).first.wait_for()


def test_without_a_model_the_score_page_says_so_and_takes_nothing(open_page):
    page = open_page()
    page.goto("/score/")
    assert page.get_by_role("heading", name="No validated model is served yet").count() == 1
    assert page.locator("input[type=file]").count() == 0


def test_without_javascript_a_dataset_can_be_described(story, open_page):
    alice = story.person("Alice Arber", lab="Harbour")
    page = open_page(alice, java_script_enabled=False)
    page.goto("/datasets/new")
    page.get_by_label("Title").fill("Made without a script")
    page.get_by_role("button", name="Make the draft").click()
    page.get_by_label("Assay").select_option("inflammatory")
    page.get_by_role("button", name="Save", exact=True).click()
    assert page.get_by_text("Saved.").count() == 1
    assert page.get_by_label("Assay").input_value() == "inflammatory"
    page.goto(page.url.replace("describe", "files"))
    assert "needs JavaScript" in page.locator("noscript").inner_text()


def test_a_page_is_read_in_the_colours_of_the_system(open_page):
    colours = set()
    for scheme in ("light", "dark"):
        page = open_page(color_scheme=scheme)
        page.goto("/")
        colours.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2

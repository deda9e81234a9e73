"""What the pages say of files that are not what they seem."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def draft(story):
    """Make a draft with two films of one mouse."""
    alice = story.person("Alice Arber", lab="Harbour")
    return alice, story.dataset(alice, "Grimace after laparotomy", animals=1)


def step(page, version, name: str) -> None:
    """Open a step of a draft."""
    page.goto(f"/datasets/{version.identifier.replace('/', '.')}/{name}")


def test_a_text_called_mp4_is_set_aside_with_a_sentence(draft, worker, open_page):
    alice, version = draft
    page = open_page(alice)
    step(page, version, "files")
    notes = {"name": "notes.mp4", "mimeType": "video/mp4", "buffer": b"Tuesday: all well.\n" * 50}
    empty = {"name": "empty.mp4", "mimeType": "video/mp4", "buffer": b""}
    page.locator("#files").set_input_files([notes, empty])
    page.get_by_role("button", name="Send").click()
    page.get_by_text("'empty.mp4' is empty").wait_for()
    card = page.locator(".recording", has_text="notes.mp4")
    card.get_by_text("set aside").wait_for(timeout=30_000)
    assert "notes.mp4" in card.locator(".wrong-text").inner_text()
    assert page.locator(".recording .poster img").count() == 2


def test_a_grade_of_three_is_named_with_row_and_column(draft, worker, open_page):
    from models.scale import load_scale

    alice, version = draft
    keys = load_scale().unit_keys
    rows = [",".join(["file", "frame", "rater", *keys]), "r0001.mp4,2,c,0,1,3,0,9"]
    page = open_page(alice)
    step(page, version, "labels")
    page.locator("#files").set_input_files(
        {"name": "third.csv", "mimeType": "text/csv", "buffer": "\n".join(rows).encode()}
    )
    page.get_by_role("button", name="Send").click()
    card = page.locator("#sheets article", has_text="third.csv")
    card.locator("table").wait_for(timeout=30_000)
    cells = card.locator("tbody tr").first.locator("td").all_inner_texts()
    assert cells[0] == "2"
    assert cells[1] == keys[2]
    assert "3" in cells[2]


def test_a_design_that_cannot_be_read_keeps_what_was_typed(draft, open_page):
    alice, version = draft
    page = open_page(alice)
    step(page, version, "design")
    page.get_by_label("Animals").fill("name\tcolour\nm1\twhite")
    page.get_by_role("button", name="Save and go on").click()
    assert "a column “colour”, which is not known" in page.locator(".notice.bad").inner_text()
    assert page.get_by_label("Animals").input_value() == "name\tcolour\nm1\twhite"


def test_a_visitor_cannot_open_a_draft(draft, open_page):
    _, version = draft
    page = open_page()
    answer = page.goto(f"/datasets/{version.identifier.replace('/', '.')}/")
    assert answer.status == 404
    assert page.get_by_role("heading", name="There is nothing here").count() == 1

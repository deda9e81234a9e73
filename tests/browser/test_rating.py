"""Rating in the browser: keys, undo, reasons, thumbs, no JavaScript; what a rater never sees."""

from __future__ import annotations

import re

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}


@pytest.fixture
def raters(story):
    """Put a version of Harbour into review and return two raters for it."""
    alice = story.person("Alice Arber", lab="Harbour")
    cora = story.person("Cora Costa", "curator")
    version = story.dataset(alice, "Grimace after laparotomy", animals=1, frames=4)
    story.take(version, ("submit", alice), ("start_review", cora))
    return story.person("Rita Roth", "rater"), story.person("Roger Ruiz", "rater")


@pytest.fixture
def given():
    """Return the answers of a person's first ratings: unit → grade or reason."""
    from amgs.repository.models import Rating

    def read(user) -> dict:
        first = Rating.objects.filter(rater=user).order_by("pk").first()
        rows = Rating.objects.filter(rater=user, frame=first.frame_id)
        return {row.unit: row.reason if row.grade is None else row.grade for row in rows}

    return read


@pytest.fixture
def units():
    """Return the keys of the units."""
    from models.scale import load_scale

    return load_scale().unit_keys


def stored(page):
    """Wait until the site has answered the grades that are sent meanwhile."""
    return page.expect_response(lambda answer: answer.request.method == "POST" and answer.ok)


def test_keys_grade_undo_and_give_reasons(raters, open_page, given, units, picture):
    rita, _ = raters
    page = open_page(rita)
    page.goto("/rate/")
    page.locator(".unit.here").wait_for()
    still = page.locator("#still").get_attribute("src")
    for key in "02":
        page.keyboard.press(key)
    page.keyboard.press("u")  # the second grade was a slip
    page.keyboard.press("1")
    page.keyboard.press("n")
    page.keyboard.press("2")  # the second reason, not a grade
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("2")
    picture(page, "rate-desktop", whole=False)
    page.keyboard.press("Enter")  # one unit is still open, so nothing is committed
    assert page.locator(".unit.unanswered").count() == 1
    assert page.locator("#still").get_attribute("src") == still
    page.keyboard.press("0")
    with stored(page):
        page.keyboard.press("Enter")
    page.wait_for_function(
        "before => document.getElementById('still').getAttribute('src') !== before", arg=still
    )
    assert given(rita) == dict(zip(units, (0, 1, "blurred", 2, 0), strict=True))
    assert page.locator("input:checked").count() == 0


def test_a_whole_frame_can_be_without_a_score(raters, open_page, given, units):
    rita, _ = raters
    page = open_page(rita)
    page.goto("/rate/")
    page.locator(".unit.here").wait_for()
    page.keyboard.press("x")
    box = page.locator("#commit-whole").bounding_box()
    assert box["y"] + box["height"] <= page.viewport_size["height"]  # the reasons are in sight
    page.keyboard.press("1")
    with stored(page):
        page.keyboard.press("Enter")
    assert given(rita) == dict.fromkeys(units, "asleep")


def test_thumbs_rate_on_a_phone(raters, open_page, given, units, picture):
    _, roger = raters
    page = open_page(roger, PHONE, has_touch=True, is_mobile=True)
    page.goto("/rate/")
    page.locator(".unit.here").wait_for()
    for unit in units:
        page.locator(f"#{unit}-1").tap()
    picture(page, "rate-phone", whole=False)
    box = page.locator("#commit").bounding_box()
    assert box["y"] + box["height"] <= PHONE["height"]
    with stored(page):
        page.locator("#commit").tap()
    assert given(roger) == dict.fromkeys(units, 1)


def test_without_javascript_the_form_does_it(raters, open_page, given, units):
    rita, _ = raters
    page = open_page(rita, java_script_enabled=False)
    page.goto("/rate/")
    page.get_by_role("button", name="Commit", exact=True).click()
    assert "is neither graded nor marked" in page.locator(".notice.bad").inner_text()
    for unit in units:
        page.locator(f"#{unit}-2").check()
    page.get_by_role("button", name="Commit", exact=True).click()
    assert given(rita) == dict.fromkeys(units, 2)


def test_grades_survive_a_connection_that_breaks(raters, open_page, given, units):
    rita, _ = raters
    page = open_page(rita)
    page.goto("/rate/")
    page.locator(".unit.here").wait_for()
    page.wait_for_load_state("networkidle")
    broken = []

    def cut(route) -> None:
        if len(broken) < 2:
            broken.append(route.request.url)
            route.abort("connectionfailed")
        else:
            route.continue_()

    page.route("**/api/rating/0*", cut)
    for _ in units:
        page.keyboard.press("1")
    with stored(page):
        page.keyboard.press("Enter")
    assert len(broken) == 2
    assert given(rita) == dict.fromkeys(units, 1)


def test_nothing_a_rater_gets_tells_where_a_frame_is_from(raters, open_page):
    rita, _ = raters
    page = open_page(rita)
    told: list[str] = []
    page.on("response", lambda answer: told.append(answer.url))
    bodies: list[str] = []
    page.on(
        "response",
        lambda answer: (
            bodies.append(answer.text())
            if "json" in answer.headers.get("content-type", "")
            else None
        ),
    )
    page.goto("/rate/")
    page.wait_for_load_state("networkidle")
    everything = "\n".join([page.content(), *told, *bodies])
    for secret in ("Harbour", "Alice", "AMGS", "laparotomy", "m1", "baseline", "r0001", "CD-1"):
        assert not re.search(rf"\b{re.escape(secret)}\b", everything), secret

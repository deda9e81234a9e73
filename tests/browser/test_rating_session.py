"""A long session of rating: fifty frames by keys, twenty by thumbs, with the network lost."""

from __future__ import annotations

import re
from collections import Counter

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

PHONE = {"width": 390, "height": 844}
ANSWERED = re.compile(r"/api/rating/[0-9a-z]{26}$")


@pytest.fixture
def units():
    """Return the keys of the units."""
    from models.scale import load_scale

    return load_scale().unit_keys


@pytest.fixture
def queue(story):
    """Put so many frames into the queue and return two raters."""
    alice = story.person("Alice Arber", lab="Harbour")
    cora = story.person("Cora Costa", "curator")

    def make(animals: int, frames: int):
        version = story.dataset(alice, "Laparotomy", animals=animals, frames=frames)
        story.take(version, ("submit", alice), ("start_review", cora))
        return story.person("Rita Roth", "rater"), story.person("Roger Ruiz", "rater")

    return make


def begin(page, kind: str = "") -> None:
    page.goto(f"/rate/{kind}")
    page.locator("[data-ready=true]").wait_for()
    page.wait_for_load_state("networkidle")


def fetched_ahead(page) -> None:
    """Wait until as many frames are held as the page wants."""
    page.locator("[data-ahead='4']").wait_for(timeout=30_000)


def settled(page) -> None:
    """Wait until the site has every answer."""
    page.locator("[data-waiting='0']").wait_for(timeout=60_000)


def votes(rater) -> Counter:
    """Count the ratings of a rater per frame."""
    from amgs.repository.models import Rating

    return Counter(
        Rating.objects.filter(rater=rater, source="audit").values_list("frame_id", flat=True)
    )


def next_frame(page, press) -> None:
    """Do what commits a frame and wait until another is shown."""
    before = page.locator("#grades").get_attribute("action")
    press()
    page.wait_for_function(
        "before => document.getElementById('grades')?.getAttribute('action') !== before",
        arg=before,
        timeout=30_000,
    )


def test_fifty_frames_by_keys_and_twenty_by_thumbs_are_stored_each_once(queue, open_page, units):
    rita, roger = queue(animals=6, frames=5)
    page = open_page(rita)
    begin(page)
    expected = []
    for number in range(50):
        if number == 20:
            fetched_ahead(page)
            page.context.set_offline(True)
        if number == 23:
            assert page.locator("#waiting").is_visible()
            page.context.set_offline(False)
        grades = [(number + place) % 3 for place in range(len(units))]
        expected.append(grades)
        for grade in grades:
            page.keyboard.press(str(grade))
        next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    assert votes(rita) == dict.fromkeys(votes(rita), len(units))
    assert len(votes(rita)) == 50
    from amgs.repository.models import Rating

    stored = Rating.objects.filter(rater=rita).order_by("pk").values_list("grade", flat=True)
    assert Counter(stored) == Counter(grade for grades in expected for grade in grades)

    phone = open_page(roger, PHONE, has_touch=True, is_mobile=True)
    begin(phone)
    cut: list[str] = []

    def break_some(route) -> None:
        if len(cut) < 5:
            cut.append(route.request.url)
            route.abort("connectionfailed")
        else:
            route.continue_()

    for number in range(20):
        if number == 7:
            phone.route("**/api/rating/0*", break_some)
        for unit in units:
            phone.locator(f"#{unit}-{number % 3}").tap()
        next_frame(phone, lambda: phone.locator("#commit").tap())
    settled(phone)
    assert len(cut) == 5
    assert votes(roger) == dict.fromkeys(votes(roger), len(units))
    assert len(votes(roger)) == 20


def test_answers_outlive_the_page_and_are_sent_by_the_next_one(queue, open_page, units):
    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page)
    fetched_ahead(page)
    page.context.set_offline(True)
    for _ in range(2):
        for _ in units:
            page.keyboard.press("1")
        next_frame(page, lambda: page.keyboard.press("Enter"))
    page.close()
    assert not votes(rita)
    again = page.context.new_page()
    page.context.set_offline(False)
    begin(again)
    settled(again)
    assert sorted(votes(rita).values()) == [len(units)] * 2


def test_a_page_older_than_an_answer_does_not_ask_for_it_again(queue, open_page, units):
    rita, _ = queue(animals=2, frames=2)
    page = open_page(rita)
    begin(page)
    fetched_ahead(page)
    old = page.request.get("/rate/").text()
    name = page.locator("#grades").get_attribute("action").rpartition("/")[2]
    assert name in old
    for _ in units:
        page.keyboard.press("1")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    page.route("**/rate/", lambda route: route.fulfill(body=old, content_type="text/html"))
    begin(page)
    assert not page.locator("#grades").get_attribute("action").endswith(name)
    # Only once: what is shown after that was taken back in another window.
    begin(page)
    assert page.locator("#grades").get_attribute("action").endswith(name)


def test_a_frame_is_taken_back_with_its_answers_and_committed_anew(queue, open_page, units):
    from amgs.repository.models import Rating
    from amgs.review.models import Assignment

    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page)
    first = page.locator("#still").get_attribute("src")
    page.keyboard.press("+")
    page.keyboard.press("c")
    for _ in units:
        page.keyboard.press("1")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    next_frame(page, lambda: page.keyboard.press("u"))
    assert page.locator("#still").get_attribute("src") == first
    assert page.locator("input:checked").count() == len(units)
    assert not Rating.objects.filter(rater=rita).exists()
    page.locator(f"#{units[0]}-2").check(force=True)
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    grades = dict(Rating.objects.filter(rater=rita).values_list("unit", "grade"))
    assert grades == dict.fromkeys(units, 1) | {units[0]: 2}
    assert Assignment.objects.get(rater=rita, rated_at__isnull=False).viewing["zoom"] == 1


def test_an_answer_on_its_way_is_taken_back_once_it_is_there(queue, open_page, units):
    from amgs.repository.models import Rating

    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page)
    fetched_ahead(page)
    first = page.locator("#still").get_attribute("src")
    held = []
    page.route(ANSWERED, lambda route: held.append(route))
    for _ in units:
        page.keyboard.press("1")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    page.keyboard.press("u")
    page.get_by_text("The last frame is being taken back.").wait_for()
    page.keyboard.press("1")  # one grade of the frame that is shown meanwhile
    assert page.locator("#still").get_attribute("src") != first
    next_frame(page, lambda: held[0].continue_())
    page.unroute(ANSWERED)
    assert page.locator("#still").get_attribute("src") == first
    assert page.locator("#refusal").inner_text() == ""
    assert not Rating.objects.filter(rater=rita).exists()
    # What may have arrived before the connection broke is not taken back in the dark.
    page.route(ANSWERED, lambda route: route.abort())
    next_frame(page, lambda: page.keyboard.press("Enter"))
    page.locator("#waiting:not([hidden])").wait_for()
    page.keyboard.press("u")
    page.get_by_text("may have the last frame already").wait_for()
    page.unroute(ANSWERED)
    settled(page)
    next_frame(page, lambda: page.keyboard.press("u"))
    assert page.locator("#still").get_attribute("src") == first
    assert page.locator("#refusal").inner_text() == ""
    assert not Rating.objects.filter(rater=rita).exists()


def test_zoom_and_contrast_are_kept_with_the_grades(queue, open_page, units):
    from amgs.review.models import Assignment

    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page)
    for key in ("+", "+", "c", "f"):
        page.keyboard.press(key)
    page.keyboard.type("two mice")
    page.keyboard.press("Escape")
    for _ in units:
        page.keyboard.press("0")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    row = Assignment.objects.get(rater=rita, rated_at__isnull=False)
    assert (row.viewing["zoom"], row.viewing["contrast"], row.flag) == (2, 1.4, "two mice")
    assert row.viewing["width"] > 300
    assert page.locator("#looking").inner_text() == ""


def test_one_unit_over_six_faces_then_the_next(queue, open_page, units, picture):
    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page, "strip")
    faces = page.locator(".face")
    assert faces.count() == 6
    page.keyboard.press("x")  # nothing can be scored in the first face
    page.keyboard.press("1")
    page.keyboard.press("1")
    page.keyboard.press("n")
    picture(page, "strip-desktop", whole=False)
    page.keyboard.press("1")
    page.keyboard.press("u")  # the reason was a slip
    page.keyboard.press("2")
    for _ in range(3):
        page.keyboard.press("0")
    for _ in units[1:]:
        for _ in range(5):
            page.keyboard.press("1")
    page.wait_for_function("() => document.querySelectorAll('.face').length === 2", timeout=60_000)
    settled(page)
    assert sorted(votes(rita).values()) == [len(units)] * 6
    from amgs.repository.models import Rating

    rows = Rating.objects.filter(rater=rita)
    assert rows.filter(grade=None).count() == len(units)
    assert sorted(rows.filter(unit=units[0]).values_list("grade", flat=True), key=str) == [
        0, 0, 0, 1, 2, None,
    ]  # fmt: skip


def test_states_are_named_from_a_silent_clip_and_views_from_the_still(queue, open_page, picture):
    from amgs.review.models import Judgement

    rita, _ = queue(animals=1, frames=4)
    page = open_page(rita)
    begin(page, "?kind=state")
    assert page.locator("#film").evaluate("film => film.muted && film.duration > 1")
    picture(page, "state-desktop", whole=False)
    page.keyboard.press("2")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    assert Judgement.objects.get(kind="state").answer == "asleep"
    begin(page, "?kind=view")
    assert page.locator("#film").count() == 0
    page.keyboard.press("1")
    next_frame(page, lambda: page.keyboard.press("Enter"))
    settled(page)
    assert Judgement.objects.get(kind="view").answer == "frontal"


def test_a_learner_sees_what_is_agreed_after_every_frame(story, queue, open_page, units, picture):
    from amgs.accounts.models import User
    from amgs.repository.models import Frame
    from amgs.review.services import set_gold

    rita, _ = queue(animals=1, frames=4)
    bob = story.person("Bob Birk", lab="Meadow")
    version = story.dataset(bob, "Agreed", animals=2, frames=6)
    cora = User.objects.get(email="cora@example.org")
    for frame in Frame.objects.filter(recording__versions=version)[:20]:
        set_gold(
            by=cora,
            frame=frame,
            agreed=dict.fromkeys(units, 1),
            training=True,
            note="The bridge is rounded.",
        )
    page = open_page(rita)
    begin(page)
    assert page.get_by_text("Training.").is_visible()
    for unit, grade in zip(units, (1, 1, 2, 1, 1), strict=True):
        page.locator(f"#{unit}-{grade}").check(force=True)
    page.keyboard.press("Enter")
    page.locator("#agreed .other").wait_for()
    assert page.locator("#agreed .same").count() == 4
    assert page.get_by_text("The bridge is rounded.").is_visible()
    picture(page, "training-rater-desktop", whole=False)
    next_frame(page, lambda: page.keyboard.press("Enter"))
    assert page.locator("#agreed").inner_text() == ""


@pytest.mark.parametrize("kind", ["", "?kind=state", "?kind=view", "strip"])
def test_nothing_on_the_wire_tells_where_a_frame_is_from_or_what_others_said(
    queue, open_page, story, kind
):
    rita, roger = queue(animals=1, frames=4)
    story.rate_all(roger)
    page = open_page(rita)
    told: list[str] = []

    def listen(answer) -> None:
        told.extend([answer.url, str(answer.headers)])
        if re.search("json|html", answer.headers.get("content-type", "")):
            told.append(answer.text())

    page.on("response", listen)
    begin(page, kind)
    everything = "\n".join([page.content(), *told])
    secrets = ("Harbour", "Alice", "AMGS", "m1", "baseline", "r0001", "CD-1", roger.public_id)
    for secret in (*secrets, "Roger", "random_share", "gold", "repeat"):
        assert not re.search(rf"\b{re.escape(secret)}\b", everything), secret

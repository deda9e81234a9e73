"""A label file from the computer into ratings: looked at, answered, confirmed, undone, redone."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
# On a scale from 0 to 9; one name means nothing here, and one cell is impossible on any scale.
SHEET = "\n".join(
    [
        "file,frame,rater,ot,nb,cb,ep,wc",
        *(f"r0001.mp4,{frame},anna,{frame % 10},7,5,3,-" for frame in range(8)),
        "film two,0,anna,0,9,4,2,x",
        "film two,5,anna,1,1,1,1,1",
    ]
).encode()


@pytest.fixture
def draft(story):
    """Make a draft of Alice's with two films of one mouse, and take its sheet back."""
    from amgs.repository import services
    from amgs.repository.models import LabelImport

    alice = story.person("Alice Arber", lab="Harbour")
    version = story.dataset(alice, "Grimace after laparotomy", animals=1)
    held = LabelImport.objects.get()
    services.undo_import(by=alice, version=version, label_import=held)
    story.run_jobs()
    return alice, version


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"]
)
def test_a_sheet_on_another_scale_becomes_ratings(
    draft, worker, open_page, picture, viewport, scheme
):
    from amgs.repository.models import LabelImport, Rating

    alice, version = draft
    shape = "phone" if viewport == PHONE else "desktop"
    page = open_page(alice, viewport, is_mobile=viewport == PHONE, color_scheme=scheme)
    page.goto(f"/datasets/{version.identifier.replace('/', '.')}/labels")
    page.locator("#files").set_input_files(
        {"name": "nine.csv", "mimeType": "text/csv", "buffer": SHEET}
    )
    page.get_by_role("button", name="Send").click()
    card = page.locator("#sheets article", has_text="nine.csv")
    card.get_by_role("link", name="Look and confirm").click(timeout=30_000)

    page.get_by_text("uses another scale").wait_for()
    assert page.get_by_role("button", name="Confirm and import").count() == 0
    assert page.evaluate(WIDER) <= 0
    picture(page, f"labels-asks-{shape}")
    page.get_by_label("below 2.25 is 0").check()
    page.get_by_role("button", name="Look again with these answers").click()

    # The page before it names the films too: only the answered one offers to confirm.
    page.get_by_role("button", name="Confirm and import").wait_for(timeout=30_000)
    page.get_by_text("1 of 2 found").wait_for()
    page.get_by_label("film two").select_option("r0002.mp4")
    page.get_by_role("button", name="Look again with these answers").click()
    page.get_by_text("2 of 2 found").wait_for(timeout=30_000)
    stills = page.locator(".label-row img")
    assert stills.count() == 10
    for number in range(10):
        stills.nth(number).scroll_into_view_if_needed()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.label-row img')].every(one => one.naturalWidth > 9)"
    )
    assert "“x” is no grade" in page.locator("main").inner_text()
    assert page.evaluate(WIDER) <= 0
    picture(page, f"labels-rows-{shape}")

    page.get_by_label("Scored from").select_option("video")
    page.get_by_label("Experience of the raters").fill("Two years, 200 pictures")
    page.get_by_role("button", name="Confirm and import").click()
    card = page.locator("#sheets article", has_text="nine.csv")
    card.get_by_text("10 rows by 1 rater; 10 frames found.").wait_for(timeout=30_000)
    assert Rating.objects.visible().count() == 41
    assert set(Rating.objects.visible().values_list("grade", flat=True)) == {0, 1, 2}
    assert page.evaluate(WIDER) <= 0
    picture(page, f"labels-{shape}")

    card.get_by_role("button", name="Undo this import").click()
    page.get_by_text("The import of “nine.csv” is undone.").wait_for()
    assert not Rating.objects.visible().exists()
    page.get_by_text("2 undone").click()
    page.get_by_role("button", name="Redo the import of nine.csv").click()
    card.get_by_text("10 rows by 1 rater; 10 frames found.").wait_for(timeout=30_000)
    assert Rating.objects.visible().count() == 41
    assert LabelImport.objects.get(name="nine.csv").problems[0]["row"] == 10

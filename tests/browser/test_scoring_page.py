"""The score page in a browser: many files, boxes for several animals, frames while it runs."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SHAPES = pytest.mark.parametrize(
    ("shape", "viewport"), [("desktop", DESKTOP), ("phone", PHONE)], ids=["desktop", "phone"]
)
AXE = "() => axe.run(document, {resultTypes: ['violations']})"


@pytest.fixture
def site(transactional_db):
    """A site on which the bundle that is shipped serves."""
    from amgs.registry.shipped import register_shipped

    version = register_shipped(django_settings.ROOT / "models" / "bundles" / "phantom")
    assert version is not None
    return version


def wrong(page: Any) -> list[str]:
    page.evaluate((django_settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    return [one["id"] for one in page.evaluate(AXE)["violations"]]


@SHAPES
def test_several_files_get_a_line_each_and_a_list_with_a_private_link(
    site, worker, open_page, phantom_clip, picture, shape, viewport, tmp_path
):
    page = open_page(None, viewport, bypass_csp=True)
    page.set_default_timeout(100_000)
    page.goto("/score/")
    assert "files and" in page.locator("#quota").inner_text()
    text = tmp_path / "notes.txt"
    text.write_text("no video")
    films = [phantom_clip(1), phantom_clip(2)]
    page.locator("#file").set_input_files([*films, text])
    links = page.locator("#chosen .told a")
    links.nth(1).wait_for()
    assert page.locator("#chosen").get_by_text("no video and no photo").count() == 1
    picture(page, f"score-many-{shape}")
    assert wrong(page) == []
    page.locator("#batch-told a").click()
    page.wait_for_url("**/score/batch/**")
    page.get_by_text("2 of 2 are ready").wait_for()
    for film in films:
        assert page.get_by_role("link", name=film.name).count() == 1
    picture(page, f"score-list-{shape}")
    assert wrong(page) == []


@SHAPES
def test_one_file_is_followed_to_its_result_and_deleted_with_a_way_back(
    site, worker, open_page, phantom_clip, picture, shape, viewport
):
    page = open_page(None, viewport)
    page.set_default_timeout(100_000)
    page.goto("/score/")
    page.locator("#file").set_input_files([phantom_clip(3)])
    page.wait_for_url("**/score/*/")
    page.get_by_text("Link and deletion").wait_for()
    page.get_by_text("Link and deletion").click()
    page.get_by_role("button", name="Delete now").click()
    page.get_by_role("heading", name="This score is about to go").wait_for()
    picture(page, f"score-undo-{shape}")
    page.get_by_role("button", name="Take the deletion back").click()
    page.get_by_text("The score is back").wait_for()


@SHAPES
def test_every_animal_gets_a_box_on_the_first_frame_and_a_score_of_its_own(
    site, worker, open_page, phantom_clip, picture, shape, viewport
):
    page = open_page(None, viewport, bypass_csp=True)
    page.set_default_timeout(100_000)
    page.goto("/score/")
    page.locator("#several summary").click()
    page.locator("#file").set_input_files([phantom_clip(4)])
    page.get_by_text("drag a box around each animal").wait_for()
    canvas = page.locator("#boxes-canvas")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    for number, name in enumerate(("left mouse", "right mouse")):
        x = frame["x"] + frame["width"] * (0.05 + 0.5 * number)
        page.mouse.move(x, frame["y"] + 5)
        page.mouse.down()
        page.mouse.move(x + frame["width"] * 0.4, frame["y"] + frame["height"] - 5)
        page.mouse.up()
        page.locator("#animals li").nth(number).get_by_label("Animal").fill(name)
        canvas.scroll_into_view_if_needed()
        frame = canvas.bounding_box()
    picture(page, f"score-boxes-{shape}")
    assert wrong(page) == []
    page.get_by_role("button", name="Score these animals").click()
    page.locator("#chosen .told a").nth(1).wait_for()
    from amgs.scoring.models import ToolRun

    regions = [run.parameters["region"] for run in ToolRun.objects.order_by("pk")]
    assert [region["name"] for region in regions] == ["left mouse", "right mouse"]
    assert regions[0]["box"][2] <= regions[1]["box"][2]
    assert ToolRun.objects.values("upload").distinct().count() == 1


@SHAPES
def test_the_page_of_a_running_score_shows_what_was_graded_and_survives_a_reload(
    site, open_page, picture, shape, viewport
):
    spec = spec_from_file_location("scored", Path(__file__).with_name("scored.py"))
    scored = module_from_spec(spec)
    spec.loader.exec_module(scored)
    token = scored.running_score(site)
    page = open_page(None, viewport, bypass_csp=True)
    page.set_default_timeout(30_000)
    for _ in range(2):
        page.goto(f"/score/{token}/")
        page.get_by_text("What was graded so far").wait_for()
        page.locator("#first-chart canvas").wait_for()
        assert "could be graded" in page.locator("#first-told").inner_text()
        assert "left" in page.locator("#left").inner_text()
    picture(page, f"score-running-{shape}")
    assert wrong(page) == []


def test_without_a_script_a_file_is_sent_by_the_form(site, open_page, phantom_clip):
    page = open_page(None, PHONE, java_script_enabled=False)
    page.goto("/score/")
    page.locator("#file").set_input_files([phantom_clip(5)])
    page.get_by_role("button", name="Send the file").click()
    page.wait_for_url("**/score/*/")
    assert phantom_clip(5).name in page.locator("h1").inner_text()

"""A tool is chosen, told what to do, given a file, and its answer read: desktop and phone."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]


def _beside(name: str) -> Any:
    spec = spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGES = _beside("test_accessibility")


@pytest.mark.parametrize(
    ("shape", "viewport", "scheme"), PAGES.SHAPES, ids=[row[0] for row in PAGES.SHAPES]
)
def test_eyes_are_measured_from_the_list_of_tools_to_the_chart(
    worker, open_page, phantom_clip, picture, shape, viewport, scheme
):
    axe = (settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text()
    page = open_page(None, viewport, bypass_csp=True, color_scheme=scheme)
    page.set_default_timeout(60_000)
    wrong = []

    def look(name: str) -> None:
        picture(page, f"{name}-{shape}")
        wrong.extend(f"{name}: {sentence}" for sentence in PAGES._complaints(page, axe))

    page.goto("/")
    page.get_by_role("link", name="Tools", exact=True).click()
    page.get_by_role("heading", name="Tools", exact=True).wait_for()
    look("tools")
    page.get_by_role("link", name="Eye opening").click()
    page.get_by_role("button", name="Run on this file").click()
    assert page.get_by_role("alert").filter(has_text="Choose a file first.").count() == 1
    page.locator("#file").set_input_files(phantom_clip(1))
    page.get_by_text("r0001.mp4").wait_for()
    page.get_by_label("Longest blink").fill("0.4")
    look("tool")
    page.get_by_role("button", name="Run on this file").click()
    page.wait_for_url("**/tools/runs/**")
    page.get_by_text("of their width open on average").wait_for()
    page.locator(".u-wrap canvas").first.wait_for()
    assert page.get_by_text("0.4 seconds").count() == 1
    assert page.get_by_text("Phantom.").count() == 1
    look("tool-result")
    with page.expect_download() as waiting:
        page.get_by_role("link", name="eye_opening.csv").last.click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("frame,time_s,opening")
    assert len(lines) > 20
    assert not wrong, "\n".join(wrong)


def test_a_refused_parameter_is_marked_and_the_file_not_sent_again(worker, open_page, phantom_clip):
    page = open_page()
    page.set_default_timeout(60_000)
    page.goto("/tools/motion-index/")
    sent = []
    page.on("request", lambda asked: sent.append(asked.url) if asked.method == "PUT" else None)
    page.locator("#file").set_input_files(phantom_clip(1))
    # Past what the browser itself would stop.
    page.evaluate("document.getElementById('p-least_change').removeAttribute('max')")
    page.get_by_label("Least change").fill("900")
    page.get_by_role("button", name="Run on this file").click()
    page.get_by_text("is between 1 and 128 grey levels, not 900").wait_for()
    assert page.get_by_label("Least change").get_attribute("aria-invalid") == "true"
    count = len(sent)
    page.get_by_label("Least change").fill("20")
    page.get_by_role("button", name="Run on this file").click()
    page.wait_for_url("**/tools/runs/**")
    page.get_by_text("The motion index is").wait_for()
    assert len(sent) == count


def test_a_press_before_the_page_is_ready_waits_for_it(open_page):
    page = open_page()
    page.route("**/tools/send*.js", lambda route: None)  # never arrives
    page.goto("/tools/eye-opening/", wait_until="commit")
    button = page.get_by_role("button", name="Run on this file")
    button.wait_for()
    assert button.is_disabled()

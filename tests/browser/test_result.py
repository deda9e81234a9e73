"""The page of a result as people use it: film and chart together, keys, touch, correction, undo."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = [
    pytest.mark.service("browser"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(400),
]

AXE = "() => axe.run(document, {resultTypes: ['violations']})"
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


@pytest.fixture
def scored(run_jobs, phantom_clip, tmp_path) -> Any:
    """A score of a rendered film, with its film prepared, that Alice asked for."""
    from django.utils import timezone

    from amgs.accounts.models import User
    from amgs.core.models import Job
    from amgs.files.services import store_file
    from amgs.files.storage import get_storage
    from amgs.scoring import extras
    from amgs.scoring.models import ToolRun
    from models.exports import write_columns, write_csv, write_predictions_parquet
    from models.media import open_media
    from models.records import FrameKey, Grade, Prediction
    from models.result import summarise
    from models.scale import load_scale

    scale = load_scale()
    asleep = next(state for state in scale.states if not state.graded)
    said = []
    clip = phantom_clip(3)
    with open_media(clip) as film:
        for frame in film:
            key = FrameKey("a" * 64, 0, frame.pts, frame.time_base)
            rests = frame.index in (4, 5)
            grades = tuple(Grade(key, 1, None, (0.2, 0.6, 0.2), 0.9) for key in scale.unit_keys)
            state = asleep if rests else scale.graded_state
            score = None if rests else 1.0
            reason = asleep.reason if rests else None
            said.append(
                Prediction(key, frame.index, frame.time_s, state.key, None, grades, score, reason)
            )

    def make(user: User | None = None) -> ToolRun:
        folder = tmp_path
        write_predictions_parquet(folder / "predictions.parquet", said)
        write_csv(folder / "frames.csv", said)
        write_columns(folder / "course.bin", said)
        outputs = {}
        for name in ("predictions.parquet", "frames.csv", "course.bin"):
            outputs[name] = f"test/{name}"
            get_storage().put(outputs[name], (folder / name).read_bytes())
        job = Job.objects.create(
            kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
        )
        told = summarise(said, scale, phantom=True).to_json()
        run = ToolRun.objects.create(
            name="cage 4, day 2.mp4",
            user=user,
            job=job,
            blob=store_file(clip, "video/mp4"),
            result=told | {"best_frames": [], "worst_frames": []},
            outputs=outputs,
            provenance={"model": "mouse-v1", "model_id": "0" * 26, "bundle_digest": "b" * 64}
            | {"snapshot": "", "phantom": True, "scored_at": "2026-01-31T10:00:00+00:00"},
        )
        extras.ask_for(run=run, what="player")
        run_jobs()
        return run

    return make


def span(page: Any) -> float:
    """How many seconds the chart shows, from the numbers below it."""
    return float(page.evaluate("Number(document.getElementById('chart').dataset.span)"))


def _complaints(page: Any) -> list[str]:
    from django.conf import settings

    page.evaluate((settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found = page.evaluate(AXE)["violations"]
    return [f"{row['id']}: {row['help']}: {row['nodes'][0]['html'][:200]}" for row in found]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_chart_and_film_go_together(scored, open_page, viewport):
    run = scored()
    page = open_page(None, viewport, has_touch=viewport is PHONE, bypass_csp=True)
    page.goto(f"/score/{run.token}/")
    page.wait_for_selector("#chart[data-frames]")
    page.wait_for_selector("#film:not([hidden])")
    page.wait_for_function("document.getElementById('film').readyState >= 1")
    film, course = page.locator(".film").bounding_box(), page.locator(".course").bounding_box()
    beside = viewport is DESKTOP
    assert (film["x"] + film["width"] <= course["x"]) is beside
    page.locator("#chart").scroll_into_view_if_needed()
    over = page.locator(".u-over")
    box = over.bounding_box()
    middle = {"x": box["width"] * 0.5, "y": 60}
    (over.tap if viewport is PHONE else over.click)(position=middle)
    page.wait_for_function("document.getElementById('film').currentTime > 0.2")
    page.wait_for_function("!document.querySelector('.playhead').hidden")
    whole = span(page)
    page.keyboard.press("+")
    page.wait_for_function(f"Number(document.getElementById('chart').dataset.span) < {whole}")
    page.keyboard.press("0")
    page.wait_for_function(f"Number(document.getElementById('chart').dataset.span) >= {whole}")
    page.get_by_role("button", name="Nose").click()
    assert page.get_by_role("button", name="Nose").get_attribute("aria-pressed") == "false"
    page.keyboard.press("3")
    assert page.get_by_role("button", name="Nose").get_attribute("aria-pressed") == "true"
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    if viewport is DESKTOP:
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
        page.mouse.wheel(0, -300)
        page.wait_for_function(f"Number(document.getElementById('chart').dataset.span) < {whole}")
        over.dblclick(position=middle)
        page.wait_for_function(f"Number(document.getElementById('chart').dataset.span) >= {whole}")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not _complaints(page)
    page.goto(f"/score/{run.token}/report")
    assert not _complaints(page)


def test_the_owner_corrects_a_frame_and_takes_it_back(scored, open_page, story):
    alice = story.person("Alice Arber", lab="Harbour")
    run = scored(alice)
    page = open_page(alice, bypass_csp=True)
    page.goto(f"/score/{run.token}/")
    page.wait_for_selector("#chart[data-frames]")
    page.get_by_role("button", name="Look at this frame, correct its grades").click()
    page.get_by_label("Orbital tightening by hand").select_option("2")
    assert not _complaints(page)
    page.get_by_role("button", name="Keep beside the model's grades").click()
    page.get_by_text("Figures stay the model's unless you tick otherwise").wait_for()
    assert page.get_by_role("switch").get_attribute("aria-checked") == "false"
    assert page.get_by_text("1 → 2").is_visible()
    page.get_by_role("button", name="Undo").click()
    page.get_by_text("The correction was undone").wait_for()
    assert not page.get_by_role("switch").count()

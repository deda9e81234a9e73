"""A study in the browser: the table, the plan that is locked, the results, on desktop and phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

SHAPES = (
    ("desktop", {"width": 1280, "height": 900}, "light"),
    ("phone", {"width": 390, "height": 844}, "dark"),
)
AXE = "() => axe.run(document, {resultTypes: ['violations']})"
MEANS = {"vehicle": (0.3, 1.2), "carprofen": (0.3, 0.6)}


@pytest.fixture(autouse=True)
def _statistics(monkeypatch):
    import sys
    from importlib.util import module_from_spec, spec_from_file_location

    place = Path(__file__).parents[1] / "amgs" / "scoring" / "study_stand_in.py"
    spec = spec_from_file_location("models.study", place)
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "models.study", module)
    spec.loader.exec_module(module)


@pytest.fixture
def serving(db):
    """Two versions: one that serves, and one that did before."""
    from amgs.core.models import Job
    from amgs.registry import services

    def make(mia: Any, digest: str) -> Any:
        version = services.register_version(
            bundle_key="bundles/test.tar",
            bundle_sha256="b" * 64,
            digest=digest * 64,
            info={"phantom": True},
            report={},
            profile="demo",
        )
        services.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
        for action in ("approve", "promote"):
            services.decide_model(by=mia, version=version, action=action, why="for the test")
        Job.objects.filter(kind="registry.mirror").update(state=Job.State.CANCELLED)
        return version

    return make


def _score(user: Any, version: Any, name: str, value: float) -> Any:
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import ToolRun

    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    result = {
        "outcome": "scored",
        "score": value,
        "coverage": 0.6,
        "frames": 600,
        "graded": 360,
        "phantom": True,
    }
    provenance = {
        "model": version.identifier,
        "model_id": version.public_id,
        "bundle_digest": version.digest,
        "phantom": True,
        "scored_at": "2026-01-31T10:00:00+00:00",
    }
    return ToolRun.objects.create(
        name=name,
        user=user,
        job=job,
        model_version=version,
        result=result,
        provenance=provenance,
    )


def _rows() -> list[tuple[str, str, str, str, str, float]]:
    """Return (video, animal, cage, group, time, score) of eight animals at two times."""
    rows = []
    for place, (group, means) in enumerate(MEANS.items()):
        for animal in range(4):
            for hours, mean in zip(("-1", "4"), means, strict=True):
                name = f"m{4 * place + animal + 1}"
                video = f"{name}, {'before' if hours == '-1' else 'after'}.mp4"
                value = mean + 0.07 * animal
                rows.append((video, name, f"c{place}{animal // 2}", group, hours, value))
    return rows


def _complaints(page: Any) -> list[str]:
    page.evaluate((settings.NODE_MODULES / "axe-core" / "axe.min.js").read_text())
    found = [
        f"{row['id']}: {row['nodes'][0]['html'][:160]} {row['nodes'][0].get('failureSummary', '')}"
        for row in page.evaluate(AXE)["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*found, f"{page.url} is {wide} px too wide"] if wide > 0 else found


@pytest.mark.parametrize(("shape", "viewport", "scheme"), SHAPES, ids=[row[0] for row in SHAPES])
def test_a_study_from_an_empty_table_to_a_shared_result(
    story, serving, open_page, picture, shape, viewport, scheme
):
    from amgs.scoring.models import Study, StudyEntry

    alice, mia = (
        story.person("Alice Arber", lab="Harbour"),
        story.person("Mia Moreau", "maintainer"),
    )
    version = serving(mia, "d")
    rows = _rows()
    for video, *_, value in rows:
        _score(alice, version, video, value)
    wrong: list[str] = []

    page = open_page(alice, viewport, color_scheme=scheme, bypass_csp=True)

    def look(name: str) -> None:
        picture(page, f"study-{name}-{shape}")
        wrong.extend(f"{name} ({shape}): {sentence}" for sentence in _complaints(page))

    page.goto("/studies/")
    look("none")
    page.get_by_label("Title of a new study").fill("Carprofen after laparotomy")
    page.get_by_role("button", name="Make the study").click()
    look("empty")
    page.get_by_role("link", name="Add scores").click()
    page.get_by_role("button", name="Choose all of these").click()
    assert page.locator("#chosen-count").inner_text() == f"{len(rows)} chosen"
    look("add")
    page.get_by_role("button", name="Add to the study").click()
    assert StudyEntry.objects.count() == len(rows)

    # A table with a fault is refused by row and column, and what was pasted is still there.
    lines = ["video\tanimal\tcage\tgroup\ttime_h", *("\t".join(row[:5]) for row in rows)]
    text = "\n".join(lines).replace("\t4", "\tfour", 1)
    page.get_by_label("Or paste it here").fill(text)
    page.get_by_role("button", name="Read the table").click()
    assert "column time_h" in page.locator(".notice.bad").inner_text()
    look("refused")
    page.get_by_label("Or paste it here").fill(text.replace("four", "4"))
    page.get_by_role("button", name="Read the table").click()
    cell = page.locator("#grid tbody tr").first.locator("[data-column=group]")
    assert cell.input_value() in MEANS
    page.get_by_role("button", name="Take it back").click()
    assert cell.input_value() == ""
    page.get_by_label("Or paste it here").fill(text.replace("four", "4"))
    page.get_by_role("button", name="Read the table").click()
    _edit(page)
    look("table")
    assert "0.60" not in page.content()

    page.get_by_role("link", name=re.compile("^Results")).click()
    look("hidden")
    page.get_by_role("link", name="To the plan").click()
    page.get_by_label("Time of the primary outcome").select_option("4")
    page.get_by_label("Baseline").select_option("-1")
    page.get_by_label("Vehicle group").select_option("vehicle")
    page.get_by_label("Drug group").select_option("carprofen")
    page.get_by_role("button", name="Keep the plan").click()
    look("plan")
    page.get_by_role("button", name="Lock the plan").click()
    page.get_by_role("button", name="Run the analysis").click()
    look("waits")
    story.run_jobs()
    page.goto(page.url)
    shown = page.locator(".study-figures img")
    figures = shown.count()
    assert figures
    for figure in shown.all():
        figure.scroll_into_view_if_needed()
        assert figure.evaluate("one => one.decode().then(() => one.naturalWidth > 0)")
    look("results")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("Link", exact=True).input_value()
    page.goto(f"/studies/{Study.objects.get().public_id}/plan")
    look("locked")

    stranger = open_page(None, viewport, color_scheme=scheme)
    assert stranger.goto(link).status == 200
    assert stranger.locator(".study-figures img").count() == figures
    assert stranger.goto(f"/studies/{Study.objects.get().public_id}/").url.count("/accounts/login")
    stranger.goto("/studies/")
    assert stranger.get_by_role("heading", name="A study needs an account").is_visible()
    assert not wrong, "\n".join(wrong)


def _edit(page: Any) -> None:
    """Write in cells, by keyboard and by pasting; take it back; be told what is wrong."""
    grid, said = page.locator("#grid"), page.locator("#grid-said")
    rows = grid.locator("tbody tr")
    first = rows.nth(0).locator("[data-column=dose]")
    first.fill("5")
    first.press("Enter")
    page.wait_for_function("document.getElementById('grid-said').textContent === 'Saved.'")
    second = rows.nth(1).locator("[data-column=dose]")
    assert second.evaluate("cell => cell === document.activeElement")
    third = rows.nth(1).locator("[data-column=human_score]")
    third.fill("much")
    third.press("Enter")
    wrong = rows.nth(1).locator(".cell-wrong")
    wrong.wait_for()
    assert "is a number" in wrong.inner_text()
    third.press("Escape")
    assert not wrong.count()
    first.evaluate(
        """cell => {
          cell.focus();
          const data = new DataTransfer();
          data.setData('text/plain', '10 mg\\t1.5\\tmoved\\r\\n20 mg\\t0.5\\t\\r\\n');
          cell.dispatchEvent(
            new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
        }"""
    )
    page.wait_for_function(
        "document.querySelectorAll('#grid tr.out').length === 1"
        " && document.getElementById('grid-said').textContent === 'Saved.'"
    )
    assert second.input_value() == "20 mg"
    undo = page.get_by_role("button", name="Undo")
    undo.click()
    page.wait_for_function("document.getElementById('grid-said').textContent === 'Taken back.'")
    assert (first.input_value(), second.input_value()) == ("5", "")
    undo.click()
    page.wait_for_function("document.getElementById('grid-undo').disabled")
    assert said.inner_text() == "Taken back."
    page.reload()
    assert first.input_value() == ""


def test_scores_of_another_version_are_refused_with_a_button_that_scores_all_with_one(
    story, serving, open_page, picture
):
    from amgs.files.models import Blob
    from amgs.scoring import studies
    from amgs.scoring.models import ToolRun

    alice, mia = (
        story.person("Alice Arber", lab="Harbour"),
        story.person("Mia Moreau", "maintainer"),
    )
    first = serving(mia, "d")
    one = _score(alice, first, "before.mp4", 0.2)
    study = studies.create_study(by=alice, title="Two versions")
    studies.add_scores(by=alice, study=study, scores=[one.token])
    second = serving(mia, "e")
    _score(alice, second, "after.mp4", 0.4)
    blob = Blob.objects.create(sha256="a" * 64, size=1, key="blobs/a", media_type="video/mp4")
    ToolRun.objects.update(blob=blob)

    page = open_page(alice)
    page.goto(f"/studies/{study.public_id}/add")
    page.get_by_label("after.mp4").check()
    page.get_by_role("button", name="Add to the study").click()
    assert "A study rests on one version" in page.locator(".notice.bad").inner_text()
    assert page.get_by_label("after.mp4").is_checked()
    picture(page, "study-mixed-desktop")
    page.get_by_label("Version").select_option(second.public_id)
    page.get_by_role("button", name="Add them and score all with it").click()
    told = page.locator("#scoring")
    assert f"1 of 2 rows have a score by {second.identifier}" in told.inner_text()
    assert "being scored again" in page.locator("#grid").inner_text()
    picture(page, "study-scoring-desktop")

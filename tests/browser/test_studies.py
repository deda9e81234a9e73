"""A study in the browser: the table, the plan that is locked, the results, on desktop and phone."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

pytestmark = [
    pytest.mark.service("browser"),
    pytest.mark.django_db(transaction=True),
    pytest.mark.timeout(900),
]

SHAPES = (
    ("desktop", {"width": 1280, "height": 900}, "light"),
    ("phone", {"width": 390, "height": 844}, "dark"),
)
AXE = "() => axe.run(document, {resultTypes: ['violations']})"


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


def _example(folder: Path) -> list[dict[str, str]]:
    """Make up a study of rendered mice; its rows as the table of the tool has them."""
    import csv

    from models.study.example import ExampleSize, write_example

    table = folder / "study.csv"
    write_example(table, ExampleSize(animals=4, times=(-1.0, 4.0), seconds=20.0))
    with table.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _score(user: Any, version: Any, row: dict[str, str], folder: Path) -> Any:
    """Put a made-up recording there as if the site had scored it."""
    import json

    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.files.storage import get_storage
    from amgs.scoring.models import ToolRun

    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    whole = json.loads((folder / row["result"]).read_text(encoding="utf-8"))
    key = f"jobs/{job.public_id}/1/predictions.parquet"
    get_storage().put(key, (folder / row["predictions"]).read_bytes())
    provenance = {
        "model": version.identifier,
        "model_id": version.public_id,
        "bundle_digest": version.digest,
        "snapshot": "made-up",
        "phantom": True,
        "scored_at": "2026-01-31T10:00:00+00:00",
    }
    return ToolRun.objects.create(
        name=f"{row['name']}.mp4",
        user=user,
        job=job,
        model_version=version,
        result=whole["result"] | {"best_frames": []},
        outputs={"predictions.parquet": key},
        provenance=provenance,
    )


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
    story, serving, open_page, picture, tmp_path, shape, viewport, scheme
):
    from amgs.scoring.models import Study, StudyEntry

    alice, mia = (
        story.person("Alice Arber", lab="Harbour"),
        story.person("Mia Moreau", "maintainer"),
    )
    version = serving(mia, "0")
    rows = _example(tmp_path)
    for row in rows:
        _score(alice, version, row, tmp_path)
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
    keys = ("animal", "cage", "group", "time_h", "human_score", "excluded")
    lines = ["\t".join(("name", *keys))]
    lines += ["\t".join((f"{row['name']}.mp4", *(row[key] for key in keys))) for row in rows]
    text = "\n".join(lines).replace("\t4\t", "\tfour\t", 1)
    page.get_by_label("Or paste it here").fill(text)
    page.get_by_role("button", name="Read the table").click()
    assert "column time_h" in page.locator(".notice.bad").inner_text()
    look("refused")
    page.get_by_label("Or paste it here").fill(text.replace("four", "4"))
    page.get_by_role("button", name="Read the table").click()
    cell = page.locator("#grid tbody tr").first.locator("[data-column=group]")
    assert cell.input_value() in {row["group"] for row in rows}
    page.get_by_role("button", name="Take it back").click()
    assert cell.input_value() == ""
    page.get_by_label("Or paste it here").fill(text.replace("four", "4"))
    page.get_by_role("button", name="Read the table").click()
    _edit(page)
    look("table")
    assert not page.locator("#grid a").count()
    assert "scorable" not in page.locator("#grid").inner_text()

    page.get_by_role("link", name=re.compile("^Results")).click()
    look("hidden")
    page.get_by_role("link", name="To the plan").click()
    page.get_by_label("Time of the primary outcome").select_option("4")
    page.get_by_label("Baseline").select_option("-1")
    page.get_by_label("Vehicle group").select_option("vehicle")
    page.get_by_label("Control group").select_option("sham")
    page.get_by_label("Cut-off of a high score").fill("0,8")
    page.get_by_text("What few people change").click()
    page.get_by_label("Draws").fill("199")
    page.get_by_label("Drug group").select_option("drug")
    page.get_by_role("button", name="Keep the plan").click()
    look("plan")
    page.get_by_role("button", name="Lock the plan").click()
    page.get_by_role("button", name="Run the analysis").click()
    look("waits")
    story.run_jobs()
    shown = page.locator(".study-figure img")
    shown.first.wait_for(timeout=30_000)  # the page that watched the progress loads itself anew
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
    assert stranger.locator(".study-figure img").count() == figures
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
        "document.querySelector('#grid tbody tr').matches('.out')"
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
    story, serving, open_page, picture, tmp_path
):
    from amgs.files.models import Blob
    from amgs.scoring import studies
    from amgs.scoring.models import ToolRun

    alice, mia = (
        story.person("Alice Arber", lab="Harbour"),
        story.person("Mia Moreau", "maintainer"),
    )
    first = serving(mia, "0")
    rows = _example(tmp_path)
    one = _score(alice, first, rows[0], tmp_path)
    study = studies.create_study(by=alice, title="Two versions")
    studies.add_scores(by=alice, study=study, scores=[one.token])
    second = serving(mia, "e")
    other = _score(alice, second, rows[1], tmp_path)
    blob = Blob.objects.create(sha256="a" * 64, size=1, key="blobs/a", media_type="video/mp4")
    ToolRun.objects.update(blob=blob)

    page = open_page(alice)
    page.goto(f"/studies/{study.public_id}/add")
    page.get_by_label(other.name).check()
    page.get_by_role("button", name="Add to the study").click()
    assert "A study rests on one version" in page.locator(".notice.bad").inner_text()
    assert page.get_by_label(other.name).is_checked()
    picture(page, "study-mixed-desktop")
    page.get_by_label("Version").select_option(second.public_id)
    page.get_by_role("button", name="Add them and score all with it").click()
    told = page.locator("#scoring")
    assert f"1 of 2 rows have a score by {second.identifier}" in told.inner_text()
    assert "being scored again" in page.locator("#grid").inner_text()
    picture(page, "study-scoring-desktop")

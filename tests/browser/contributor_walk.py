"""A contributor's way through the pages, step by step as ``docs/tutorial/contributor.md`` says."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PATIENCE = 120_000  # milliseconds
PEOPLE = (
    ("Example, Ada", "0000-0002-1825-0097", "author"),
    ("Example, Ben", "", "rater"),
)
# An upload that was announced and of which nothing has arrived, as a closed page leaves it.
BEGUN = """async ([lab, version, name]) => {
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  const facts = { lab, name, size: 34_000_000, purpose: "recording", target: version };
  const answer = await fetch("/api/uploads", {
    method: "POST", headers: { ...headers, "Content-Type": "application/json" },
    body: JSON.stringify(facts),
  });
  if (!answer.ok) throw new Error(await answer.text());
}"""
Keep = Callable[[str], None]
"""Takes a picture of the page as it stands, under a name."""


@dataclass(frozen=True)
class Study:
    """What the walk contributes."""

    title: str
    animals: str
    groups: str
    times: str
    films: dict[Path, str]
    """File → animal and time point as the page lists them."""
    sheet: str
    """A score sheet as CSV."""


def of_the_demo(folder: Path) -> Study:
    """Return the four films of the tutorial from a lab's folder of the demo, and their rows."""
    places = {
        "r0001.mp4": "m02, baseline",
        "r0003.mp4": "m01, after",
        "r0014.mp4": "m02, after",
        "r0017.mp4": "m01, baseline",
    }
    lines = (folder / "scores.csv").read_text(encoding="utf-8").splitlines()
    wanted = re.compile(r"(file|r00(01|03|14|17)[.]mp4,[0-9]),")
    return Study(
        title="Grimace after laparotomy, two animals",
        animals="name, group, cage, sex, strain, coat, age_weeks\n"
        "m01, A, c1, female, BALB/c, white, 12\nm02, A, c2, male, BALB/c, white, 11",
        groups="name, drug\nA, vehicle",
        times="name, hours_after_procedure\nbaseline, -24\nafter, 4",
        films={folder / "videos" / name: place for name, place in places.items()},
        sheet="\n".join(line for line in lines if wanted.match(f"{line},")),
    )


def contribute(page: Any, study: Study, keep: Keep) -> str:
    """Make the dataset, fill in its steps and submit it; return the address of the version."""
    page.goto("/datasets/")
    page.get_by_role("link", name="New dataset").first.click()
    page.get_by_label("Title").fill(study.title)
    page.get_by_label("Phantom").check()
    page.get_by_role("button", name="Make the draft").click()
    assert page.locator(".steps li").count() == 6
    _describe(page, keep)
    _design(page, study, keep)
    _recordings(page, study, keep)
    _sheets(page, study, keep)
    _permissions(page, keep)
    return _submit(page, study, keep)


def _describe(page: Any, keep: Keep) -> None:
    page.get_by_label("Ethics statement").fill("Rendered pictures: no animal was used")
    page.get_by_label("Assay").select_option(label="Post-surgical")
    page.get_by_label("What was assigned to treatment").select_option(label="Each animal")
    for number, (name, orcid, role) in enumerate(PEOPLE):
        if number:
            page.get_by_role("button", name="Add a person").click()
        row = page.locator(".contributor").nth(number)
        row.get_by_label("Name").fill(name)
        row.get_by_label("ORCID iD").fill(orcid)
        row.get_by_label("What they did").select_option(role)
    page.get_by_role("button", name="Save", exact=True).click()
    keep("describe")
    page.get_by_role("button", name="Save and go on").click()


def _design(page: Any, study: Study, keep: Keep) -> None:
    page.get_by_label("Animals").fill(study.animals)
    page.get_by_label("Groups").fill(study.groups)
    page.get_by_label("Time points").fill(study.times)
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="Download the template for Excel").wait_for()
    keep("design")
    page.get_by_role("button", name="Save and go on").click()


def _recordings(page: Any, study: Study, keep: Keep) -> None:
    form = page.locator("#recordings-form")
    ids = [form.get_attribute("data-lab"), form.get_attribute("data-version")]
    page.evaluate(BEGUN, [*ids, "m03_baseline.mp4"])
    page.locator("#files").set_input_files(list(study.films))
    for path, place in study.films.items():
        page.get_by_label(f"Animal and time point of {path.name}").select_option(label=place)
    page.get_by_role("button", name="Send").click()
    count = len(study.films)
    page.get_by_text(f"{count} of {count} sent").wait_for(timeout=PATIENCE)
    page.locator(".recording .poster img").nth(count - 1).wait_for(timeout=PATIENCE)
    page.get_by_role("heading", name="Begun and not finished").wait_for()
    keep("unfinished")
    page.get_by_role("button", name="Discard m03_baseline.mp4").click()
    page.locator("#unfinished").wait_for(state="hidden")
    page.get_by_role("link", name="Go on").click()


def _sheets(page: Any, study: Study, keep: Keep) -> None:
    file = {"name": "first-scores.csv", "mimeType": "text/csv", "buffer": study.sheet.encode()}
    page.locator("#files").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    page.get_by_role("link", name="Look and confirm").click(timeout=PATIENCE)
    page.get_by_role("heading", name="The first", exact=False).wait_for(timeout=PATIENCE)
    keep("label-file")
    page.get_by_label("Scored from").select_option(label="Video")
    page.get_by_label("Raters blind to group and time").select_option(label="Yes")
    page.get_by_label("How frames were chosen").fill("every_n_seconds")
    page.get_by_label("Experience of the raters").fill("Rendered raters")
    page.get_by_role("button", name="Confirm and import").click()
    page.get_by_role("link", name="How it was read").wait_for(timeout=PATIENCE)
    keep("labels")
    page.get_by_role("link", name="Go on").click()


def _permissions(page: Any, keep: Keep) -> None:
    for box in page.locator("input[name=kinds]").all():
        box.check()
    page.get_by_label("Licence of the download").select_option("CC0-1.0")
    page.get_by_label("We have the right to share these data").check()
    page.get_by_role("button", name="Sign", exact=True).click()
    keep("permissions")
    page.get_by_label("We have the right to share these data").check()
    page.get_by_role("button", name="Sign and go on").click()


def _submit(page: Any, study: Study, keep: Keep) -> str:
    assert page.locator("#contact-sheets img").count() == len(study.films)
    with page.expect_response(lambda answer: answer.status == 204):
        page.get_by_label("People, badges and cage cards").select_option(
            label="Looked: none to be seen"
        )
    keep("submit")
    page.get_by_role("button", name="Submit for review").click()
    page.locator(".page-head .state", has_text="screened").wait_for(timeout=PATIENCE)
    return str(page.url)

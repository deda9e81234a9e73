"""The tutorial of a contributor can be followed, and the pictures of the documentation be taken."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]
HERE = Path(__file__).resolve().parent
TUTORIAL = HERE.parents[1] / "docs" / "tutorial" / "contributor.md"


def load(name: str) -> ModuleType:
    """Load a script that lies beside this file."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def study(phantom_clip):
    """Two films of one mouse, and a sheet of two raters."""
    from models.scale import load_scale

    walk, keys = load("contributor_walk"), load_scale().unit_keys
    films = {phantom_clip(number): place for number, place in ((1, "baseline"), (2, "after"))}
    rows = [",".join(["file", "frame", "rater", *keys])]
    for path in films:
        rows += [f"{path.name},{frame},{who},0,1,2,1,9" for frame in (0, 5) for who in "ab"]
    return walk.Study(
        title="Grimace after laparotomy, one animal",
        animals="name, group, sex, strain, coat\nm01, A, female, CD-1, white",
        groups="name, drug\nA, vehicle",
        times="name, hours_after_procedure\nbaseline, -24\nafter, 4",
        films={path: f"m01, {place}" for path, place in films.items()},
        sheet="\n".join(rows),
    )


def test_a_contributor_walks_as_the_tutorial_says(story, worker, open_page, study, tmp_path):
    ada = story.person("Ada Example", lab="Phantom lab North")
    pictures = load("take_screenshots")
    out = Path(os.environ.get("AMGS_SCREENSHOTS") or tmp_path)
    desktop, phone = (open_page(ada, shape) for shape in pictures.SHAPES.values())
    for page in (desktop, phone):
        page.set_default_timeout(60_000)
    where = pictures.walk(desktop, phone, study, out)
    assert {path.name for path in out.glob("unfinished-*.png")} == {
        "unfinished-desktop.png",
        "unfinished-phone.png",
    }
    desktop.goto(where)
    assert "Example, Ada (unpublished)" in desktop.locator("#citation").inner_text()
    pages = {"": open_page(), "ada": desktop, "clara": desktop, "max": desktop}
    assert pictures.leaving(desktop) is None
    assert pictures.addresses(pages, None)["score"] == ("", "/score/")
    told = TUTORIAL.read_text(encoding="utf-8")
    for words in ("Look and confirm", "Submit for review", "Save and go on", "Sign and go on"):
        assert f"**{words}**" in " ".join(told.split()), words

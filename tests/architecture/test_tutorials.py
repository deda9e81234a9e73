"""The tutorials name what stands on the pages: bold words, keys, people and films of the demo."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorial").glob("*.md"))
WEB = ROOT / "platform" / "amgs" / "web"
# Titles of acts, fields and terms come from the rules, not from the templates.
QUOTED = (
    *WEB.rglob("*.py"),
    *(ROOT / "platform" / "amgs" / "training").glob("*.py"),
    *(WEB / "static" / "amgs").rglob("*.js"),
    *(ROOT / "curation").rglob("*.py"),
    *(ROOT / "curation").glob("*.toml"),
)


def words_on_pages() -> Iterator[str]:
    """Yield every text of a template and every quoted text that a page may show."""
    for path in (WEB / "templates").rglob("*.html"):
        # A tag of the template ends a text, as an element does.
        plain = re.sub(r"{[%{#].*?[%}#]}", "<>", path.read_text())
        yield from (" ".join(text.split()) for text in re.findall(r">([^<>]+)<", plain))
        for tag in re.findall(r"{% state .*?%}", path.read_text()):
            yield from re.findall(r'"([^"]+)"', tag)
    for path in QUOTED:
        yield from re.findall(r'"([^"\n]+)"', path.read_text())


def bold(page: Path) -> list[str]:
    """Return what a page shows in bold, without a full stop at its end."""
    return [
        " ".join(found.split()).rstrip(".")
        for found in re.findall(r"\*\*(.+?)\*\*", page.read_text(), re.S)
    ]


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_word_in_bold_stands_on_a_page(page: Path) -> None:
    shown = set(words_on_pages())
    assert not [found for found in bold(page) if found not in shown]


def test_every_key_of_the_raters_tutorial_is_in_the_list_of_keys() -> None:
    told = {key for key in bold(ROOT / "docs" / "tutorial" / "rater.md") if len(key) == 1}
    keys = re.findall(r"<kbd>(.+?)</kbd>", (WEB / "templates" / "rating" / "rate.html").read_text())
    assert told
    assert told <= set(keys)


def test_everybody_who_signs_in_is_made_by_the_demo() -> None:
    named = {
        name for page in TUTORIALS for name in re.findall(r"(\w+)@demo\.example", page.read_text())
    }
    people = (ROOT / "platform" / "amgs" / "demo" / "people.py").read_text()
    made = {name.lower() for name in re.findall(r'"(\w+) \w+"', people)}
    assert named
    assert named <= made


def test_the_films_of_the_tutorial_are_those_of_the_demo() -> None:
    from models.phantom.plans import PLANS
    from models.phantom.study import draw_recordings
    from models.scale import load_scale

    text = (ROOT / "docs" / "tutorial" / "contributor.md").read_text()
    named = re.findall(r"\| `(r\d+\.mp4)` \| (\w+), (\w+) \|", text)
    north = PLANS["demo"]().labs[0]
    # 7 is the seed of `manage.py demo` and the number by which its first lab begins to draw.
    made = {
        Path(one.file).name: (one.animal.name, one.observation, one.animal)
        for one in draw_recordings(north, 7, load_scale())
    }
    assert f"phantom-{north.key.removeprefix('phantom-')}/videos" in text
    assert named
    for film, animal, observation in named:
        assert made[film][:2] == (animal, observation)
        truth = made[film][2]
        row = f"{animal}, A, c\\d, {truth.sex}, [^,]+, {truth.coat.key}, {truth.age_weeks}"
        assert re.search(row, text), row

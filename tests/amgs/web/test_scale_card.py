"""The scale on one page, and the drawings it shows."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils.html import escape

from amgs.web import drawings
from models.scale import load_scale

UNITS = load_scale().units


def test_the_committed_drawings_are_what_the_program_writes():
    committed = {path.name: path.read_text() for path in drawings.CARD.iterdir()}
    assert committed == drawings.files()


def test_writing_the_drawings_writes_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(drawings, "CARD", tmp_path / "card")
    drawings.main()
    assert {path.name for path in (tmp_path / "card").iterdir()} == set(drawings.files())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.key)
def test_every_grade_is_drawn_differently_and_says_what_it_is(unit):
    drawn = [drawings.drawing(unit, grade) for grade in range(len(unit.grades))]
    assert len(set(drawn)) == len(unit.grades)
    for text, definition in zip(drawn, unit.grades, strict=True):
        picture = ElementTree.fromstring(text)  # noqa: S314
        assert definition in picture.findtext("{*}title", "")


def test_anybody_sees_every_definition_with_its_drawing(db):
    html = Client().get("/scale/").content.decode()
    for unit in UNITS:
        assert escape(unit.note) in html
        for grade, definition in enumerate(unit.grades):
            assert escape(definition) in html
            assert drawings.file_name(unit, grade) in html
            assert finders.find(f"amgs/rating/card/{drawings.file_name(unit, grade)}")


def test_the_page_says_when_there_is_no_grade_and_that_it_is_not_the_manual(db):
    html = Client().get("/scale/").content.decode()
    scale = load_scale()
    for reason in scale.reasons:
        assert escape(reason.title) in html
    assert f"fewer than {scale.minimum_units} of the {len(UNITS)} units" in html
    assert "do not replace the official manual" in html
    assert "https://nc3rs.org.uk/3rs-resources/grimace-scales" in html
    assert "https://doi.org/10.1038/nmeth.1455" in html


def test_every_page_leads_to_the_scale(db):
    assert 'href="/scale/"' in Client().get("/").content.decode()

"""Every template of the site can be read, those of rare pages too."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.template.loader import get_template

import amgs.web

FOLDER = Path(amgs.web.__file__).parent / "templates"
NAMES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.html"))


@pytest.mark.parametrize("name", NAMES)
def test_a_template_can_be_read(name):
    get_template(name)

"""The words of label files, read once from `words.toml`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

_TOLD: dict[str, Any] = tomllib.loads(
    Path(__file__).with_name("words.toml").read_text(encoding="utf-8")
)

ROLES: dict[str, tuple[str, ...]] = {key: tuple(row) for key, row in _TOLD["roles"].items()}
"""Role → headers that mean it beyond doubt, in lower case with underscores."""
TITLES: dict[str, str] = dict(_TOLD["titles"])
"""Role → what it is, in words."""
GRADE_ENDINGS: tuple[str, ...] = tuple(_TOLD["suffixes"]["grade"])
CONFIDENCE_ENDINGS: tuple[str, ...] = tuple(_TOLD["suffixes"]["confidence"])
BOXES: dict[str, tuple[str, ...]] = {key: tuple(row) for key, row in _TOLD["boxes"].items()}
"""What the numbers of a box, and what holds boxes and scores, are called."""
OTHER_SCALES: dict[str, str] = dict(_TOLD["other_scales"])
"""Header → the scale of another species that has it."""

_BY_WORD = {word: role for role, words in ROLES.items() for word in words}


def normal(text: str) -> str:
    """A name in lower case with underscores: `Comment Scorer-4` → `comment_scorer_4`."""
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")


def role_of(header: str) -> str | None:
    """Return the role that a header names beyond doubt."""
    return _BY_WORD.get(normal(header))

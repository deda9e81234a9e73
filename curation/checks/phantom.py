"""Versions that show a rendered mouse."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts


def shows_real_mice(facts: VersionFacts) -> Finding:
    """Informs when the recordings are rendered: nothing learned from them holds for real mice."""
    if not facts.phantom:
        return Finding(True, "The recordings are declared to show real mice.")
    return Finding(
        False,
        "The recordings show a rendered phantom mouse: they exercise the machinery and say nothing "
        "about real mice.",
    )


CHECK = Check("phantom", "Real or rendered", "informs", shows_real_mice)

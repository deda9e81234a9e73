"""The explanation pages say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from curation import dataset_version, model_version
from curation.gates import GATES, PROFILES, Profile

PAGES = Path(__file__).parents[2] / "docs" / "explanation"


def test_the_drawn_lifecycles_are_the_real_ones() -> None:
    text = (PAGES / "lifecycles.md").read_text(encoding="utf-8")
    drawn = re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL)
    assert drawn == [
        dataset_version.LIFECYCLE.mermaid(),
        model_version.LIFECYCLE.mermaid(),
    ]


def test_the_page_of_the_gates_names_every_gate_threshold_and_profile() -> None:
    text = (PAGES / "gates.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", text, re.MULTILINE)
    assert [name for name, _ in rows] == [gate.__name__ for gate in GATES]
    named = {word for _, thresholds in rows for word in re.findall(r"`(\w+)`", thresholds)}
    assert named == {field.name for field in fields(Profile)} - {"name", "purpose"}
    assert all(f"`{name}`" in text for name in PROFILES)

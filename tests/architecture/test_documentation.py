"""The documentation says what the code does, no less and nothing else."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_generated_reference_is_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "generate.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]


def test_the_readme_stays_short_and_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 80
    assert "make demo" in text
    assert "make test" in text


def test_every_setting_of_the_environment_is_documented() -> None:
    asked = set()
    for path in (ROOT / "platform" / "amgs" / "settings").glob("*.py"):
        if path.name == "testing.py":
            continue  # the tests' own, for nobody who runs a site
        text = path.read_text()
        asked |= set(re.findall(r"""(?:environ(?:\.get\(|\[)|_flag\()\s*["']([A-Z_]+)["']""", text))
    named = (ROOT / "docs" / "reference" / "settings.md").read_text()
    assert asked
    assert not {name for name in asked if f"`{name}`" not in named}


def test_every_link_between_pages_leads_somewhere() -> None:
    broken = []
    for page in (ROOT / "docs").rglob("*.md"):
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text()):
            if "://" in target or target.startswith(("mailto:", "/")):
                continue
            if not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)} → {target}")
    assert not broken


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text()
    missing = [
        str(page.relative_to(ROOT / "docs"))
        for page in (ROOT / "docs").rglob("*.md")
        if str(page.relative_to(ROOT / "docs")) not in navigation
    ]
    assert not missing

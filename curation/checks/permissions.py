"""The four permissions."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts

PERMISSIONS: dict[str, str] = {
    "outside_raters": "raters outside the lab may see frames",
    "train": "the public model may learn from the frames",
    "show_frames": "frames may be shown in public reports",
    "download": "everybody may download the recordings",
}
"""Permission key → what saying yes to it means."""


def permissions_are_stated(facts: VersionFacts) -> Finding:
    """Blocks while a permission is neither given nor refused; both answers are welcome."""
    open_ones = tuple(key for key in PERMISSIONS if facts.permissions.get(key) is None)
    if not open_ones:
        given = [PERMISSIONS[key] for key in PERMISSIONS if facts.permissions[key]]
        return Finding(True, f"Stated: {'; '.join(given) or 'nothing of the four is allowed'}.")
    asked = "; ".join(f"whether {PERMISSIONS[key]}" for key in open_ones)
    return Finding(False, f"Say yes or no under Rights: {asked}.", open_ones)


CHECK = Check("permissions", "Permissions", "blocks", permissions_are_stated)

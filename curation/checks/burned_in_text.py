"""Text burned into the pictures."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def pictures_hold_no_text(facts: VersionFacts) -> Finding:
    """Warns where lines of text stand still in the pictures: they may tell group, animal or time.

    Printed text of about eight pixels of height or more is found, above and below the middle; what
    it says is not read, and handwriting is not found.
    """
    held = tuple(one.file for one in facts.recordings if (one.media or {}).get("text_boxes"))
    if not held:
        return Finding(True, "No line of text was found in the pictures.")
    return Finding(
        False,
        f"Something like text stands in the pictures of {count(len(held), 'recording')}, first "
        f"{held[0]}. If it tells group, treatment, animal or time, raters are not blind: export "
        "the recordings without it, or cover it. Otherwise say what it is.",
        held,
    )


CHECK = Check("burned_in_text", "No text in the pictures", "warns", pictures_hold_no_text, "text")

"""Raters who gave one grade to everything."""

from __future__ import annotations

from collections import defaultdict

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import listing

ENOUGH = 20
"""Grades of one rater from which on it is odd that all are the same."""


def raters_tell_frames_apart(facts: VersionFacts) -> Finding:
    """Warns when a rater gave the same grade to every frame and unit of a sheet."""
    odd: list[tuple[str, str, int, int]] = []
    unknown = 0
    for sheet in facts.labels:
        unknown += sheet.spread is None
        given: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for row in sheet.spread or ():
            for grade, times in enumerate(row.counts):
                given[row.rater][grade] += times
        for rater, counts in given.items():
            used = [grade for grade, times in counts.items() if times]
            if len(used) == 1 and counts[used[0]] >= ENOUGH:
                odd.append((sheet.file, rater, used[0], counts[used[0]]))
    if not odd:
        told = " Not counted in every sheet." if unknown else ""
        return Finding(True, f"No rater gave one grade to everything.{told}")
    file, rater, grade, times = odd[0]
    names = tuple(f"{name} in {sheet}" for sheet, name, _, _ in odd)
    return Finding(
        False,
        f"Rater {listing(names)} gave one grade to everything: {rater} gave {grade} all {times} "
        f"times in {file}. Check that the column is a rater's and was read rightly; grades that "
        "never differ tell nothing.",
        names,
    )


CHECK = Check("rater_variance", "Raters who tell frames apart", "warns", raters_tell_frames_apart)

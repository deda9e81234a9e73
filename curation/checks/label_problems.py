"""Cells of score sheets that could not be read, and rows that match no frame."""

from __future__ import annotations

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count


def every_cell_was_read(facts: VersionFacts) -> Finding:
    """Warns about single cells and rows; each of them blocks nothing but itself."""
    problems = [problem for sheet in facts.labels for problem in sheet.problems]
    unmatched = [
        f"{count(sheet.frames_unmatched, 'frame')} of {sheet.file} match no recording"
        for sheet in facts.labels
        if sheet.frames_unmatched and sheet.frames_matched
    ]
    if not problems and not unmatched:
        return Finding(True, "Every cell of the score sheets could be read.")
    sentences = []
    if problems:
        places = count(len(problems), "cell or row", "cells or rows")
        sentences.append(f"Left out of the score sheets: {places}; first {problems[0]}")
    if unmatched:
        sentences.append("; ".join(unmatched) + ", so their grades were left out.")
    return Finding(False, " ".join(sentences), tuple(str(problem) for problem in problems))


CHECK = Check("label_problems", "Cells of the score sheets", "warns", every_cell_was_read)

"""File names that tell the group or the time point."""

from __future__ import annotations

import re

from curation.checks import Check, Finding
from curation.facts import VersionFacts
from curation.sentences import count

TELLING_WORDS = frozenset(
    [
        *("baseline", "before", "after", "pre", "post", "preop", "postop", "surgery"),
        *("sham", "naive", "vehicle", "saline", "control", "treated", "treatment", "drug"),
        *("pain", "painful"),
    ]
)
TREATMENT_FIELDS = ("drug", "analgesic", "anaesthetic", "procedure")
HARMLESS = frozenset(["none", "and", "the", "with", "mouse", "day", "week", "hour", "time"])
"""Words that name no group alone."""
_TIME = re.compile(r"(?:day|week|hour|min)\d+|\d+(?:h|hr|hrs|d|wk|min)|[dt]\d+h?")
_WORDS = re.compile(r"[a-z]+\d*[a-z]*|\d+[a-z]*")


def names_tell_nothing(facts: VersionFacts) -> Finding:
    """Warns when a name holds a group, a treatment or a time: whoever sees it is not blind."""
    told = _told(facts)
    telling: dict[str, str] = {}
    for one in facts.recordings:
        stem = one.file.rsplit(".", 1)[0].replace("_", " ").casefold()
        for word in _WORDS.findall(stem):
            if word in TELLING_WORDS or word in told or _TIME.fullmatch(word):
                telling.setdefault(one.file, word)
    if not telling:
        return Finding(True, "File names tell neither group nor time.")
    file, word = next(iter(telling.items()))
    return Finding(
        False,
        f"{count(len(telling), 'file name')} may tell group or time, first {file} (“{word}”); "
        "raters here see neutral names, but whoever scored from these files may not have been "
        "blind.",
        tuple(telling),
    )


def _told(facts: VersionFacts) -> set[str]:
    """The words by which this version names groups, treatments and time points."""
    texts = [one.name for one in facts.groups] + [one.name for one in facts.observations]
    for values in (facts.metadata, *(one.treatment for one in facts.groups)):
        texts += [str(values.get(key) or "") for key in TREATMENT_FIELDS]
    words = {word for text in texts for word in _WORDS.findall(text.casefold())}
    return {word for word in words if len(word) >= 3} - HARMLESS


CHECK = Check("name_leaks", "Neutral file names", "warns", names_tell_nothing)

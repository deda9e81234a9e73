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
_TIME = re.compile(r"(?:day|week|hour|min)\d+|\d+(?:h|hr|hrs|d|wk|min)|[dt]\d+h?")
_WORDS = re.compile(r"[a-z]+\d*[a-z]*|\d+[a-z]*")


def names_tell_nothing(facts: VersionFacts) -> Finding:
    """Warns when a name holds a group, a treatment or a time: whoever sees it is not blind."""
    told = {
        word
        for group in facts.groups
        for text in (group.name, str(group.treatment.get("drug") or ""))
        for word in _WORDS.findall(text.casefold())
        if len(word) >= 3
    }
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


CHECK = Check("name_leaks", "Neutral file names", "warns", names_tell_nothing)

"""Animal, time point and the like out of file names, by a pattern that the investigator confirms.

A pattern is a file name with fields in braces: `{animal}_w{week}_{phase}_{minute}min` reads
`m1_w3_before_20min.png` as animal m1, week 3, phase before, minute 20. What follows the last field
of the pattern may be an ending such as `.png`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from curation.labels.rows import UnknownFormat

MOST_FIELDS = 8
_FIELD = re.compile(r"\{([a-z][a-z_]{0,30})\}")


def parts_of_names(pattern: str, files: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return file → field → text for the files whose last part fits the pattern.

    A field holds no separator (`_`, `-`, space, point, slash) and at least one character. Raises
    `UnknownFormat` for a pattern without fields, with a field twice or with fields that touch.
    """
    rule = _compiled(pattern)
    found = {}
    for file in dict.fromkeys(files):
        fit = rule.fullmatch(file.rsplit("/", 1)[-1][:500])
        if fit:
            found[file] = fit.groupdict()
    return found


def _compiled(pattern: str) -> re.Pattern[str]:
    pieces = _FIELD.split(pattern)
    words, fields = pieces[::2], pieces[1::2]
    sound = 0 < len(fields) <= MOST_FIELDS and len(set(fields)) == len(fields)
    if not sound or len(pattern) > 300 or any("{" in word or "}" in word for word in words):
        raise UnknownFormat(
            f"“{pattern[:60]}” is no pattern for file names; write one such as "
            "{animal}_{day}, with each field once."
        )
    if not all(words[1:-1]):
        raise UnknownFormat(
            f"Two fields of “{pattern[:60]}” touch; write what stands between them."
        )
    text = re.escape(words[0])
    for field, word in zip(fields, words[1:], strict=True):
        text += rf"(?P<{field}>[^_\-\s./]+?){re.escape(word)}"
    return re.compile(text + r"(?:\.[A-Za-z0-9]{1,5})?")

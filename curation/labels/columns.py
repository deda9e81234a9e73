"""Which column of a sheet is what: the file, the frame, the rater, a unit, a unit of one rater.

The names of units come from the scale: its keys, titles, short names, initials and first words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from curation.labels.rows import Mapping
from curation.labels.sheet import Sheet
from curation.problems import Problem
from models.scale import Scale, load_scale

ROLES: dict[str, tuple[str, ...]] = {
    "file": (
        "file",
        "filename",
        "file_name",
        "image",
        "image_name",
        "imagename",
        "picture",
        "video",
        "video_name",
    ),
    "frame": ("frame", "frame_number", "frame_no", "frame_index", "frame_nr"),
    "time_s": ("time_s", "time", "timestamp", "seconds", "second"),
    "rater": ("rater", "scorer", "observer", "annotator", "rater_id"),
    "unit": ("unit", "action_unit", "fau"),
    "grade": ("grade", "score"),
    "reason": ("reason", "not_scorable_reason"),
    "rejected": ("rejected", "useless"),
}
"""Role → headers that mean it beyond doubt, in lower case with underscores."""

_WHO = re.compile(r"_?(?:scorer|rater|observer|annotator|r|s)?_?(\d{1,4})")


@dataclass
class Columns:
    """Positions of the columns of a sheet; `units` maps a position to (unit, rater or "")."""

    roles: dict[str, int] = field(default_factory=dict)
    units: dict[int, tuple[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def has_raters_in_header(self) -> bool:
        """Whether any unit column names its rater."""
        return any(rater for _, rater in self.units.values())

    def described(self) -> Iterator[tuple[int, str]]:
        """Yield (position, what it was recognised as), from left to right."""
        scale = load_scale()
        words = {position: role.replace("_s", "") for role, position in self.roles.items()}
        for position, (unit, rater) in self.units.items():
            words[position] = scale.unit(unit).title + (f" of rater {rater}" if rater else "")
        yield from sorted(words.items())


def normal(text: str) -> str:
    """A header in lower case with underscores: `Comment Scorer-4` → `comment_scorer_4`."""
    return re.sub(r"[^a-z0-9]+", "_", text.casefold()).strip("_")


@lru_cache(maxsize=8)
def unit_names(scale_name: str) -> tuple[tuple[str, str], ...]:
    """Return (name, unit key) pairs, longest name first; a name of two units is left out."""
    names: dict[str, set[str]] = {}
    for unit in load_scale(scale_name).units:
        key = normal(unit.key)
        initials = "".join(word[0] for word in key.split("_"))
        for name in (key, normal(unit.title), normal(unit.short), key.split("_")[0], initials):
            names.setdefault(name, set()).add(unit.key)
    plain = [(name, keys.pop()) for name, keys in names.items() if len(keys) == 1]
    return tuple(sorted(plain, key=lambda pair: -len(pair[0])))


def unit_of(text: str, scale: Scale) -> tuple[str, str] | None:
    """Return (unit key, rater or "") for a header such as `ot3`, `Ear position` or `nose_R2`."""
    header = normal(text)
    for name, key in unit_names(scale.name):
        if header == name:
            return key, ""
        if header.startswith(name) and (who := _WHO.fullmatch(header[len(name) :])):
            return key, who.group(1)
    return None


def recognise_columns(sheet: Sheet, mapping: Mapping | None) -> Columns:
    """Find the columns that are beyond doubt, or that the investigator's mapping names."""
    scale = load_scale()
    columns = Columns()
    taken: dict[tuple[str, str], str] = {}
    for position, header in enumerate(sheet.header):
        told = mapping.columns.get(header) if mapping else None
        meaning = _meaning(told if told is not None else header, scale, told is not None)
        if meaning is None and position == 0 and not header:
            # Tables written with an unnamed index keep the file name there.
            meaning = ("file", "")
        if meaning is None:
            continue
        if meaning in taken:
            columns.problems.append(
                Problem(
                    f"The columns “{taken[meaning]}” and “{header}” mean the same; the second is "
                    "left out. Delete one of them.",
                    file=sheet.name,
                    row=1,
                    column=header,
                )
            )
            continue
        taken[meaning] = header
        if meaning[0] in ROLES:
            columns.roles[meaning[0]] = position
        else:
            columns.units[position] = meaning
    return columns


def _meaning(text: str, scale: Scale, told: bool) -> tuple[str, str] | None:
    if told:
        unit, _, rater = text.partition("@")
        return (unit, rater) if unit in ROLES or unit in scale.unit_keys else None
    header = normal(text)
    for role, names in ROLES.items():
        if header in names:
            return role, ""
    return unit_of(text, scale)

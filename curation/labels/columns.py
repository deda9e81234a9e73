"""Which column of a sheet is what: the file, the frame, the rater, a unit, a unit of one rater.

The names of units come from the scale: its keys, titles, short names, aliases and initials; those
of everything else from `words.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from curation.labels.mapping import Mapping
from curation.labels.sheet import Sheet
from curation.labels.words import (
    CONFIDENCE_ENDINGS,
    GRADE_ENDINGS,
    ROLES,
    TITLES,
    normal,
    role_of,
)
from curation.problems import Problem
from models.scale import Scale

_WHO = re.compile(r"_?(?:scorer|rater|observer|annotator|r|s)?_?(\d{1,4})")
_TOTAL = re.compile(r"(mean|sum|total)_?(?:scorer|rater|observer|annotator|r|s)_?(\d{1,4})")
IGNORED = "ignore"


@dataclass
class Columns:
    """Positions of the columns of a sheet.

    `units` maps a position to (unit, rater or ""), `confidences` a unit to a position, `totals` a
    position to (`mean` or `sum`, rater or "").
    """

    roles: dict[str, int] = field(default_factory=dict)
    units: dict[int, tuple[str, str]] = field(default_factory=dict)
    confidences: dict[str, int] = field(default_factory=dict)
    totals: dict[int, tuple[str, str]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @property
    def has_raters_in_header(self) -> bool:
        """Whether any unit column names its rater."""
        return any(rater for _, rater in self.units.values())

    def described(self, sheet: Sheet, scale: Scale) -> Iterator[tuple[str, str]]:
        """Yield (header, what it was recognised as), from left to right."""
        words = {position: TITLES[role] for role, position in self.roles.items()}
        for position, (total, rater) in self.totals.items():
            words[position] = TITLES[total] + _whose(rater)
        for position, (unit, rater) in self.units.items():
            words[position] = scale.unit(unit).title + _whose(rater)
        for unit, position in self.confidences.items():
            words[position] = f"confidence in {scale.unit(unit).title}"
        for position, text in sorted(words.items()):
            yield sheet.header[position], text

    def told(self, sheet: Sheet) -> dict[str, str]:
        """Return the columns as a mapping says them; those of no use are left out."""
        found = {sheet.header[position]: role for role, position in self.roles.items()}
        for position, (unit, rater) in self.units.items():
            found[sheet.header[position]] = f"{unit}@{rater}" if rater else unit
        return found


def _whose(rater: str) -> str:
    return f" of rater {rater}" if rater else ""


class UnitNames:
    """The names that a scale's units have in files."""

    def __init__(self, scale: Scale) -> None:
        names: dict[str, set[str]] = {}
        for unit in scale.units:
            key = normal(unit.key)
            initials = "".join(word[0] for word in key.split("_"))
            own = (key, normal(unit.title), normal(unit.short), key.split("_")[0], initials)
            for name in (*own, *unit.aliases):
                names.setdefault(name, set()).add(unit.key)
        # A name of two units is none; the longest name is tried first.
        plain = [(name, keys.pop()) for name, keys in names.items() if len(keys) == 1]
        self.pairs = sorted(plain, key=lambda pair: -len(pair[0]))

    def unit_of(self, text: str) -> tuple[str, str] | None:
        """Return (unit key, rater or "") for a name such as `ot3`, `Ear position`, `nose_R2`."""
        name = normal(text)
        return self._exactly(name) or self._exactly(_without(name, GRADE_ENDINGS))

    def confidence_of(self, text: str) -> str | None:
        """Return the unit that a column such as `ears_confidence` or `conf_ears` is sure of."""
        name = normal(text)
        for ending in CONFIDENCE_ENDINGS:
            for rest in (name.removesuffix(f"_{ending}"), name.removeprefix(f"{ending}_")):
                found = self._exactly(rest) if rest != name else None
                if found and not found[1]:
                    return found[0]
        return None

    def _exactly(self, name: str) -> tuple[str, str] | None:
        for known, key in self.pairs:
            if name == known:
                return key, ""
            if name.startswith(known) and (who := _WHO.fullmatch(name[len(known) :])):
                return key, who.group(1)
        return None


def _without(name: str, endings: tuple[str, ...]) -> str:
    for ending in endings:
        if name.endswith(f"_{ending}"):
            return name.removesuffix(f"_{ending}")
    return name


def recognise_columns(sheet: Sheet, mapping: Mapping, scale: Scale) -> Columns:
    """Find the columns that are beyond doubt, or that the investigator's mapping names."""
    names = UnitNames(scale)
    columns = Columns()
    taken: dict[tuple[str, str], str] = {}
    for position, header in enumerate(sheet.header):
        told = mapping.columns.get(header)
        if told is None and (sure_of := names.confidence_of(header)):
            columns.confidences.setdefault(sure_of, position)
            continue
        if told is None and (total := _TOTAL.fullmatch(normal(header))):
            kind = "mean" if total[1] == "mean" else "sum"
            columns.totals.setdefault(position, (kind, total[2]))
            continue
        meaning = _meaning(header, told, names, scale)
        if meaning is None and told is None and position == 0 and not header:
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
                    row=sheet.header_row,
                    column=header,
                )
            )
            continue
        taken[meaning] = header
        if meaning[0] in ROLES:
            columns.roles[meaning[0]] = position
        else:
            columns.units[position] = meaning
    for kind in ("mean", "sum"):
        if kind in columns.roles:
            columns.totals[columns.roles[kind]] = (kind, "")
    return columns


def _meaning(
    header: str, told: str | None, names: UnitNames, scale: Scale
) -> tuple[str, str] | None:
    if told is not None:
        unit, _, rater = told.partition("@")
        return (unit, rater) if unit in ROLES or unit in scale.unit_keys else None
    role = role_of(header)
    return (role, "") if role else names.unit_of(header)

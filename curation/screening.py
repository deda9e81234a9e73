"""Two screenings of a version beside each other: what changed since somebody asked for changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from curation.facts import VersionFacts


@dataclass(frozen=True)
class Said:
    """What one check said in one screening."""

    check: str
    title: str
    severity: str
    passed: bool
    sentence: str


@dataclass(frozen=True)
class Changes:
    """What changed between two screenings.

    `gone` fail no more, `new` fail now and did not before, `still` fail as before and `other` fail
    in both with another sentence. Recordings are named by file; `replaced` have other content.
    """

    gone: tuple[Said, ...]
    new: tuple[Said, ...]
    still: tuple[Said, ...]
    other: tuple[Said, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    replaced: tuple[str, ...]
    fields: tuple[str, ...]
    """What else differs, in words."""

    @property
    def any(self) -> bool:
        """Whether anything differs at all."""
        moved = (self.gone, self.new, self.other, self.added, self.removed, self.replaced)
        return any(moved) or bool(self.fields)


def changes(
    before: Iterable[Said], after: Iterable[Said], facts: VersionFacts, now: VersionFacts
) -> Changes:
    """Return what changed from the outcomes and facts of one screening to those of a later one."""
    failed = {one.check: one for one in before if not one.passed}
    fails = {one.check: one for one in after if not one.passed}
    both = [one for key, one in fails.items() if key in failed]
    old, new = _contents(facts), _contents(now)
    return Changes(
        gone=tuple(one for key, one in failed.items() if key not in fails),
        new=tuple(one for key, one in fails.items() if key not in failed),
        still=tuple(one for one in both if one.sentence == failed[one.check].sentence),
        other=tuple(one for one in both if one.sentence != failed[one.check].sentence),
        added=tuple(sorted(new.keys() - old.keys())),
        removed=tuple(sorted(old.keys() - new.keys())),
        replaced=tuple(sorted(name for name in old.keys() & new.keys() if old[name] != new[name])),
        fields=_fields(facts, now),
    )


def _contents(facts: VersionFacts) -> Mapping[str, str]:
    return {one.file: one.sha256 for one in facts.recordings}


def _fields(before: VersionFacts, after: VersionFacts) -> tuple[str, ...]:
    pairs: tuple[tuple[str, object, object], ...] = (
        ("licence", before.licence, after.licence),
        ("ethics approval", before.ethics, after.ethics),
        ("permissions", before.permissions, after.permissions),
        ("description of the experiment", before.metadata, after.metadata),
        ("groups", before.groups, after.groups),
        ("animals", _animals(before), _animals(after)),
        ("time points", before.observations, after.observations),
        ("score sheets", _sheets(before), _sheets(after)),
    )
    return tuple(name for name, one, other in pairs if one != other)


def _animals(facts: VersionFacts) -> object:
    """Animals as their lab describes them; what is known elsewhere changes without the lab."""
    return [
        (one.id, one.name, one.group, one.cage, one.sex, one.coat, one.strain, one.age_weeks)
        for one in facts.animals
    ]


def _sheets(facts: VersionFacts) -> object:
    return [(one.file, one.rows, one.raters, one.declared, one.spread) for one in facts.labels]

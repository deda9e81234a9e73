"""What changed between two versions, or two submissions of one: from their facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from curation.metadata import BY_KEY

What = Literal["added", "removed", "replaced", "changed"]
Facts = Mapping[str, Any]
Names = Mapping[str, str]
PARTS: dict[str, str] = {
    "recordings": "Recordings",
    "labels": "Score sheets",
    "animals": "Animals",
    "groups": "Groups",
    "observations": "Time points",
    "metadata": "Description",
    "permissions": "Permissions",
}
"""Part → its heading, in the order in which a curator reads them."""
_TERMS = {"licence": "Licence", "ethics": "Ethics"}


@dataclass(frozen=True)
class Change:
    """One thing that is other than before; `before` and `after` are empty where there is none."""

    part: str
    what: What
    name: str
    before: str = ""
    after: str = ""


def difference(before: Facts, after: Facts, names: Names | None = None) -> list[Change]:
    """Return every change from one `VersionFacts` (as JSON) to another.

    `names` gives the names to show for ids of groups and animals, such as pseudonyms; what is not
    in it keeps the name of the facts. A recording is replaced where another file stands under the
    same name, or in the only free place of the same observation.
    """
    shown = _Names(before, after, names or {})
    return [
        *_recordings(before, after, shown),
        *_labels(before, after),
        *_rows("animals", before, after, shown, ("group", "cage", "sex", "coat", "strain")),
        *_rows("groups", before, after, shown, ("treatment",)),
        *_rows("observations", before, after, shown, ("name", "hours_after_procedure")),
        *_fields(before, after),
        *_permissions(before, after),
    ]


def counts(changes: Sequence[Change]) -> dict[str, dict[str, int]]:
    """Return part → what → how many."""
    found: dict[str, Counter[str]] = {}
    for change in changes:
        found.setdefault(change.part, Counter())[change.what] += 1
    return {part: dict(found[part]) for part in PARTS if part in found}


class _Names:
    """How rows of either side are called."""

    def __init__(self, before: Facts, after: Facts, names: Names) -> None:
        self._names = names
        self._animals: dict[str, str] = {}
        self._places: dict[str, str] = {}
        self._groups: dict[str, str] = {}
        for facts in (before, after):
            for row in facts.get("groups", ()):
                self._groups[row["name"]] = self.of(row)
            for row in facts.get("animals", ()):
                self._animals[row["id"]] = self.of(row)
            for row in facts.get("observations", ()):
                animal = self._animals.get(row["animal"], "an animal")
                self._places[row["id"]] = f"{animal}, {row['name']}"

    def of(self, row: Mapping[str, Any]) -> str:
        """Return the name of a group or an animal."""
        return self._names.get(row.get("id", ""), row["name"])

    def group(self, name: str) -> str:
        """Return how a group is shown that animals name."""
        return self._groups.get(name, name)

    def place(self, observation: str) -> str:
        """Return animal and time point."""
        return self._places.get(observation, "no animal")


def _recordings(before: Facts, after: Facts, names: _Names) -> Iterator[Change]:
    old = {row["id"]: row for row in before.get("recordings", ())}
    new = {row["id"]: row for row in after.get("recordings", ())}
    gone = [row for key, row in old.items() if key not in new]
    come = [row for key, row in new.items() if key not in old]
    for row in list(come):
        twin = next((each for each in gone if each["file"] == row["file"]), None)
        if twin is None and row["observation"]:
            here = [each for each in gone if each["observation"] == row["observation"]]
            beside = [each for each in come if each["observation"] == row["observation"]]
            twin = here[0] if len(here) == len(beside) == 1 else None
        if twin is not None:
            gone.remove(twin)
            come.remove(row)
            yield Change("recordings", "replaced", row["file"], twin["file"], row["file"])
    for row in come:
        where = names.place(row["observation"])
        yield Change("recordings", "added", row["file"], "", where)
    for row in gone:
        where = names.place(row["observation"])
        yield Change("recordings", "removed", row["file"], where, "")
    for key, row in new.items():
        was = old.get(key)
        if was is None:
            continue
        if was["observation"] != row["observation"]:
            yield Change(
                "recordings",
                "changed",
                row["file"],
                names.place(was["observation"]),
                names.place(row["observation"]),
            )
        elif was["sha256"] != row["sha256"] or was["status"] != row["status"]:
            yield Change("recordings", "changed", row["file"], was["status"], row["status"])


def _labels(before: Facts, after: Facts) -> Iterator[Change]:
    old = {row["file"]: row for row in before.get("labels", ())}
    new = {row["file"]: row for row in after.get("labels", ())}
    for name, row in new.items():
        was = old.get(name)
        if was is None:
            yield Change("labels", "added", name, "", _sheet(row))
        elif _sheet(was) != _sheet(row):
            yield Change("labels", "changed", name, _sheet(was), _sheet(row))
    for name, row in old.items():
        if name not in new:
            yield Change("labels", "removed", name, _sheet(row), "")


def _sheet(row: Mapping[str, Any]) -> str:
    parts = [f"{row['rows']} rows", f"{row['frames_matched']} frames"]
    if row.get("observations_matched"):
        parts.append(f"{row['observations_matched']} observations")
    if row["problems"]:
        parts.append(f"{len(row['problems'])} problems")
    return ", ".join(parts)


def _rows(
    part: str, before: Facts, after: Facts, names: _Names, fields: tuple[str, ...]
) -> Iterator[Change]:
    def name(row: Mapping[str, Any]) -> str:
        return names.place(row["id"]) if part == "observations" else names.of(row)

    def value(row: Mapping[str, Any], field: str) -> str:
        return names.group(row["group"]) if field == "group" else _text(row.get(field), field)

    old = {row["id"] or row["name"]: row for row in before.get(part, ())}
    new = {row["id"] or row["name"]: row for row in after.get(part, ())}
    for key, row in new.items():
        was = old.get(key)
        if was is None:
            yield Change(part, "added", name(row))
            continue
        for field in fields:
            if was.get(field) != row.get(field):
                told = (value(was, field), value(row, field))
                yield Change(part, "changed", name(row), *told)
    for key, row in old.items():
        if key not in new:
            yield Change(part, "removed", name(row))


def _fields(before: Facts, after: Facts) -> Iterator[Change]:
    old, new = before.get("metadata", {}), after.get("metadata", {})
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            title = BY_KEY[key].title if key in BY_KEY else key.replace("_", " ")
            yield _changed("metadata", title, _text(old.get(key), key), _text(new.get(key), key))
    for key, title in _TERMS.items():
        if before.get(key) != after.get(key):
            yield _changed("metadata", title, _text(before.get(key)), _text(after.get(key)))


def _changed(part: str, name: str, before: str, after: str) -> Change:
    what: What = "added" if not before else "removed" if not after else "changed"
    return Change(part, what, name, before, after)


def _permissions(before: Facts, after: Facts) -> Iterator[Change]:
    old, new = before.get("permissions", {}), after.get("permissions", {})
    for key in dict.fromkeys([*old, *new]):
        if bool(old.get(key)) != bool(new.get(key)):
            yield Change("permissions", "added" if new.get(key) else "removed", key)


def _text(value: Any, key: str = "") -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(each, name)}" for name, each in sorted(value.items()))
    field = BY_KEY.get(key)
    return dict(field.terms).get(str(value), str(value)) if field else str(value)

"""The grimace scale as data: units, states, reasons and coats of one species, read from TOML.

`load_scale()` is the one way to them; no other code spells a unit, state, reason or coat key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar

HERE = Path(__file__).parent

Cause = Literal[
    "cover",
    "blur",
    "border",
    "angle",
    "light",
    "sleep",
    "paws",
    "absence",
    "size",
    "species",
    "unnamed",
]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


class ScaleError(ValueError):
    """A scale file is missing or contradicts itself; `str()` says where."""


@dataclass(frozen=True)
class Region:
    """A part of the face: boxes (x0, y0, x1, y1) as fractions of a frontal face box."""

    key: str
    title: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Unit:
    """A facial action unit; `grades[g]` defines grade g.

    `pairwise_kappa` is the quadratic-weighted kappa of two raters, `not_scorable_rate` the share of
    pictures in which raters could not score the unit, `widest_yaw` (degrees) how far the phantom's
    head may be turned until that happens, `deformation` the phantom's function for it, `aliases`
    are what labs call the unit in their sheets, `in_sum` says whether the sum of units counts it.
    """

    key: str
    title: str
    short: str
    grades: tuple[str, ...]
    note: str
    region: str
    raters_needed: int
    pairwise_kappa: float
    not_scorable_rate: float
    widest_yaw: float
    deformation: str
    aliases: tuple[str, ...] = ()
    in_sum: bool = True

    @property
    def top_grade(self) -> int:
        """The highest grade of the unit."""
        return len(self.grades) - 1


@dataclass(frozen=True)
class Shown:
    """How the phantom plays a state; see the comments of the scale file for the quantities."""

    eyelids: float
    ears: float
    paws: float
    motion: float
    share: float
    food: float = 0.0
    cover: float = 0.0
    breath: float = 2.8
    sniffing: float = 1.0


@dataclass(frozen=True)
class State:
    """What the animal is doing; a state that is not `graded` gives no grade, for `reason`."""

    key: str
    title: str
    graded: bool
    note: str
    reason: str | None
    shown: Shown | None


@dataclass(frozen=True)
class Reason:
    """Why a unit or a whole frame cannot be scored; code asks for it by `cause`."""

    key: str
    title: str
    level: Literal["unit", "frame"]
    cause: Cause


@dataclass(frozen=True)
class Coat:
    """A coat: sRGB colours and hair contrast (0..1) for the phantom, and a strain that has it."""

    key: str
    title: str
    fur: Colour
    skin: Colour
    eye: Colour
    ticking: float
    strain: str


@dataclass(frozen=True)
class Landmark:
    """A point the face finder marks: where it lies in the box of a frontal face, as fractions.

    With a `region` it is seen by the units of that region only.
    """

    key: str
    place: tuple[float, float]
    region: str | None = None


Entry = TypeVar("Entry", Unit, State, Reason, Coat, Region)


@dataclass(frozen=True)
class Scale:
    """A grimace scale: every vocabulary of one species, in the order in which it is shown."""

    name: str
    version: str
    title: str
    source: str
    minimum_units: int
    units: tuple[Unit, ...]
    states: tuple[State, ...]
    reasons: tuple[Reason, ...]
    coats: tuple[Coat, ...]
    regions: tuple[Region, ...]
    points: tuple[Landmark, ...]
    file_codes: dict[str, str] = field(hash=False)

    @cached_property
    def unit_keys(self) -> tuple[str, ...]:
        """Keys of the units, in order."""
        return tuple(unit.key for unit in self.units)

    @cached_property
    def state_keys(self) -> tuple[str, ...]:
        """Keys of the states, in order."""
        return tuple(state.key for state in self.states)

    @cached_property
    def reason_keys(self) -> tuple[str, ...]:
        """Keys of the not-scorable reasons, in order."""
        return tuple(reason.key for reason in self.reasons)

    @cached_property
    def coat_keys(self) -> tuple[str, ...]:
        """Keys of the coats, in order."""
        return tuple(coat.key for coat in self.coats)

    @cached_property
    def landmarks(self) -> tuple[str, ...]:
        """Keys of the landmarks, in the order of the face finder."""
        return tuple(point.key for point in self.points)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Which landmark each landmark becomes in a mirror: left ones right ones."""
        sides = {"left_": "right_", "right_": "left_"}

        def other(name: str) -> str:
            for one, turned in sides.items():
                if name.startswith(one):
                    return turned + name.removeprefix(one)
            return name

        return tuple(self.landmarks.index(other(name)) for name in self.landmarks)

    @property
    def graded_state(self) -> State:
        """The first state in which faces are graded."""
        return next(state for state in self.states if state.graded)

    def unit(self, key: str) -> Unit:
        """The unit called `key`; raises ScaleError."""
        return _find(self.units, key, "unit")

    def state(self, key: str) -> State:
        """The state called `key`; raises ScaleError."""
        return _find(self.states, key, "state")

    def reason(self, key: str) -> Reason:
        """The reason called `key`; raises ScaleError."""
        return _find(self.reasons, key, "reason")

    def coat(self, key: str) -> Coat:
        """The coat called `key`; raises ScaleError."""
        return _find(self.coats, key, "coat")

    def region(self, key: str) -> Region:
        """The face region called `key`; raises ScaleError."""
        return _find(self.regions, key, "region")

    @property
    def unknown_state(self) -> State:
        """The state of a frame of which nothing else can be said."""
        cause = self.reason_because("unnamed").key
        return next(state for state in self.states if state.reason == cause)

    def reason_because(self, cause: Cause) -> Reason:
        """The reason that stands for a cause, e.g. `"blur"`."""
        return next(reason for reason in self.reasons if reason.cause == cause)


def _find(items: tuple[Entry, ...], key: str, noun: str) -> Entry:
    for item in items:
        if item.key == key:
            return item
    known = ", ".join(item.key for item in items)
    raise ScaleError(f"“{key}” is no {noun} of this scale; it knows {known}.")


def load_scale(name: str = "mouse") -> Scale:
    """The shipped scale called `name`, read once; raises ScaleError where there is none."""
    return _shipped(name)


@lru_cache(maxsize=8)
def _shipped(name: str) -> Scale:
    path = HERE / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in HERE.glob("*.toml")))
        raise ScaleError(f"There is no scale called “{name}”; use one of {known}.")
    return read_scale(path)


def read_scale(path: Path) -> Scale:
    """Read a scale file, e.g. the copy inside a bundle; raises ScaleError on contradictions."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        scale = Scale(
            name=data["name"],
            version=str(data["version"]),
            title=data["title"],
            source=data["source"],
            minimum_units=int(data["minimum_units"]),
            units=tuple(Unit(**_frozen(entry)) for entry in data["units"]),
            states=tuple(_state(entry) for entry in data["states"]),
            reasons=tuple(Reason(**entry) for entry in data["reasons"]),
            coats=tuple(Coat(**_frozen(entry)) for entry in data["coats"]),
            regions=tuple(Region(**_frozen(entry)) for entry in data["regions"]),
            points=tuple(Landmark(**_frozen(entry)) for entry in data["landmarks"]),
            file_codes=dict(data["file_codes"]),
        )
    except (AttributeError, KeyError, TypeError, tomllib.TOMLDecodeError) as error:
        raise ScaleError(f"{path.name} cannot be read as a scale: {error}.") from error
    _check(scale, path.name)
    return scale


def _frozen(entry: dict[str, Any]) -> dict[str, Any]:
    def freeze(value: Any) -> Any:
        return tuple(freeze(item) for item in value) if isinstance(value, list) else value

    return {key: freeze(value) for key, value in entry.items()}


def _state(entry: dict[str, Any]) -> State:
    rest = {"reason": None, **entry}
    shown = rest.pop("shown", None)
    return State(shown=Shown(**shown) if shown else None, **rest)


def _check(scale: Scale, file: str) -> None:
    kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
        ("unit", scale.unit_keys),
        ("state", scale.state_keys),
        ("reason", scale.reason_keys),
        ("coat", scale.coat_keys),
    )
    for noun, keys in kinds:
        if len(set(keys)) != len(keys):
            raise ScaleError(f"{file} names a {noun} twice.")
    for unit in scale.units:
        _find(scale.regions, unit.region, "region")
        if len(unit.grades) < 2:
            raise ScaleError(f"{file}: unit {unit.key} needs at least two grades.")
    for point in scale.points:
        if point.region is not None:
            _find(scale.regions, point.region, "region")
    for state in scale.states:
        if not state.graded:
            _find(scale.reasons, state.reason or "", "reason")
    if not any(state.graded for state in scale.states):
        raise ScaleError(f"{file} has no state in which faces are graded.")
    if not 1 <= scale.minimum_units <= len(scale.units):
        raise ScaleError(f"{file}: minimum_units must lie between 1 and the number of units.")

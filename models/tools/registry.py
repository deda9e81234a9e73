"""The tools that are installed: found in one place, loaded one by one, none of them trusted.

Every installed package may name tools in the entry-point group `amgs.tools`. This program runs from
its folder as well as installed; where it is not installed its own entry points are read off its
`pyproject.toml`, as the same objects that an installed package gives, and loaded by the same lines.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from models.events import Refused
from models.tools.protocol import KINDS, Tool
from models.tools.schema import options

GROUP = "amgs.tools"
OWN = "amgs"
"""The distribution of this program."""
PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"
NAME = re.compile(r"[a-z][a-z0-9-]{0,37}")
RESERVED = frozenset({"runs"})
"""No names of tools: addresses that mean something else."""


@dataclass(frozen=True)
class Listed:
    """One entry point: its name, the package and version it comes from, and the tool or an error.

    `error` is a sentence where the tool cannot be used, else empty.
    """

    name: str
    package: str
    tool: Tool | None
    error: str = ""


@cache
def listed_tools() -> tuple[Listed, ...]:
    """Every tool that an installed package names, in order of name; those that cannot be used too.

    Found once per process; `listed_tools.cache_clear()` looks again.
    """
    found = sorted(_found(), key=lambda pair: (pair[0].name, pair[1]))
    loaded = [_load(entry, package) for entry, package in found]
    return tuple(_refuse_twins(loaded))


def find_tool(name: str) -> Tool:
    """The tool with this name; raises Refused where there is none that can be used."""
    rows = [row for row in listed_tools() if row.name == name]
    if not rows:
        usable = ", ".join(row.name for row in listed_tools() if row.tool is not None)
        raise Refused(f"There is no tool “{name[:40]}”; choose one of {usable}.")
    row = rows[0]
    if row.tool is None:
        raise Refused(row.error)
    return row.tool


def package_of(name: str) -> str:
    """The package and version that a tool comes from, empty for an unknown one."""
    return next((row.package for row in listed_tools() if row.name == name), "")


def _found() -> list[tuple[EntryPoint, str]]:
    """Every entry point of the group with the package it is from."""
    found = []
    installed = False
    for entry in entry_points(group=GROUP):
        dist = entry.dist
        installed = installed or (dist is not None and dist.name == OWN)
        found.append((entry, f"{dist.name} {dist.version}" if dist is not None else "unknown"))
    return found if installed else [*found, *_own()]


def _own() -> list[tuple[EntryPoint, str]]:
    """The entry points of this program where it runs from its folder and was never installed."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    package = f"{project['name']} {project['version']}"
    declared = project["entry-points"][GROUP]
    return [(EntryPoint(name, value, GROUP), package) for name, value in declared.items()]


def _load(entry: EntryPoint, package: str) -> Listed:
    """Load one entry point; whatever goes wrong is told, not raised."""
    try:
        tool = entry.load()()
        _check(entry.name, tool)
    # A tool that ends the process while it is imported must not end ours.
    except (Exception, SystemExit) as error:
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        sentence = f"The tool “{entry.name}” of {package} cannot be loaded ({told[:300]})."
        return Listed(entry.name, package, None, sentence)
    return Listed(entry.name, package, cast(Tool, tool))


def _check(name: str, tool: object) -> None:
    """Raise TypeError where a class is no tool."""
    missing = [
        part
        for part in ("name", "version", "title", "summary", "Params", "accepts", "gives_grades")
        if not hasattr(tool, part)
    ]
    if missing or not callable(getattr(tool, "run", None)):
        raise TypeError(f"it has no {', '.join(missing or ['run'])}")
    known = cast(Tool, tool)
    if known.name != name:
        raise TypeError(f"it is called “{known.name}”, but its entry point “{name}”")
    if not NAME.fullmatch(name) or name in RESERVED:
        raise TypeError("its name is not made of small letters, digits and hyphens, or is reserved")
    if not known.accepts or any(kind not in KINDS for kind in known.accepts):
        raise TypeError(f"it accepts {known.accepts!r}, which are no kinds of {', '.join(KINDS)}")
    options(known.Params)


def _refuse_twins(rows: list[Listed]) -> list[Listed]:
    """The same rows, with tools of one name refused: which one is meant is nobody's guess."""
    result = []
    for row in rows:
        twins = [other.package for other in rows if other.name == row.name]
        if len(twins) > 1:
            sentence = (
                f"{len(twins)} packages bring a tool called “{row.name}” ({', '.join(twins)}); "
                "uninstall all but one of them."
            )
            row = Listed(row.name, row.package, None, sentence)
        result.append(row)
    return result

"""Tools are found through entry points, loaded one by one, and none of them is trusted."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

import pytest

from models.events import Refused
from models.tools import find_tool, listed_tools, registry

ROOT = Path(__file__).parents[3]


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Install packages by hand: a module and an entry point in the metadata of each."""
    made = []

    def install(package: str, name: str, source: str) -> None:
        module = package.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[amgs.tools]\n{name} = {module}:Made\n")
        made.append(module)
        listed_tools.cache_clear()

    monkeypatch.syspath_prepend(str(tmp_path))
    yield install
    listed_tools.cache_clear()
    for module in made:
        sys.modules.pop(module, None)


SOUND = '''
from dataclasses import dataclass
from models.tools import ToolResult


class Made:
    name = "{name}"
    version = "3"
    title = "Made"
    summary = "Says hello."
    accepts = ("video",)
    gives_grades = False

    @dataclass
    class Params:
        """None."""

    def run(self, media, params, context):
        return ToolResult("Hello.")
'''


def test_the_built_in_ones_are_declared_like_those_of_strangers():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert {row.name for row in listed_tools()} == set(declared[registry.GROUP])
    assert all(row.tool is not None for row in listed_tools()), [r.error for r in listed_tools()]
    assert {row.package.split()[0] for row in listed_tools()} == {"amgs"}
    # The study is declared where its statistics are part of the program.
    assert ("study" in declared[registry.GROUP]) == bool(find_spec("models.study"))


def test_where_the_program_is_installed_its_own_metadata_count(monkeypatch):
    @dataclass
    class Dist:
        name: str
        version: str

    class Entry(EntryPoint):
        dist = Dist("amgs", "9.9")

    mine = [Entry("agreement", "models.tools.agreement:Agreement", registry.GROUP)]
    monkeypatch.setattr(registry, "entry_points", lambda group: mine)
    listed_tools.cache_clear()
    try:
        assert [(row.name, row.package) for row in listed_tools()] == [("agreement", "amgs 9.9")]
    finally:
        listed_tools.cache_clear()


def test_a_stranger_is_listed_beside_them(packages):
    packages("hello-tool", "hello", SOUND.format(name="hello"))
    row = next(row for row in listed_tools() if row.name == "hello")
    assert (row.package, row.error, row.tool.version) == ("hello-tool 1.0", "", "3")
    assert find_tool("hello").title == "Made"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import nothing_of_this_name", "ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("Other = 1", "AttributeError"),
        ("class Made:\n    name = 'bent'\n", "it has no version, title"),
        (SOUND.format(name="other"), "it is called “other”, but its entry point “bent”"),
        (SOUND.format(name="bent").replace('"video"', '"smell"'), "no kinds of video"),
        (SOUND.format(name="bent").replace('"""None."""', "x: int = 1"), "says nowhere"),
    ],
)
def test_a_tool_that_fails_to_load_is_listed_with_its_error_and_stops_nothing(
    packages, source, words
):
    packages("bent-tool", "bent", source)
    row = next(row for row in listed_tools() if row.name == "bent")
    assert row.tool is None
    assert "bent-tool 1.0 cannot be loaded" in row.error
    assert words in row.error
    with pytest.raises(Refused, match="cannot be loaded"):
        find_tool("bent")
    assert find_tool("motion-index").title == "Motion index"


def test_two_of_one_name_are_both_listed_and_both_refused(packages):
    packages("hello-one", "hello", SOUND.format(name="hello"))
    packages("hello-two", "hello", SOUND.format(name="hello"))
    rows = [row for row in listed_tools() if row.name == "hello"]
    assert [row.package for row in rows] == ["hello-one 1.0", "hello-two 1.0"]
    assert all("2 packages bring a tool called “hello”" in row.error for row in rows)
    with pytest.raises(Refused, match="uninstall all but one"):
        find_tool("hello")


def test_a_stranger_cannot_take_the_place_of_a_built_in_one(packages):
    packages("my-motion", "motion-index", SOUND.format(name="motion-index"))
    with pytest.raises(Refused, match="2 packages"):
        find_tool("motion-index")


def test_an_unknown_tool_is_refused_with_those_there_are():
    with pytest.raises(Refused, match=r"There is no tool “x”; choose one of agreement, .*study\."):
        find_tool("x")

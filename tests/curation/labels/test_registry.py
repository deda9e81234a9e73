"""Formats of strangers come in by the same door as ours."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from curation.labels import UnknownFormat, formats, read, refused_plugins, registry, sniff

PLUGIN = """
from curation.labels import Format, Guess, LabelRow, Labels, Mapping


def recognises(source, mapping):
    if source.kind == "text" and source.data.startswith(b"MYLAB"):
        return Guess("mylab", "Our own", 1.0, Mapping(format="mylab"), ())
    if source.kind == "text" and source.data.startswith(b"BROKEN"):
        raise RuntimeError("of its own")


def read(source, mapping):
    if b"bad" in source.data:
        raise RuntimeError("of its own")
    unit = source.scale.unit_keys[0]
    row = LabelRow("a.png", None, None, "anna", unit, 1, None, True, 1)
    return Labels("mylab", (row,), ())


FORMAT = Format("mylab", "Our own", recognises, read)
TWIN = Format("wide", "Not ours", recognises, read)
NOTHING = 3
"""


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with one good format and three that cannot be used."""
    (tmp_path / "mylab_labels.py").write_text(PLUGIN)
    info = tmp_path / "mylab_labels-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mylab-labels\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        f"[{registry.GROUP}]\nmylab = mylab_labels:FORMAT\ntwin = mylab_labels:TWIN\n"
        "nothing = mylab_labels:NOTHING\ngone = mylab_labels:GONE\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    for cached in (registry.formats, registry.refused_plugins):
        cached.cache_clear()
    yield
    sys.modules.pop("mylab_labels", None)
    for cached in (registry.formats, registry.refused_plugins):
        cached.cache_clear()


def test_our_own_formats_are_entry_points_like_any_other() -> None:
    assert [form.key for form in formats()][: len(registry.BUILT_IN)] == [
        entry.name for entry in registry.BUILT_IN
    ]
    assert {entry.group for entry in registry.BUILT_IN} == {"amgs.labels"}


@pytest.mark.usefixtures("plugins")
def test_a_plugin_reads_files_of_its_own(sheet: Callable[..., Path]) -> None:
    path = sheet("MYLAB 1\n")
    assert [guess.format for guess in sniff(path)] == ["mylab"]
    assert read(path).rows[0].grade == 1
    assert len(refused_plugins()) == 3


@pytest.mark.usefixtures("plugins")
def test_a_plugin_that_fails_breaks_nothing_but_itself(sheet: Callable[..., Path]) -> None:
    with pytest.raises(UnknownFormat, match="the plug-in “mylab” failed"):
        read(sheet("MYLAB bad\n"))
    with pytest.raises(UnknownFormat, match="No column was recognised"):
        read(sheet("BROKEN\n"))
    assert read(sheet("filename,ot1\na.png,1\n")).format == "wide"


def test_a_format_that_nobody_has_is_refused(sheet: Callable[..., Path]) -> None:
    from curation.labels import Mapping

    with pytest.raises(UnknownFormat, match="There is no format “other”; there are wide, long"):
        read(sheet("filename,ot1\na.png,1\n"), Mapping(format="other"))


def test_every_format_and_every_field_of_a_mapping_is_documented() -> None:
    import dataclasses

    from curation.labels import Mapping

    page = (Path(__file__).parents[3] / "docs" / "reference" / "labels.md").read_text()
    named = [entry.name for entry in registry.BUILT_IN]
    named += [row.name for row in dataclasses.fields(Mapping)]
    assert not [name for name in named if f"`{name}`" not in page]

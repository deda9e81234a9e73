"""A zip archive of pictures in folders."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from curation.labels import Mapping, UnknownFormat, headers, preview, read, sniff

PNG = b"\x89PNG\r\n\x1a\n" + bytes(5000)


def _zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_folders_in_an_archive_are_classes(tmp_path: Path) -> None:
    path = _zip(tmp_path / "faces.zip", {"pain/a.png": PNG, "no pain/b.png": PNG})
    (guess,) = sniff(path)
    assert guess.format == "folders"
    found = {(row.file, row.label) for row in read(path).classes}
    assert found == {("pain/a.png", "pain"), ("no pain/b.png", "no pain")}
    assert [line.file for line in preview(path).lines] == ["no pain/b.png", "pain/a.png"]


def test_a_folder_round_everything_is_no_class(tmp_path: Path) -> None:
    files = {
        "faces/pain/a.png": PNG,
        "faces/no pain/b.png": PNG,
        "faces/.DS_Store": b"x",
        "__MACOSX/faces/pain/._a.png": b"side",
    }
    labels = read(_zip(tmp_path / "faces.zip", files))
    assert {row.label for row in labels.classes} == {"pain", "no pain"}
    assert [row.file for row in labels.skipped if row.file.endswith("._a.png")]
    one = _zip(tmp_path / "one.zip", {"pain/a.png": PNG, "pain/b.png": PNG})
    assert {row.label for row in read(one).classes} == {"pain"}


@pytest.mark.parametrize("name", ["../a.png", "/tmp/a.png", "pain/../../a.png"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, name: str) -> None:
    path = _zip(tmp_path / "faces.zip", {name: PNG})
    with pytest.raises(UnknownFormat, match="outside of itself"):
        read(path)


def test_damaged_and_foreign_archives_are_refused(tmp_path: Path) -> None:
    path = _zip(tmp_path / "faces.zip", {"pain/a.png": PNG, "no pain/b.png": PNG})
    whole = path.read_bytes()
    for cut in range(4, len(whole), 37):
        path.write_bytes(whole[:cut])
        with pytest.raises(UnknownFormat):
            read(path)
    other = _zip(tmp_path / "notes.zip", {"notes.txt": b"hello"})
    with pytest.raises(UnknownFormat, match="zip archive"):
        read(other)


def test_a_proposed_mapping_names_the_worksheet(tmp_path: Path) -> None:
    import openpyxl

    book = openpyxl.Workbook()
    book.active.title = "Notes"
    page = book.create_sheet("Scores")
    page.append(["filename", "ot1", "nb1", "cb1", "ep1", "wc1"])
    page.append(["a.png", 0, 1, 2, 9, "-"])
    path = tmp_path / "s.xlsx"
    book.save(path)
    (guess,) = [row for row in sniff(path) if row.format == "wide"]
    assert guess.mapping.worksheet == "Scores"
    assert read(path, guess.mapping).counts == read(path).counts


def test_headers_of_a_table_that_nobody_knows(tmp_path: Path) -> None:
    path = tmp_path / "noten.csv"
    path.write_text("Bild;Auge Anna\na.png;1\n")
    assert headers(path) == ("Bild", "Auge Anna")
    assert headers(path, Mapping(worksheet="x")) == ("Bild", "Auge Anna")
    assert headers(tmp_path / "nothing.csv") == ()

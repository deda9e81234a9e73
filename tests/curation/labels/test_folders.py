"""Pictures sorted into folders."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.labels import Mapping, UnknownFormat, import_key, read, sniff


@pytest.fixture
def sorted_pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    for name in ("pain/a.png", "pain/b.jpg", "no pain/day 1/c.png", "loose.png"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    (folder / "pain" / "._a.png").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    (folder / "pain" / "torn.png").write_bytes(b"not a picture")
    (folder / "scores.csv").write_text("filename,ot1\na.png,0\n")
    return folder


def test_folders_are_classes_and_no_grades(sorted_pictures: Path) -> None:
    labels = read(sorted_pictures)
    assert {(one.file, one.label) for one in labels.classes} == {
        ("pain/a.png", "pain"),
        ("pain/b.jpg", "pain"),
        ("no pain/day 1/c.png", "no pain"),
    }
    assert labels.rows == ()
    assert labels.counts == {"pictures in folders": 3}
    assert "no grades" in labels.notes[0]


def test_side_files_and_stray_sheets_are_listed_as_skipped(sorted_pictures: Path) -> None:
    labels = read(sorted_pictures)
    assert {one.file for one in labels.skipped} == {
        *("pain/._a.png", "pain/torn.png", "scores.csv", "loose.png")
    }
    assert [problem.file for problem in labels.problems] == ["pain/torn.png"]


def test_the_names_of_classes_can_be_told(sorted_pictures: Path) -> None:
    (guess,) = sniff(sorted_pictures)
    assert dict(guess.recognised)["pain"] == "class of 2 pictures"
    labels = read(sorted_pictures, Mapping(columns={"pain": "after surgery"}))
    assert {one.label for one in labels.classes} == {"after surgery", "no pain"}


def test_a_folder_without_sorted_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    assert sniff(tmp_path) == ()
    with pytest.raises(UnknownFormat, match="one folder per class"):
        read(tmp_path)


def test_the_key_of_an_import_follows_content_and_mapping(sorted_pictures: Path) -> None:
    sheet = sorted_pictures / "scores.csv"
    key = import_key(sheet)
    assert import_key(sheet) == key
    assert import_key(sheet, Mapping(frames_from=1)) != key
    sheet.write_text("filename,ot1\na.png,1\n")
    assert import_key(sheet) != key
    folder = import_key(sorted_pictures)
    (sorted_pictures / "pain" / "a.png").unlink()
    assert import_key(sorted_pictures) != folder
    with pytest.raises(UnknownFormat, match="cannot be opened"):
        import_key(sorted_pictures / "gone.csv")

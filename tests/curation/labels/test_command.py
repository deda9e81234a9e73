"""`python -m curation labels`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from curation.__main__ import main

Sheet = Callable[..., Path]


def test_files_are_shown_with_their_problems(
    sheet: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "told.json"
    path = sheet("filename,ot1,nb1\na.png,0,3\nb.png,9,-\n")
    assert main(["labels", str(path), "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert "ot1 → Orbital tightening of rater 1" in printed.out
    assert "Read: 1 graded, 1 not scorable, 1 not assigned" in printed.out
    assert "row 2, column nb1: 3 is not possible" in printed.err
    (told,) = json.loads(out.read_text())
    assert told["format"] == "wide"
    assert told["counts"] == {"graded": 1, "not_scorable": 1, "not_assigned": 1}
    assert [problem["row"] for problem in told["problems"]] == [2]


def test_what_must_be_confirmed_is_asked_and_answered_by_an_option(
    sheet: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "".join(f"f{n}.png,{n % 10}\n" for n in range(30))
    path = sheet(f"Bild,Auge\n{rows}")
    columns = ["--column", "Bild=file", "--column", "Auge=ignore"]
    assert main(["labels", str(path), *columns]) == 2
    columns[-1] = "Auge=orbital_tightening@anna"
    assert main(["labels", str(path), *columns]) == 1
    assert "conversion = 0-9:nearest" in capsys.readouterr().out
    assert main(["labels", str(path), *columns, "--conversion", "0-9:nearest"]) == 0
    assert "Read: 30 graded" in capsys.readouterr().out


def test_boxes_are_compared_with_the_pictures_of_a_folder(
    sheet: Sheet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((48, 64, 3), np.uint8))
    path = sheet('{"a.png": {"x": 30, "y": 20, "w": 60, "h": 40}}', "boxes.json")
    assert main(["labels", str(path), "--pictures", str(tmp_path)]) == 1
    assert "The second reading seems right" in capsys.readouterr().out


def test_strangers_are_refused_and_the_others_are_shown(
    sheet: Sheet, capsys: pytest.CaptureFixture[str]
) -> None:
    good = sheet("filename,ot1\na.png,0\n")
    assert main(["labels", str(sheet("dear diary", "notes.txt")), str(good)]) == 2
    printed = capsys.readouterr()
    assert "notes.txt is no score sheet" in printed.err
    assert "Read: 1 graded" in printed.out
    assert main(["labels", str(good), "--column", "ot1"]) == 2


def test_landmarks_have_no_agreement(dlc_fixed: Sheet, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["agreement", str(dlc_fixed())]) == 2
    assert "no grades of raters" in capsys.readouterr().err

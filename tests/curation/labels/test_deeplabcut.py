"""DeepLabCut landmarks from CSV and HDF5."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.labels import Mapping, UnknownFormat, read, sniff

Make = Callable[..., Path]

SINGLE = (
    "scorer,anna,anna,anna,anna\nbodyparts,nose,nose,tail,tail\ncoords,x,y,x,y\n"
    "labeled-data/v/a.png,1,2,3,4\nlabeled-data/v/b.png,5,,7,8\n"
)
MULTI = (
    "scorer,,,anna,anna,anna,anna\nindividuals,,,m1,m1,m2,m2\nbodyparts,,,nose,nose,nose,nose\n"
    "coords,,,x,y,x,y\nlabeled-data,v,a.png,1,2,,\nlabeled-data,v,b.png,,,7,8\n"
)


def test_a_labelling_has_pictures_and_half_a_point_is_none(sheet: Make) -> None:
    (table,) = read(sheet(SINGLE)).landmarks
    assert (table.rater, table.animal, table.by_program) == ("anna", "", False)
    assert table.points == ("nose", "tail")
    assert table.files == ("labeled-data/v/a.png", "labeled-data/v/b.png")
    assert table.frames == (None, None)
    assert table.xy[0].tolist() == [[1, 2], [3, 4]]
    assert np.isnan(table.xy[1, 0]).all()
    assert np.isnan(table.likelihood).all()


def test_several_animals_and_a_path_in_three_columns_are_read(sheet: Make) -> None:
    first, second = read(sheet(MULTI)).landmarks
    assert (first.animal, second.animal) == ("m1", "m2")
    assert first.files == ("labeled-data/v/a.png", "labeled-data/v/b.png")
    assert first.xy[0].tolist() == [[1, 2]]
    assert np.isnan(first.xy[1]).all()
    assert second.xy[1].tolist() == [[7, 8]]


def test_an_analysis_has_frames_a_likelihood_and_the_recording_of_its_name(sheet: Make) -> None:
    text = "scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.5\n1,3,4,1"
    path = sheet(text, "m1DLC_resnet50_x.csv")
    (guess,) = sniff(path)
    assert guess.mapping.file == "m1"
    assert [question.blocking for question in guess.questions] == [False]
    (table,) = read(path).landmarks
    assert table.by_program
    assert table.files == ("m1", "m1")
    assert table.frames == (0, 1)
    assert table.likelihood.tolist() == [[0.5], [1]]
    assert read(path, Mapping(file="videos/m1.mp4")).landmarks[0].files[0] == "videos/m1.mp4"


def test_a_cell_that_is_no_number_is_named_and_leaves_its_point_missing(sheet: Make) -> None:
    labels = read(sheet(SINGLE.replace("a.png,1", "a.png,one")))
    assert [(p.row, p.column) for p in labels.problems] == [(4, "nose x")]
    assert np.isnan(labels.landmarks[0].xy[0, 0]).all()


def test_a_frame_that_is_named_twice_is_kept_once(sheet: Make) -> None:
    labels = read(sheet(SINGLE.replace("b.png", "a.png")))
    assert len(labels.landmarks[0].files) == 1
    assert [problem.row for problem in labels.problems] == [5]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("coords,x", "coords,z", "where DeepLabCut has x, y or likelihood"),
        ("tail,tail", "nose,nose", "names a landmark twice"),
    ],
)
def test_damaged_headers_are_refused(sheet: Make, old: str, new: str, sentence: str) -> None:
    with pytest.raises(UnknownFormat, match=sentence):
        read(sheet(SINGLE.replace(old, new)))


def test_the_table_of_an_analysis_is_read_without_unpickling(dlc_table: Make) -> None:
    (table,) = read(dlc_table()).landmarks
    assert table.points == ("eye_top", "eye_front", "eye_bottom", "eye_back")
    assert table.xy[1, 0].tolist() == [12, 13]
    assert table.likelihood[1, 0] == 14
    assert table.frames == (0, 1, 2)


def test_a_pickle_that_calls_anything_is_refused(dlc_table: Make, tmp_path: Path) -> None:
    target = tmp_path / "touched"
    attack = f"cos\nsystem\n(Vtouch {target}\ntR.".encode()
    with pytest.raises(UnknownFormat, match="does not spell its columns as plain text"):
        read(dlc_table(attack))
    assert not target.exists()


def test_the_block_of_a_labelling_is_read(dlc_fixed: Make) -> None:
    (table,) = read(dlc_fixed()).landmarks
    assert table.points == ("eye_top", "eye_front")
    assert table.files[1] == "labeled-data/v/b.png"
    assert table.xy[1].tolist() == [[4, 5], [6, 7]]
    assert not table.by_program


@pytest.mark.parametrize(
    "changes",
    [
        {"block0_values": None},
        {"block0_values": np.zeros((3, 4))},
        {"block0_values": np.array([b"text"])},
        {"axis1": None},
        {"block0_items_label1": np.array([0, 0, 9, 9], np.int8)},
        {"block0_items_label1": np.array([0, 0], np.int8)},
        {"block0_items_level2": np.array([b"x"])},
    ],
)
def test_a_block_that_does_not_fit_its_axes_is_refused(dlc_fixed: Make, changes) -> None:
    path = dlc_fixed(**changes)
    assert sniff(path) == ()
    with pytest.raises(UnknownFormat):
        read(path)


def test_real_tables_of_three_kinds_are_read(real_files: Path) -> None:
    (single,) = read(real_files / "dlc_testdata.csv").landmarks
    assert single.points == ("A", "B", "C")
    assert single.xy[3].tolist() == [[22, 23], [24, 25], [26, 27]]
    several = read(real_files / "madlc_testdata.csv").landmarks
    assert [table.animal for table in several] == ["Animal1", "Animal2"]
    newest = read(real_files / "CollectedData_LM.csv").landmarks
    assert [table.animal for table in newest] == ["Animal1", "Animal2", "single"]
    assert newest[0].files[3] == "labeled-data/video/img003.png"
    assert newest[2].points == ("D", "E")
    assert newest[2].xy[1].tolist() == [[22, 23], [24, 25]]

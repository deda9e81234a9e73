"""Every format of label files, from the upload to rows, through the API."""

from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest

from amgs.files.storage import get_storage
from amgs.repository.models import (
    FaceBox,
    LandmarkSet,
    ObservationScore,
    PictureClass,
    ProgramScore,
    Rating,
)

WIDE = b"""filename,ot1,nb1,cb1,ep1,wc1,ot3,nb3,cb3,ep3,wc3
a.png,0,1,2,9,-,,2,1,1,1
b.png,0,1,3,0,0,1,1,1,1,1
"""


def said(line) -> dict[str, str]:
    """Return what a row of the preview was read as."""
    return dict(line["meaning"])


def test_a_wide_sheet_of_several_raters(desk):
    row = desk.look("wide.csv", WIDE)
    look = row["look"]
    assert (row["status"], look["format"], look["refusal"]) == ("open", "wide", "")
    assert ["ot3", "Orbital tightening of rater 3"] in look["recognised"]
    assert look["names"]["files"] == {"named": 2, "found": 2, "left_out": 0, "missing": []}
    first = look["lines"][0]
    assert (first["recording"], first["number"], first["exact"]) == ("a.png", 0, True)
    assert first["picture"].startswith("http") or first["picture"].startswith("/")
    assert "not scorable" in said(first).values()
    assert "not assigned" in said(first).values()
    assert not Rating.objects.exists()

    done = desk.read(row)
    assert (done["status"], done["frames_matched"], done["raters"]) == ("done", 2, ["1", "3"])
    assert done["counts"] == {"graded": 16, "not_scorable": 1, "not_assigned": 1, "missing": 1}
    assert Rating.objects.visible().count() == 17
    assert Rating.objects.filter(reason="other").count() == 1
    (problem,) = done["problems"]
    assert (problem["file"], problem["row"], problem["column"]) == ("wide.csv", 3, "cb1")


def test_a_sheet_on_another_scale_waits_for_a_rule(desk):
    rows = [f"{name}.png\t{name}\t{3 * at}\t{9 - at}\t5\t7\t2" for at, name in enumerate("abc")]
    data = "\n".join(["\tanimal\tot\tnb\tcb\tep\twc", *rows]).encode()
    row = desk.look("scores.tsv", data)
    (question,) = [one for one in row["look"]["questions"] if one["blocking"]]
    assert question["field"] == "conversion"
    assert "0-9:nearest" in [pair[0] for pair in question["choices"]]
    assert row["look"]["lines"][0]["raw"]
    desk.ask("PATCH", f"labels/{row['id']}", {"declared": {}})
    desk.again(row["id"])
    refusal = desk.ask("POST", f"labels/{row['id']}/confirm", expect=400)
    assert "uses another scale" in refusal["detail"]

    row = desk.answer(row, mapping={"conversion": "0-9:3,7"})
    assert row["look"]["refusal"] == ""
    assert any("from 7 is 2" in note for note in row["look"]["notes"])
    done = desk.read(row)
    assert done["status"] == "done"
    assert set(Rating.objects.values_list("grade", flat=True)) == {0, 1, 2}


def test_a_long_excel_sheet_counts_frames_from_one_and_lists_stray_sheets(desk, excel):
    head = ["video", "frame", "observer", "ot", "nb", "cb", "ep", "wc"]
    scores = [head, ["r0001.mp4", 1, "anna", 0, 1, 2, 9, "-"], ["r0001", 20, "anna", 0, 0, 0, 0, 0]]
    row = desk.look("long.xlsx", excel(Notes=[], Scores=scores, Old=[["x"], [1]]))
    assert row["look"]["mapping"]["worksheet"] == "Scores"
    assert any("worksheet Old" in note for note in row["look"]["notes"])
    assert "no frame 20" in row["look"]["problems"][0]["sentence"]
    row = desk.answer(row, mapping={"frames_from": 1})
    assert row["look"]["problems"] == []
    lines = row["look"]["lines"]
    assert [(line["number"], line["exact"]) for line in lines] == [(0, True), (19, True)]
    done = desk.read(row)
    assert (done["frames_matched"], done["frames_unmatched"]) == (2, 0)
    assert any("counted from 1" in note for note in done["notes"])


def test_columns_nobody_knows_are_told(desk):
    row = desk.look("noten.csv", b"Bild;Auge Anna;Nase Anna\na.png;1;2\nb.png;0;9\n")
    assert (row["status"], row["look"]["known"]) == ("refused", False)
    assert "No column was recognised" in row["refusal"]
    assert row["look"]["headers"] == ["Bild", "Auge Anna", "Nase Anna"]
    from models.scale import load_scale

    eye, nose, *_ = load_scale().unit_keys
    columns = {"Bild": "file", "Auge Anna": f"{eye}@anna", "Nase Anna": f"{nose}@anna"}
    row = desk.answer(row, mapping={"columns": columns})
    assert (row["status"], row["look"]["known"]) == ("open", True)
    done = desk.read(row)
    assert (done["status"], done["raters"]) == ("done", ["anna"])
    assert Rating.objects.visible().count() == 4


def test_names_are_said_to_mean_recordings_or_are_left_out(desk):
    data = b"file,frame,rater,ot,nb,cb,ep,wc\nfilm one,2,1,0,0,0,0,0\nfilm two,2,1,1,1,1,1,1\n"
    row = desk.look("odd.csv", data)
    names = row["look"]["names"]["files"]
    assert [name for name, _ in names["missing"]] == ["film one", "film two"]
    assert row["look"]["lines"][0]["recording"] is None
    row = desk.answer(row, places={"files": {"film one": "r0001.mp4", "film two": "-"}})
    names = row["look"]["names"]["files"]
    assert (names["found"], names["left_out"], names["missing"]) == (1, 1, [])
    done = desk.read(row)
    assert (done["frames_matched"], done["frames_unmatched"], done["problems"]) == (1, 0, [])
    wrong = {"places": {"files": {"film one": "r9.mp4"}}}
    assert "undo the import" in desk.ask("PATCH", f"labels/{row['id']}", wrong, 400)["detail"]


def test_scores_of_observations_have_a_home_of_their_own(desk):
    data = b"""animal,time point,rater,mean score,images
m1,baseline,anna,0.25,10
M1,after,anna,9,
m1,after,ben,-,
m1,day 9,anna,1.0,10
m7,after,anna,1.0,10
m1,baseline,ben,7,10
"""
    row = desk.look("mean.csv", data)
    names = row["look"]["names"]
    assert [name for name, _ in names["animals"]["missing"]] == ["m7"]
    assert [name for name, _ in names["time_points"]["missing"]] == ["day 9"]
    row = desk.answer(row, places={"animals": {"m7": "-"}, "time_points": {"day 9": "after"}})
    assert row["look"]["names"]["animals"]["missing"] == []
    done = desk.read(row)
    assert (done["status"], done["observations_matched"], done["rows"]) == ("done", 2, 5)
    places = {(one["row"], one["column"]) for one in done["problems"]}
    assert (7, "mean score") in places  # seven is no mean
    shown = {
        (one["observation"], one["rater"]): (one["kind"], one["score"], one["pictures"])
        for one in desk.rows(done, "observation_scores")
    }
    assert shown[("baseline", "anna")] == ("graded", 0.25, 10)
    assert shown[("after", "anna")] == ("not_scorable", None, None)
    assert shown[("after", "ben")] == ("not_assigned", None, None)
    assert not Rating.objects.exists()
    # "day 9" was said to be "after", where Anna has spoken already.
    assert any("earlier row" in one["sentence"] for one in done["problems"])


def test_a_sum_is_read_as_a_mean_once_that_is_confirmed(desk):
    row = desk.look("sum.csv", b"mouse,day,sum\nm1,baseline,8\nm1,after,4\n")
    assert row["look"]["questions"][0]["blocking"]
    done = desk.read(desk.answer(row, mapping={"conversion": "0-8:share"}))
    assert [one["score"] for one in desk.rows(done, "observation_scores")] == [2.0, 1.0]


def test_what_a_program_said_is_never_a_rating(desk):
    data = b"""timestamp,orbital_score,orbital_confidence,nose_score,nose_confidence
00:00:00.10,0,0.98,1,0.61
0.5,2,0.9,9,0.2
7,1,0.5,1,0.5
"""
    row = desk.look("r0001.csv", data)
    assert row["look"]["format"] == "program"
    lines = row["look"]["lines"]
    assert [(line["recording"], line["number"]) for line in lines[:2]] == [
        ("r0001.mp4", 2),
        ("r0001.mp4", 12),
    ]
    done = desk.read(row)
    assert (done["status"], done["frames_matched"], done["frames_unmatched"]) == ("done", 2, 1)
    assert "shows nothing at 7 s" in done["problems"][0]["sentence"]
    shown = desk.rows(done, "program_scores")
    assert [(one["number"], one["grade"], one["confidence"]) for one in shown] == [
        (2, 0, 0.98),
        (2, 1, 0.61),
        (12, 2, 0.9),
        (12, None, 0.2),
    ]
    assert shown[3]["reason"] == "other"
    assert not Rating.objects.exists()


def test_a_box_that_leaves_its_picture_suggests_the_right_reading(desk):
    entries = {
        name: {"x": "30", "y": "20", "w": "90", "h": "70", "ot": "1", "nb": "9"}
        for name in ("a.png", "b.png")
    }
    row = desk.look("boxes.json", json.dumps(entries).encode())
    question = next(one for one in row["look"]["questions"] if one["field"] == "boxes")
    assert "corners" in [pair[0] for pair in question["choices"]]
    row = desk.answer(row, mapping={"boxes": "corners"})
    assert row["look"]["lines"][0]["marks"]["boxes"] == [[30, 20, 90, 70]]
    done = desk.read(row)
    assert [one["box"] for one in desk.rows(done, "boxes")] == [[30, 20, 90, 70]] * 2
    assert Rating.objects.visible().count() == 4
    assert FaceBox.objects.visible().count() == 2


def test_folders_in_a_zip_archive_are_classes_and_no_grades(desk, zipped, still):
    files = {
        "set/pain/a.png": still(0),
        "set/no pain/b.png": still(1),
        "set/no pain/._b.png": b"mac",
        "set/no pain/notes.txt": b"x",
    }
    row = desk.look("faces.zip", zipped(files))
    assert row["look"]["format"] == "folders"
    assert any("._b.png" in note for note in row["look"]["notes"])
    done = desk.read(row)
    assert {one["recording"]: one["label"] for one in desk.rows(done, "classes")} == {
        "a.png": "pain",
        "b.png": "no pain",
    }
    assert not Rating.objects.exists()


def test_landmarks_of_a_network_of_deeplabcut(desk, dlc_csv):
    row = desk.look("r0001DLC_resnet50.csv", dlc_csv)
    assert row["look"]["format"] == "deeplabcut"
    assert row["look"]["names"]["files"]["found"] == 1
    first = row["look"]["lines"][0]
    assert first["marks"]["points"][0] == [50, 30]
    assert (first["marks"]["width"], first["exact"]) == (96, True)
    done = desk.read(row)
    (shown,) = desk.rows(done, "landmarks")
    assert (shown["by_program"], shown["rater"], shown["frames"]) == (True, "net", 3)
    with get_storage().open(LandmarkSet.objects.get().key) as stream:
        table = pq.read_table(io.BytesIO(stream.read()))
    assert table.column("frame").to_pylist() == [0, 1, 2]
    assert table.column("opening_eye").to_pylist() == pytest.approx([1.0, 1.0, 1.0])
    assert table.schema.metadata[b"by_program"] == b"true"


def test_landmarks_of_a_person_in_pictures_that_deeplabcut_took_out_of_a_film(desk, dlc_h5):
    row = desk.look("CollectedData_anna.h5", dlc_h5)
    lines = row["look"]["lines"]
    assert [(line["recording"], line["number"]) for line in lines] == [
        ("r0001.mp4", 4),
        ("r0001.mp4", 11),
    ]
    done = desk.read(row)
    (shown,) = desk.rows(done, "landmarks")
    assert (shown["by_program"], shown["rater"], shown["frames"]) == (False, "anna", 2)
    with get_storage().open(LandmarkSet.objects.get().key) as stream:
        table = pq.read_table(io.BytesIO(stream.read()))
    assert table.column("frame").to_pylist() == [4, 11]
    assert table.column("eye_bottom_x").to_pylist() == [50, None]


def test_landmarks_of_sleap_keep_people_and_network_apart(desk, slp):
    row = desk.look("labels.slp", slp)
    assert "anna" not in json.dumps(row["look"])
    done = desk.read(row)
    shown = {one["by_program"]: one for one in desk.rows(done, "landmarks")}
    assert (shown[False]["animal"], shown[False]["frames"]) == ("female", 1)
    assert shown[True]["recording"] == "r0002.mp4"


def test_what_nobody_knows_is_refused_with_what_was_recognised(desk, slp):
    import pickle

    for name, data, sentence in (
        ("w.csv", b"filename,weight\na.png,23\n", "“filename” as picture or recording"),
        ("p.pkl", pickle.dumps({"a": 1}), "pickle"),
        ("r.csv", b"filename,orbital,RGS\na.png,1,2\n", ""),
    ):
        row = desk.look(name, data)
        if sentence:
            assert row["status"] == "refused", name
            assert sentence in row["refusal"]
        refusal = desk.ask("POST", f"labels/{row['id']}/confirm", expect=400)
        assert refusal["detail"].endswith(".")


def test_an_import_takes_a_constant_number_of_queries(desk, django_assert_max_num_queries):
    row = desk.read(desk.look("wide.csv", WIDE))
    for _ in range(2):
        with django_assert_max_num_queries(12):
            desk.ask("GET", f"labels/{row['id']}")
        with django_assert_max_num_queries(12):
            desk.ask("GET", f"versions/{desk.name}/labels")


def test_every_kind_is_gone_when_its_import_is(desk, dlc_csv):
    kinds = (ObservationScore, ProgramScore, FaceBox, PictureClass, LandmarkSet)
    row = desk.read(desk.look("r0001DLC_resnet50.csv", dlc_csv))
    key = LandmarkSet.objects.get().key
    desk.ask("DELETE", f"labels/{row['id']}", expect=204)
    assert not LandmarkSet.objects.visible().exists()
    desk.again(row["id"])
    assert not any(kind.objects.exists() for kind in kinds)
    assert get_storage().stat(key) is None

from __future__ import annotations

import argparse
import csv
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from models.events import Refused
from models.manifest import beside, read_manifest
from models.media import probe
from models.phantom.command import add_arguments, run
from models.phantom.manifest import gather_study, write_fold
from models.phantom.plans import (
    PLANS,
    LabPlan,
    StudyPlan,
    another_plan,
    demo_plan,
    pretraining_plan,
    study_plan,
)
from models.phantom.sheet import CELL, lab_sheet
from models.phantom.study import draw_recordings, write_study, write_unseen_clip
from models.scale import Scale, load_scale


def small(lab: LabPlan) -> LabPlan:
    return replace(lab, animals_per_coat=1, clip_s=0.5, graded_per_clip=3, size=(160, 120))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    plan = StudyPlan(tuple(small(lab) for lab in demo_plan().labs[:2]), "small")
    return write_study(tmp_path_factory.mktemp("study"), plan, 3)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_study_has_its_layout(study: Path) -> None:
    told = json.loads((study / "study.json").read_text(encoding="utf-8"))
    assert told["phantom"] is True
    assert len(told["labs"]) == 2
    for lab in told["labs"]:
        files = sorted(path.name for path in (study / lab).iterdir())
        assert files == [
            "dataset.json",
            "evaluation.csv",
            "oracle.csv",
            "scores.csv",
            "truth.csv",
            "videos",
        ]
        dataset = json.loads((study / lab / "dataset.json").read_text(encoding="utf-8"))
        assert dataset["phantom"] is True
        assert dataset["licence"] == "CC0-1.0"
        for recording in dataset["recordings"]:
            assert (study / lab / recording["file"]).is_file()
        assert len(dataset["recordings"]) == len(dataset["observations"]) == 4


def test_scores_name_existing_frames_and_known_cells(study: Path, scale: Scale) -> None:
    for lab in sorted(path for path in study.iterdir() if path.is_dir()):
        sheet = rows(lab / "scores.csv")
        truth = {(row["file"], row["frame"]) for row in rows(lab / "truth.csv")}
        assert {(row["file"], row["frame"]) for row in sheet} <= truth
        assert {row[unit] for row in sheet for unit in scale.unit_keys} <= {"0", "1", "2", "9"}
        votes = Counter((row["file"], row["frame"]) for row in sheet)
        assert set(votes.values()) == {3}
        for row in sheet:
            assert bool(row["reason"]) == ("9" in [row[unit] for unit in scale.unit_keys])


def test_truth_has_one_row_per_frame(study: Path, scale: Scale) -> None:
    lab = next(path for path in sorted(study.iterdir()) if path.is_dir())
    truth = rows(lab / "truth.csv")
    counts = Counter(row["file"] for row in truth)
    for name, count in counts.items():
        assert probe(lab / "videos" / name).frame_count == count
    assert {row["state"] for row in truth} <= set(scale.state_keys)
    assert all(0 <= float(row["nose_bulge_intensity"]) <= 2 for row in truth)


def test_the_truth_marks_what_can_be_seen(study: Path, scale: Scale) -> None:
    lab = next(path for path in sorted(study.iterdir()) if path.is_dir())
    for row in rows(lab / "truth.csv"):
        for side, landmark in zip(("left", "right"), scale.landmarks[:2], strict=True):
            points = [row[f"{side}_{end}_y"] for end in ("top", "front", "bottom", "back")]
            assert all(points) == (row[f"{landmark}_seen"] == "1")
            if all(points):
                assert float(points[0]) <= float(points[2]) + 0.1
        assert float(row["box_x0"]) < float(row["nose_x"]) + 5 < float(row["box_x1"]) + 10
        assert row["view"] in ("frontal", "three_quarter", "profile")


def test_eight_further_raters_judge_the_graded_frames(study: Path, scale: Scale) -> None:
    for lab in sorted(path for path in study.iterdir() if path.is_dir()):
        sheet = {(row["file"], row["frame"]) for row in rows(lab / "scores.csv")}
        votes = rows(lab / "evaluation.csv")
        counts = Counter((row["file"], row["frame"]) for row in votes)
        assert set(counts) == sheet
        assert set(counts.values()) == {8}
        assert {row["rater"] for row in votes}.isdisjoint(
            {row["rater"] for row in rows(lab / "scores.csv")}
        )


def test_the_oracle_knows_the_expected_grade_of_what_can_be_scored(
    study: Path, scale: Scale
) -> None:
    for lab in sorted(path for path in study.iterdir() if path.is_dir()):
        truth = {(row["file"], row["frame"]): row for row in rows(lab / "truth.csv")}
        for row in rows(lab / "oracle.csv"):
            known = truth[row["file"], row["frame"]]
            for unit in scale.unit_keys:
                assert bool(row[unit]) == (known[f"{unit}_scorable"] == "1")
            grades = [float(row[unit]) for unit in scale.unit_keys if row[unit]]
            assert all(0 <= grade <= 2 for grade in grades)
            if row["image_score"]:
                assert float(row["image_score"]) == pytest.approx(
                    sum(grades) / len(grades), abs=1e-3
                )


def test_what_is_kept_at_home_is_no_score_sheet(study: Path) -> None:
    from curation.folder import KEPT_AT_HOME

    for lab in (path for path in study.iterdir() if path.is_dir()):
        assert {path.name for path in lab.glob("*.csv")} - set(KEPT_AT_HOME) == {"scores.csv"}


def test_the_metadata_are_valid_and_complete(study: Path) -> None:
    metadata = pytest.importorskip("curation.metadata")
    for path in sorted(study.glob("*/dataset.json")):
        dataset = json.loads(path.read_text(encoding="utf-8"))
        assert metadata.validate("dataset", dataset["metadata"]) == []
        assert metadata.missing("dataset", dataset["metadata"]) == []
        for group in dataset["groups"]:
            assert metadata.validate("group", group["treatment"]) == []
        for animal in dataset["animals"]:
            values = {key: animal[key] for key in ("sex", "strain", "coat", "age_weeks")}
            assert metadata.validate("animal", values) == []
            assert metadata.missing("animal", values) == []


def test_the_sheets_are_read_by_the_importer(study: Path) -> None:
    labels = pytest.importorskip("curation.labels")
    for path in sorted(study.glob("*/scores.csv")):
        read = labels.read(path)
        assert read.problems == ()
        assert len(read.raters) == 3
        reasons = {row.reason for row in read.rows if row.grade is None}
        assert None not in reasons


def test_equal_seeds_give_equal_files_whatever_the_number_of_processes(
    study: Path, tmp_path: Path
) -> None:
    plan = StudyPlan(tuple(small(lab) for lab in demo_plan().labs[:2]), "small")
    again = write_study(tmp_path / "again", plan, 3, processes=2)
    for path in sorted(study.rglob("*.*")):
        assert path.read_bytes() == (again / path.relative_to(study)).read_bytes(), path.name
    other = write_study(tmp_path / "other", replace(plan, labs=plan.labs[:1]), 4)
    lab = plan.labs[0].key
    assert (other / lab / "scores.csv").read_bytes() != (study / lab / "scores.csv").read_bytes()


def test_the_demo_has_three_labs_three_assays_and_two_coats(scale: Scale) -> None:
    plan = demo_plan()
    assert [lab.metadata["assay"] for lab in plan.labs] == [
        "post_surgical",
        "inflammatory",
        "neuropathic",
    ]
    for lab in plan.labs:
        assert "phantom" in lab.title.lower()
        assert [coat.key for coat in lab.coats] == ["white", "black"]
        recordings = draw_recordings(lab, 1, scale)
        assert len(recordings) == 24
        assert len({one.animal.name for one in recordings}) == 12


def test_groups_sexes_and_coats_are_balanced_and_cages_keep_sexes_apart(scale: Scale) -> None:
    animals = {
        one.animal.name: one.animal for one in draw_recordings(demo_plan().labs[0], 1, scale)
    }
    counts = Counter((a.coat.key, a.sex) for a in animals.values())
    assert set(counts.values()) == {3}
    cages: dict[str, set[Any]] = {}
    for animal in animals.values():
        cages.setdefault(animal.cage, set()).add((animal.sex, animal.coat.key))
    assert all(len(kinds) == 1 for kinds in cages.values())


def test_the_neuropathic_study_has_no_effect_and_the_others_have_one(scale: Scale) -> None:
    plans = demo_plan().labs

    def pain(lab: LabPlan, observation: str) -> float:
        found = [
            one.plan.pain
            for seed in range(5)
            for one in draw_recordings(lab, seed, scale)
            if one.observation == observation
        ]
        return sum(found) / len(found)

    for lab in plans[:2]:
        assert pain(lab, "after") > pain(lab, "baseline") + 0.3
    assert pain(plans[2], "after") == pytest.approx(pain(plans[2], "baseline"), abs=0.01)


def test_file_names_tell_nothing(scale: Scale) -> None:
    recordings = draw_recordings(demo_plan().labs[0], 1, scale)
    order = [one.observation for one in recordings]
    assert order[:12].count("after") not in (0, 12)
    assert [one.animal.name for one in recordings] != sorted(one.animal.name for one in recordings)


def test_one_more_dataset_is_smaller_and_of_a_known_box() -> None:
    (lab,) = another_plan().labs
    assert lab.look == demo_plan().labs[1].look
    assert lab.key not in {one.key for one in demo_plan().labs}
    assert lab.animals_per_coat < demo_plan().labs[1].animals_per_coat


def test_a_large_study_has_as_many_labs_as_asked_for_each_with_its_look(scale: Scale) -> None:
    plan = study_plan(9, 4)
    assert len({lab.key for lab in plan.labs}) == 9
    assert len({lab.look for lab in plan.labs}) == 9
    assert all(lab.coats == scale.coats[:2] for lab in plan.labs)
    assert plan.independent == ()


def test_five_labs_differ_in_camera_light_and_raters_and_one_more_only_judges(
    scale: Scale,
) -> None:
    plan = study_plan(5, 4, coats=scale.coats, independent=2)
    assert len({(lab.size, lab.fps) for lab in plan.labs}) == 5
    assert len({lab.rater_bias for lab in plan.labs}) == 5
    assert min(lab.fps for lab in plan.labs) >= 12
    assert all(lab.clip_s >= 10 and lab.coats == scale.coats for lab in plan.labs)
    (judge,) = plan.independent
    assert judge.animals_per_coat == 2
    assert judge.look not in {lab.look for lab in plan.labs}
    assert judge.key not in {lab.key for lab in plan.labs}
    looks = [lab.look for lab in plan.labs]
    for name in ("front_bars", "glare", "ghost", "interlaced", "infrared"):
        assert any(getattr(look, name) for look in looks), name


def test_long_clips_hold_several_stretches_and_leave_time_at_ease(scale: Scale) -> None:
    lab = study_plan(1, 24).labs[0]
    recordings = draw_recordings(lab, 3, scale)
    assert max(len(one.plan.stretches) for one in recordings) >= 3
    seen = {stretch.state.key for one in recordings for stretch in one.plan.stretches}
    assert seen == set(scale.state_keys)
    for one in recordings:
        at = 0.0
        for stretch in one.plan.stretches:
            assert at <= stretch.start_s < stretch.stop_s <= lab.clip_s + 1e-6
            at = stretch.stop_s
        assert sum(s.stop_s - s.start_s for s in one.plan.stretches) <= 0.75 * lab.clip_s + 1e-6


def test_only_animals_in_strong_pain_sit_still_with_their_eyes_squeezed_shut(
    scale: Scale,
) -> None:
    recordings = draw_recordings(study_plan(1, 24).labs[0], 3, scale)
    pained = [one for one in recordings if any(s.pain is not None for s in one.plan.stretches)]
    assert len(pained) >= 4
    assert min(one.plan.pain for one in pained) > 0.5
    assert all(
        stretch.state.graded == (stretch.pain is not None)
        for one in recordings
        for stretch in one.plan.stretches
    )


def test_the_unseen_clip_holds_pain_and_the_most_frequent_other_states(
    tmp_path: Path, scale: Scale
) -> None:
    truth = write_unseen_clip(tmp_path / "unseen.mp4", 1)
    assert truth[-1].time_s == pytest.approx(8, abs=0.1)
    assert probe(tmp_path / "unseen.mp4").frame_count == len(truth) == 120
    states = {frame.face.state for frame in truth}
    assert states == {"awake", "asleep", "grooming", "moving"}
    awake = [frame.face for frame in truth if frame.face.state == "awake"]
    assert sum(sum(face.intensities.values()) / 5 for face in awake) / len(awake) > 0.8


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_command_reports_progress_as_events(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = StudyPlan((small(demo_plan().labs[0]),), "small")
    monkeypatch.setattr("models.phantom.command.PLANS", {"demo": lambda: plan})
    events: list[dict[str, Any]] = []
    options = parse("study", "--plan", "demo", "--out", str(tmp_path / "s"))
    assert run(options, events.append) == 0
    assert [event["fraction"] for event in events[:-1]] == [0.25, 0.5, 0.75, 1.0]
    assert events[-1] == {"event": "done", "path": str(tmp_path / "s"), "labs": 1}


def test_the_command_writes_stills_of_the_graded_frames(tmp_path: Path) -> None:
    arguments = ("study", "--labs", "1", "--animals", "1", "--seconds", "0.5", "--coats", "agouti")
    out = tmp_path / "s"
    assert run(parse(*arguments, "--stills", "--out", str(out)), lambda event: None) == 0
    (lab,) = json.loads((out / "study.json").read_text(encoding="utf-8"))["labs"]
    graded = {(row["file"], int(row["frame"])) for row in rows(out / lab / "scores.csv")}
    names = {f"{file.removesuffix('.mp4')}_f{frame:04d}.png" for file, frame in graded}
    assert {path.name for path in (out / lab / "stills").iterdir()} == names
    dataset = json.loads((out / lab / "dataset.json").read_text(encoding="utf-8"))
    assert {animal["coat"] for animal in dataset["animals"]} == {"agouti"}


def test_clips_without_length_are_refused(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    assert run(parse("study", "--seconds", "0", "--out", str(tmp_path)), events.append) == 3
    assert events[0]["event"] == "refused"


def test_a_study_without_labs_is_refused(tmp_path: Path) -> None:
    events: list[dict[str, Any]] = []
    options = parse("study", "--labs", "0", "--out", str(tmp_path))
    assert run(options, events.append) == 3
    assert events[0]["event"] == "refused"


def test_the_command_writes_an_unseen_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def write(*arguments: Any) -> list[int]:
        asked.extend(arguments)
        return [0] * 120

    monkeypatch.setattr("models.phantom.command.write_unseen_clip", write)
    assert run(parse("clip", "--coat", "black", "--out", str(tmp_path / "c.mp4"))) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 120
    assert asked == [tmp_path / "c.mp4", 0, load_scale().coat("black")]


def test_the_sheet_of_labs_has_a_row_per_lab_and_a_column_per_state(scale: Scale) -> None:
    wide, high = CELL
    columns = 2 + len(scale.states)
    assert lab_sheet(scale).shape == (6 * high, columns * wide, 3)


def test_the_contact_sheet_has_a_row_per_coat(tmp_path: Path, scale: Scale) -> None:
    assert run(parse("sheet", "--out", str(tmp_path / "sheet.jpg")), lambda event: None) == 0
    facts = probe(tmp_path / "sheet.jpg")
    assert facts.height == 180 * len(scale.coats)
    assert facts.width >= 200 * (len(scale.units) + 3)


def test_a_fold_keeps_one_lab_for_judging_and_independent_labs_out(
    study: Path, tmp_path: Path, scale: Scale
) -> None:
    gathered = gather_study(study, tmp_path / "gathered")
    first, second = json.loads((study / "study.json").read_text(encoding="utf-8"))["labs"]
    frames = pd.read_parquet(gathered / "frames.parquet")
    known = pd.read_parquet(gathered / "evaluation.parquet")
    assert len(frames) == len(known) == 2 * 4 * 3
    assert set(frames["blob"]) == {path.name for path in (gathered / "media").iterdir()}
    assert not {"oracle", "true_state", "true_pain"} & set(frames.columns)
    for unit in scale.unit_keys:
        shares = frames[[f"{unit}__p{grade}" for grade in range(3)]].sum(axis=1)
        assert ((shares - 1).abs() < 1e-9).sum() + (shares == 0).sum() == len(frames)
    path = tmp_path / "fold.parquet"
    digests = write_fold(gathered, path, first, 1)
    fold, held = (read_manifest(one).frames for one in (path, beside(path, "benchmark")))
    assert (set(held["lab"]), set(held["split"])) == ({first}, {"benchmark"})
    assert set(fold["lab"]) == {second}
    assert "benchmark" not in set(fold["split"])
    assert write_fold(gathered, path, first, 1) == digests
    write_fold(gathered, path, None, 1, without=[second])
    assert set(read_manifest(path).frames["lab"]) == {first}


def test_a_folder_without_a_study_cannot_be_gathered(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="holds no rendered study"):
        gather_study(tmp_path, tmp_path / "out")


def test_the_plan_of_the_shipped_weights_shows_every_coat_to_every_lab(scale: Scale) -> None:
    plan = pretraining_plan(scale)
    assert PLANS["pretraining"] is pretraining_plan
    assert plan.name == "pretraining"
    assert len({lab.key for lab in plan.labs}) == 5
    for lab in plan.labs:
        assert lab.coats == scale.coats
        assert lab.raters == 6

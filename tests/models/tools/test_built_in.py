"""The tools that come with the program, held against what was rendered or worked by hand."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from models.events import Refused
from models.scorer import Scorer
from models.tools import ToolContext, find_tool, run_tool
from models.tools.course import curve, spans
from models.tools.eye_opening import Shut, shut_stretches

ROOT = Path(__file__).parents[3]
SHARED = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def scorer():
    """The scorer of the shipped bundle, opened once."""
    from models.bundle import default_bundle

    return Scorer(default_bundle())


@pytest.fixture
def run(tmp_path, scorer):
    """Run a tool on a file into a folder of the test."""

    def go(name: str, media: Path, **given):
        context = ToolContext(tmp_path / "out", load=lambda: scorer.bundle, scorer=lambda: scorer)
        return run_tool(find_tool(name), media, given, context)

    return go


def write_film(path: Path, pictures: list[np.ndarray], fps: int = 25) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=fps)
        height, width = pictures[0].shape
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="gray")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


def test_a_patch_that_flickers_moves_by_what_it_is(run, tmp_path):
    """A tenth of the picture changes by 100 grey levels every two frames of 25 per second."""
    pictures = []
    for index in range(50):
        picture = np.full((80, 100), 60, np.uint8)
        if index // 2 % 2:
            picture[:40, :20] = 160
        pictures.append(picture)
    film = write_film(tmp_path / "film.mkv", pictures)
    told = run("motion-index", film).summary
    # Frames 0.08 s apart differ in 800 of 8000 pixels by 100 of 255.
    assert told["motion_index"] == pytest.approx(0.1 * 100 / 255 / 0.08, rel=0.01)
    assert told["moving_share"] == pytest.approx(0.1, rel=0.01)
    assert told["still_share"] == 0
    rows = rows_of(tmp_path / "out" / "motion.csv")
    assert len(rows) == 50
    assert rows[0]["moving_share"] == ""


def test_flicker_of_the_whole_picture_is_evened_out_or_not(run, tmp_path):
    pictures = [np.full((80, 100), 60 + 20 * (index // 2 % 2), np.uint8) for index in range(50)]
    film = write_film(tmp_path / "film.mkv", pictures)
    still = run("motion-index", film)
    assert still.summary["motion_index"] == 0
    assert still.summary["still_share"] == 1
    assert still.summary["longest_still_s"] == pytest.approx(50 / 25 - 0.08, abs=0.01)
    moving = run("motion-index", film, even_light="no")
    assert moving.summary["moving_share"] == pytest.approx(1, abs=0.01)


def test_one_frame_has_no_motion(run, tmp_path):
    film = write_film(tmp_path / "film.mkv", [np.zeros((64, 64), np.uint8)])
    result = run("motion-index", film)
    assert result.outcome == "nothing_found"
    assert result.sentence.startswith("No motion index: 1 frame over 0.0 seconds")


def test_a_rendered_mouse_shuts_its_eyes_when_it_sleeps(run, phantom_clip, tmp_path):
    result = run("eye-opening", phantom_clip.path)
    assert result.outcome == "done"
    assert result.phantom
    assert result.summary["frames"] == len(phantom_clip.truth)
    rows = rows_of(tmp_path / "out" / "eye_opening.csv")
    assert {row["phantom"] for row in rows} == {"yes"}
    asleep = [float(r["opening"]) for r in rows if r["opening"] and float(r["time_s"]) > 1.5]
    awake = [float(r["opening"]) for r in rows if r["opening"] and float(r["time_s"]) < 1.0]
    assert len(asleep) > 3
    assert np.mean(asleep) < 0.3 < np.mean(awake)
    assert result.summary["shut_share"] > 0.2


def test_blinks_are_counted_where_eyes_were_seen_open_on_both_sides():
    times = np.arange(60) / 30
    opening = np.full(60, 0.8)
    opening[10:13] = 0.1  # a blink
    opening[20:22] = 0.35  # half shut: no blink
    opening[30:50] = 0.1  # asleep
    opening[35:37] = 0.4  # eyelids that tremble
    opening[58:] = 0.1  # nobody saw it open again
    opening[40] = np.nan
    found = shut_stretches(times, opening, 0.3)
    assert [one.ended for one in found] == [True, True, False]
    blink, sleep, _ = found
    assert blink == Shut(pytest.approx(9.5 / 30), pytest.approx(12.5 / 30), True)
    assert sleep.t1 - sleep.t0 == pytest.approx(20 / 30)


def test_a_gap_in_which_nobody_saw_the_eyes_makes_no_blink():
    times = np.array([0.0, 0.1, 0.2, 2.0, 2.1])
    found = shut_stretches(times, np.array([0.8, 0.8, 0.1, 0.8, 0.8]), 0.3)
    assert [(one.t1, one.ended) for one in found] == [(pytest.approx(0.2), False)]


def test_blinks_are_not_counted_in_slow_films(run, phantom_clip):
    result = run("eye-opening", phantom_clip.path, longest_blink_s=0.1)
    assert result.summary["blinks"] is None
    assert "Blinks were not counted: at 12.0 frames per second" in result.sentence
    assert "Film at 30 frames per second" in result.advice[0]


def test_a_report_says_what_to_film_otherwise(run, phantom_clip, tmp_path):
    good = run("blur-and-view", phantom_clip.path)
    assert good.summary["frames_with_a_face"] > 0.8 * good.summary["frames"]
    strict = run("blur-and-view", phantom_clip.path, least_face=1500)
    assert strict.summary["good_frames"] == 0
    assert "come nearer or zoom" in strict.advice[0]
    assert "1500 pixels" in strict.advice[0]
    empty = run("blur-and-view", write_film(tmp_path / "e.mkv", [np.full((64, 64), 90, np.uint8)]))
    assert empty.outcome == "nothing_found"
    assert empty.advice


def test_the_score_of_the_tool_is_that_of_the_command(run, phantom_clip, tmp_path, scorer):
    from models.scoring import score_one

    result = run("score", phantom_clip.path)
    row = score_one(scorer, phantom_clip.path, tmp_path / "command")
    assert result.summary["score"] == row["score"]
    assert result.summary["graded"] == row["graded"]
    assert set(result.files) == {"predictions.parquet", "frames.csv", "score.json", "result.json"}
    with pytest.raises(Refused, match="A coat alone"):
        run("score", phantom_clip.path, coat="white")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_agreement_is_that_of_the_statistics(run, tmp_path):
    from models.stats.agreement import krippendorff_alpha, quadratic_weighted_kappa

    a, b = [0, 1, 2, 1, 0, 2], [0, 1, 2, 0, 0, 1]
    lines = ["file;frame;rater;ear;nose"]
    for number, (one, other) in enumerate(zip(a, b, strict=True)):
        lines += [f"x.mp4;{number};ann;{one};9", f"x.mp4;{number};bob;{other};-"]
    result = run("agreement", write(tmp_path / "t.csv", "\n".join(lines)))
    told = result.summary["measures"]
    assert told["ear"]["kappa"] == pytest.approx(quadratic_weighted_kappa(a, b, 3), abs=1e-4)
    alpha = krippendorff_alpha(np.array([a, b]).T, "ordinal")
    assert told["ear"]["alpha"] == pytest.approx(alpha, abs=1e-4)
    assert told["nose"] == {
        "frames": 0,
        "raters": 0,
        "kappa": None,
        "alpha": None,
        "ICC of one rater": None,
        "ICC of the mean": None,
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", r"t\.csv is empty"),
        ("frame,rater,ear\n", "holds no row under its column names"),
        ("frame,who,ear\n1,a,2\n", "has no column “rater” for raters; its columns are frame, who"),
        ("frame,rater\n1,a\n", "no column of grades"),
        ("frame,rater,ear\n1,a,3\n", "Row 2, column “ear” of t.csv holds “3”, which is no grade"),
        ("frame,rater,ear\n1,a,1\n1,a,2\n", "Row 3 of t.csv gives a second rating"),
        ("frame,rater,ear\n1,,1\n", "Row 2 of t.csv names no rater"),
        ("frame,rater,ear,ear\n1,a,1,1\n", "two columns called “ear”"),
        ("frame,rater,ear\n1,a,1,7\n", "Row 2 of t.csv has more cells than"),
    ],
)
def test_a_table_that_cannot_be_compared_is_refused_with_row_and_column(
    run, tmp_path, text, sentence
):
    with pytest.raises(Refused, match=sentence):
        run("agreement", write(tmp_path / "t.csv", text))


def test_a_table_of_one_rater_has_no_agreement(run, tmp_path):
    result = run("agreement", write(tmp_path / "t.csv", "frame,rater,ear\n1,a,1\n2,a,2\n"))
    assert result.outcome == "nothing_found"


def test_excel_is_read_too(run, tmp_path):
    import openpyxl

    book = openpyxl.Workbook()
    for row in (["frame", "rater", "ear"], [1, "a", 1.0], [1, "b", 1], [2, "a", 0], [2, "b", 0]):
        book.active.append(row)
    book.save(tmp_path / "t.xlsx")
    assert run("agreement", tmp_path / "t.xlsx").figures[0].value == pytest.approx(1)
    with pytest.raises(Refused, match="no Excel file"):
        run("agreement", write(tmp_path / "u.xlsx", "frame"))


def test_long_curves_are_means_over_stretches():
    times = np.arange(0, 600, 0.02)
    found = curve("x", times, np.where(times < 300, 1.0, np.nan))
    assert len(found.times) <= 1200
    assert found.values[0] == 1
    assert found.values[-1] is None
    assert spans(np.array([0.0, 1.0, 2.0, 100.0])).tolist() == [1, 1, 5, 1]


def test_the_command_lists_tells_and_runs(phantom_clip, tmp_path):
    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "models", "tools", *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    assert "motion-index 1.0 (amgs" in command("list").stdout
    assert json.loads(command("schema", "motion-index").stdout)["title"] == "Motion index"
    films = [phantom_clip.path, phantom_clip.path]
    done = command("run", "motion-index", *films, "--out", tmp_path, "--param", "side=64")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("The motion index is") == 2
    assert (tmp_path / "clip-2" / "result.json").is_file()
    wrong = command("run", "motion-index", films[0], "--out", tmp_path, "--param", "side=1")
    assert wrong.returncode == 3
    assert "between 32 and 640 pixels" in wrong.stdout
    (tmp_path / "no.mp4").write_bytes(b"\0" * 500)
    assert command("run", "motion-index", tmp_path / "no.mp4", "--out", tmp_path).returncode == 1


@pytest.mark.parametrize("name", ["motion-index", "eye-opening", "blur-and-view"])
def test_every_odd_recording_ends_in_a_stated_outcome(run, name):
    if not SHARED.is_dir():
        pytest.skip("the shared real recordings are not on this machine")
    films = [*SHARED.glob("videos-odd/*.m*"), *SHARED.glob("mouse-video-side/*.mp4")]
    assert len(films) > 8
    for film in films:
        result = run(name, film)
        assert result.sentence
        if name != "motion-index":
            # None of them shows a frontal mouse, and the eyes of the one in profile are shut.
            assert result.summary.get("good_frames", 0) <= 0.01 * result.summary["frames"]
            assert name == "blur-and-view" or result.outcome == "nothing_found"
        if film.stem == "corrupted":
            assert any("damaged" in sentence for sentence in result.advice)


if find_spec("models.study"):

    def test_the_study_of_the_tool_is_that_of_the_command(run, tmp_path):
        from models.study.example import write_example

        write_example(tmp_path / "study.csv")
        result = run("study", tmp_path / "study.csv", control="sham")
        assert result.phantom
        assert {"report.html", "report.json", "study.zip"} <= set(result.files)
        assert result.summary["counts"]["animals"] == 30

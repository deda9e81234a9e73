import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import Bundle, load_bundle
from models.config import CropConfig
from models.data.compositions import scenery
from models.faces import cut, overlap, sharpness, shrink
from models.grader import Grader, Looked
from models.looker import blend
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.records import Face
from models.scorer import Scorer, identity

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def bundle(tiny_run) -> Bundle:
    return load_bundle(tiny_run.bundle)


def face(**changes) -> Face:
    whole = Face((20.0, 20.0, 120.0, 120.0), {"nose": (70.0, 90.0)}, 0.9, "frontal", 80.0)
    return replace(whole, **changes)


def looked(scale, **changes) -> Looked:
    n = len(scale.units)
    states = np.zeros((1, len(scale.states)))
    states[0, 0] = 1
    whole = Looked(
        [np.array([[0.1, 0.2, 0.7]])] * n,
        np.full((1, n), 0.9),
        states,
        np.zeros(1),
        [np.array([0.5, 1.5])] * n,
    )
    return replace(whole, **changes)


def test_scoring_needs_no_torch(tiny_run, phantom_clip) -> None:
    program = (
        "import sys; from models.bundle import load_bundle; from models.scorer import Scorer\n"
        f"n = sum(1 for _ in Scorer(load_bundle({str(tiny_run.bundle)!r}))"
        f".score({str(phantom_clip.path)!r}))\n"
        "assert n == 24, n\n"
        "assert not {'torch', 'pytorch_lightning', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, timeout=60)


def test_every_frame_gets_a_prediction_in_order(bundle: Bundle, phantom_clip) -> None:
    told: list[float] = []
    predictions = list(Scorer(bundle).score(phantom_clip.path, on_progress=told.append))
    assert [p.index for p in predictions] == list(range(24))
    assert told
    assert len({p.key.pts for p in predictions}) == 24
    assert {p.key.blob for p in predictions} == {identity(phantom_clip.path)}
    for p in predictions:
        assert (p.image_score is None) == (p.reason is not None)
        if p.reason is None:
            assert p.face is not None
            assert 0 <= p.image_score <= 2


def test_scoring_twice_gives_the_same_answer(bundle: Bundle, phantom_clip) -> None:
    scorer = Scorer(bundle)
    assert list(scorer.score(phantom_clip.path)) == list(scorer.score(phantom_clip.path))


def test_scoring_stops_when_asked(bundle: Bundle, phantom_clip) -> None:
    assert 0 < len(list(Scorer(bundle).score(phantom_clip.path, should_stop=lambda: True))) < 24


@pytest.fixture(scope="module")
def long_clip(scale, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of three chunks of ticks."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    plan = ClipPlan(
        coat=scale.coats[0], look=Look(), animal=5, pain=0.6, duration_s=17.0, size=(200, 150)
    )
    write_clip(path, plan, 5, scale)
    return path


@pytest.mark.parametrize("number", [2, 7])
def test_scores_do_not_depend_on_how_a_recording_is_cut(
    bundle: Bundle, long_clip: Path, number: int
) -> None:
    scorer = Scorer(bundle)
    once = list(scorer.score(long_clip))
    assert len({p.image_score for p in once}) > 100
    edges = np.linspace(0, once[-1].time_s + 0.01, number + 1)
    parts = [
        prediction
        for span in itertools.pairwise(edges.tolist())
        for prediction in scorer.score(long_clip, span=span)
    ]
    assert [p.key for p in parts] == [p.key for p in once]
    assert [p.state for p in parts] == [p.state for p in once]
    assert [p.reason for p in parts] == [p.reason for p in once]
    for one, other in zip(parts, once, strict=True):
        assert [g.grade for g in one.grades] == [g.grade for g in other.grades]
        for mine, theirs in zip(one.grades, other.grades, strict=True):
            assert mine.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)
            assert mine.scorable == pytest.approx(theirs.scorable, abs=1e-5)


def test_a_folder_of_pictures_is_scored_picture_by_picture(bundle: Bundle, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number, size in enumerate([(160, 120), (90, 200)]):
        cv2.imwrite(str(tmp_path / f"p{number}.png"), scenery(size, rng))
    predictions = list(Scorer(bundle).score(tmp_path))
    assert [p.key.pts for p in predictions] == [0, 1]
    assert predictions[0].key.blob == identity(tmp_path)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"confidence": 0.1}, "absence"),
        ({"box": (20.0, 20.0, 50.0, 120.0)}, "size"),
        ({"view": "profile"}, "angle"),
    ],
)
def test_a_face_that_cannot_be_graded_gets_no_grade(
    bundle: Bundle, scale, changes: dict, cause: str
) -> None:
    grader = Grader.of(bundle)
    grader.crop = CropConfig()
    verdict = grader.verdict(face(**changes), looked(scale), 0, (240, 320))
    assert verdict.reason == scale.reason_because(cause).key
    assert verdict.grades == ()
    assert verdict.image_score is None
    assert verdict.state == "unclear"


def test_an_unfamiliar_face_gets_no_grade(bundle: Bundle, scale) -> None:
    far = looked(scale, distance=np.array([1.01]))
    verdict = Grader.of(bundle).verdict(face(), far, 0, (240, 320))
    assert verdict.reason == scale.reason_because("unnamed").key
    assert verdict.grades == ()
    assert verdict.unfamiliar
    turned = Grader.of(bundle).verdict(face(view="profile"), far, 0, (240, 320))
    assert not turned.unfamiliar


def test_a_state_that_is_not_graded_withholds_grades_but_keeps_probabilities(
    bundle: Bundle, scale
) -> None:
    states = np.zeros((1, len(scale.states)))
    states[0, scale.state_keys.index("asleep")] = 1
    verdict = Grader.of(bundle).verdict(face(), looked(scale, states=states), 0, (240, 320))
    assert verdict.state == "asleep"
    assert verdict.reason == "asleep"
    assert all(grade.grade is None and sum(grade.probabilities) for grade in verdict.grades)


def test_too_few_scorable_units_give_no_score(bundle: Bundle, scale) -> None:
    scorable = np.full((1, len(scale.units)), 0.1)
    scorable[0, :2] = 0.9
    verdict = Grader.of(bundle).verdict(
        face(sharpness=1.0), looked(scale, scorable=scorable), 0, (240, 320)
    )
    assert verdict.image_score is None
    assert verdict.reason == scale.reason_because("blur").key
    assert [grade.grade for grade in verdict.grades] == [2, 2, None, None, None]
    edge = Grader.of(bundle).verdict(
        face(box=(0.0, 9.0, 99.0, 99.0)), looked(scale, scorable=scorable), 0, (240, 320)
    )
    assert edge.reason == scale.reason_because("border").key


def test_a_graded_frame_has_the_mean_expected_grade(bundle: Bundle, scale) -> None:
    verdict = Grader.of(bundle).verdict(face(), looked(scale), 0, (240, 320))
    assert verdict.reason is None
    assert verdict.image_score == pytest.approx(1.6)
    assert {grade.grade for grade in verdict.grades} == {2}


def test_a_state_the_head_has_not_learnt_is_never_named(bundle: Bundle) -> None:
    grader = Grader.of(bundle)
    rng, units = np.random.default_rng(0), len(bundle.scale.units)
    states = grader.weigh(
        rng.normal(size=(4, units, 2)),
        rng.normal(size=(4, units)),
        rng.normal(size=(4, len(bundle.scale.states))),
        np.zeros(4),
        np.zeros((4, len(bundle.calibration["out_of_distribution"]["mean"]))),
    ).states
    assert bundle.info["states"] == ["awake", "unclear"]
    assert states[:, ~grader.told].max() == 0
    assert states.sum(1) == pytest.approx(np.ones(4))


def test_a_crop_repeats_the_border_and_keeps_its_size() -> None:
    luma = np.full((50, 60), 90, np.uint8)
    crop = CropConfig(size=24)
    for box in ((-30.0, -20.0, 20.0, 20.0), (50.0, 40.0, 90.0, 90.0), (10.0, 10.0, 20.0, 20.0)):
        assert np.array_equal(cut(luma, box, crop), np.full((24, 24), 90))
    assert cut(luma, (500.0, 500.0, 520.0, 520.0), crop).shape == (24, 24)


def test_the_finders_picture_is_padded_to_its_stride() -> None:
    small = shrink(np.full((1216, 1936), 128, np.uint8), 128)
    assert small.shape == (96, 128)
    assert small.min() == small.max() == pytest.approx(128 / 255)


def test_blur_lowers_sharpness_and_an_empty_box_has_none() -> None:
    sharp = np.random.default_rng(0).integers(0, 255, (99, 99)).astype(np.uint8)
    box = (10.0, 10.0, 90.0, 90.0)
    assert sharpness(sharp, box) > 4 * sharpness(cv2.GaussianBlur(sharp, (0, 0), 2), box)
    assert sharpness(sharp, (5.0, 5.0, 6.0, 6.0)) == 0.0


def test_faces_between_two_looks_are_interpolated() -> None:
    half = blend(face(), face(box=(40.0, 20.0, 140.0, 120.0), confidence=0.5), 0.5)
    assert half.box == (30.0, 20.0, 130.0, 120.0)
    assert half.confidence == 0.5
    assert overlap((0, 0, 2, 2), (1, 0, 3, 2)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 1, 1), (2, 2, 3, 3)) == 0.0


def test_the_command_scores_and_states_every_outcome(
    models, tiny_run, phantom_clip, tmp_path: Path
) -> None:
    import json

    text = tmp_path / "text.mp4"
    text.write_text("no film")
    process = models(
        "score", phantom_clip.path, text, "--out", tmp_path / "out", "--bundle", tiny_run.bundle,
        "--json",
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    first, second = json.loads(out)
    assert first["outcome"] in ("scored", "no_scorable_frames")
    assert first["frames"] == 24
    assert first["phantom"] is True
    assert second["outcome"] == "unreadable"
    result = json.loads((tmp_path / "out" / "clip" / "result.json").read_text())
    assert result["provenance"]["bundle"] == load_bundle(tiny_run.bundle).digest
    assert (tmp_path / "out" / "clip" / "predictions.parquet").is_file()
    assert not (tmp_path / "out" / "text" / "predictions.parquet").exists()


def test_counting_animals_changes_no_prediction(bundle: Bundle, phantom_clip) -> None:
    from models.animals import Census

    scorer, census = Scorer(bundle), Census()
    plain = list(scorer.score(phantom_clip.path))
    assert list(scorer.score(phantom_clip.path, census=census)) == plain
    # Nothing of it stays with the scorer.
    looks = census.looks
    assert list(scorer.score(phantom_clip.path)) == plain
    assert census.looks == looks


class Crowd:
    """A census that has seen several animals from the first."""

    several = settled = True

    def see(self, luma, faces) -> None:
        """Count nothing."""


def test_a_recording_of_several_animals_is_refused_with_what_to_do(
    tiny_run, phantom_clip, tmp_path: Path, monkeypatch, capsys
) -> None:
    import json

    from models import scoring
    from models.animal_regions import read_region

    monkeypatch.setattr(scoring, "Census", Crowd)
    assert scoring.score_files([phantom_clip.path], tmp_path, tiny_run.bundle, True) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["outcome"], row["score"], row["animal"]) == ("several_animals", None, None)
    assert "--region m1=0,0,640,720" in row["sentence"]
    told = json.loads((tmp_path / "clip" / "result.json").read_text())
    assert told["result"]["outcome"] == "several_animals"
    assert not (tmp_path / "clip" / "predictions.parquet").exists()
    region = read_region("m7=0,0,200,200")
    scoring.score_files([phantom_clip.path], tmp_path, tiny_run.bundle, regions=[region])
    assert "in the region of m7" in capsys.readouterr().out


def test_every_region_has_a_result_of_its_own(
    models, tiny_run, phantom_clip, tmp_path: Path
) -> None:
    import json

    process = models(
        "score", phantom_clip.path, "--out", tmp_path, "--bundle", tiny_run.bundle, "--json",
        "--region", "left=0,0,160,240", "--region", "all=0,0,320,240",
    )  # fmt: skip
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    rows = json.loads(out)
    assert [row["animal"] for row in rows] == ["left", "all"]
    assert [Path(row["folder"]).name for row in rows] == ["clip-left", "clip-all"]
    for name, box in (("clip-left", [0, 0, 160, 240]), ("clip-all", [0, 0, 320, 240])):
        told = json.loads((tmp_path / name / "result.json").read_text())
        assert told["provenance"]["region"] == box
        assert told["result"]["frames"] == 24


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--region", "m1=5"), "needs four numbers"),
        (("--region", "a=0,0,99,99", "--region", "a=0,0,99,99"), "the same name"),
        (("--region", "a=900,0,999,99"), "lies outside the picture"),
        (("--coat", "white"), "name the lab too"),
    ],
)
def test_a_region_or_group_that_cannot_be_is_refused(
    models, tiny_run, phantom_clip, tmp_path: Path, options, words
) -> None:
    process = models(
        "score", phantom_clip.path, "--out", tmp_path, "--bundle", tiny_run.bundle, *options
    )
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 3
    assert words in out


def test_a_graded_unit_has_the_set_of_its_group(bundle: Bundle, scale) -> None:
    from models.sets import group_of

    units = {
        unit: {
            "pooled": {"threshold": 0.5, "n": 99},
            "groups": {"here|white": {"threshold": 0.15, "n": 60}},
            "elsewhere": {"threshold": 0.05, "n": 99},
        }
        for unit in scale.unit_keys
    }
    calibration = {**bundle.calibration, "sets": {"alpha": 0.1, "labs": ["here"], "units": units}}

    def held(group: str | None) -> set[tuple[int, ...] | None]:
        grader = Grader(calibration, scale, bundle.crop, ["awake"], group)
        grades = grader.verdict(face(), looked(scale), 0, (240, 320)).grades
        return {grade.possible for grade in grades}

    assert held(group_of("here", "white")) == {(1, 2)}
    assert held(group_of("here", "black")) == {(2,)}
    assert held(None) == held(group_of("there", "white")) == {(0, 1, 2)}
    without = {key: part for key, part in bundle.calibration.items() if key != "sets"}
    verdict = Grader(without, scale, bundle.crop, []).verdict(face(), looked(scale), 0, (240, 320))
    assert {grade.possible for grade in verdict.grades} == {None}


def test_what_is_not_graded_has_no_set(bundle: Bundle, scale) -> None:
    scorable = np.full((1, len(scale.units)), 0.9)
    scorable[0, 0] = 0.1
    verdict = Grader.of(bundle).verdict(face(), looked(scale, scorable=scorable), 0, (240, 320))
    assert [grade.possible is None for grade in verdict.grades] == [True] + [False] * 4


def test_the_frames_of_a_span_are_named_by_their_timestamps(
    bundle: Bundle, long_clip: Path, scale
) -> None:
    from models.result import summarise

    part = list(Scorer(bundle).score(long_clip, span=(15.0, 16.5)))
    result = summarise(part, scale)
    assert all(one.frame is None or one.frame >= 0 for one in result.best)
    assert {one.pts for one in result.best} <= {one.key.pts for one in part}

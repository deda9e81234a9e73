import json

import pytest

from models.records import Face, FrameKey, Grade, MediaFacts, Prediction, Vote, from_json, to_json

KEY = FrameKey(blob="ab" * 32, stream=0, pts=3003, time_base=(1, 90000))


def test_the_time_of_a_frame_follows_from_its_time_base() -> None:
    assert KEY.time_s == pytest.approx(0.0333667, abs=1e-6)


def test_a_prediction_survives_json() -> None:
    face = Face((1.0, 2.0, 30.5, 40.0), {"nose": (12.0, 30.0)}, 0.9, "frontal", 55.0)
    grades = (
        Grade("orbital_tightening", 1, None, (0.2, 0.7, 0.1), 0.98),
        Grade("nose_bulge", None, "blurred", (0.4, 0.4, 0.2), 0.1),
    )
    prediction = Prediction(KEY, 7, 0.033, "awake", face, grades, None, None)
    assert from_json(Prediction, json.loads(json.dumps(to_json(prediction)))) == prediction
    faceless = Prediction(KEY, 8, 0.066, "asleep", None, (), None, "asleep")
    assert from_json(Prediction, json.loads(json.dumps(to_json(faceless)))) == faceless


def test_media_facts_and_votes_survive_json() -> None:
    facts = MediaFacts(
        kind="video", container="mp4", codec="h264", pixel_format="yuv420p", width=320, height=240,
        rotation=0, frame_count=3, duration_s=0.2, average_fps=15, variable_rate=False,
        time_base=(1, 15360), first_pts=0, has_audio=False, has_location_tag=False,
        creation_time=None, decoder="x", problems=("Frame 2 is damaged.",), sharpness_median=9,
        brightness_median=100, grayscale=False,
    )  # fmt: skip
    assert from_json(MediaFacts, json.loads(json.dumps(to_json(facts)))) == facts
    vote = Vote("r1", "nose_bulge", None, "blurred", 1.0, "import")
    assert from_json(Vote, to_json(vote)) == vote


def test_fields_of_a_newer_program_are_ignored() -> None:
    assert from_json(FrameKey, {**to_json(KEY), "hash": "new"}) == KEY


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(TypeError, match="pts"):
        from_json(FrameKey, {"blob": "a", "stream": 0, "time_base": [1, 2]})

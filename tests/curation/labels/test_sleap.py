"""SLEAP landmarks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.labels import Mapping, UnknownFormat, read, sniff

Make = Callable[..., Path]


def test_points_of_a_person_and_of_the_network_are_kept_apart(slp: Make) -> None:
    labels = read(slp())
    person, network = sorted(labels.landmarks, key=lambda table: table.by_program)
    assert person.points == ("tail", "nose")
    assert (person.animal, person.files, person.frames) == ("female", ("m1.mp4",), (7,))
    assert person.xy[0, 0].tolist() == [1, 2]
    assert np.isnan(person.xy[0, 1]).all()
    assert (network.by_program, network.frames) == (True, (9,))
    assert network.likelihood.tolist() == [[0.9, 0.2]]
    assert labels.rows == ()


def test_the_folders_of_the_lab_stay_with_the_lab(slp: Make) -> None:
    (guess,) = sniff(slp())
    assert ("m1.mp4", "recording") in guess.recognised
    assert "anna" not in str(guess)


def test_the_recording_can_be_told(slp: Make) -> None:
    labels = read(slp(video="."), Mapping(file="videos/x.mp4"))
    assert labels.landmarks[0].files == ("videos/x.mp4",)


def test_older_files_are_brought_to_the_centres_of_pixels(slp: Make) -> None:
    assert read(slp(format_id=1.0)).landmarks[0].xy[0, 0].tolist() == [0.5, 1.5]


def test_a_frame_that_refers_to_nothing_is_named_and_left_out(slp: Make) -> None:
    kind = [(name, "i8") for name in FRAME]
    labels = read(slp(frames=np.array([(0, 0, 7, 0, 99), (1, 0, 9, 0, 1)], kind)))
    assert [problem.row for problem in labels.problems] == [1]
    assert labels.landmarks[0].frames == (9,)


@pytest.mark.parametrize(
    "changes",
    [
        {"frames": np.zeros(3)},
        {"frames": np.array([b"text"])},
        {"instances": np.zeros((2, 2))},
        {"meta": {"nodes": [], "skeletons": [{"nodes": [{"id": 3}]}]}},
        {"meta": {"nodes": [{"name": "a"}], "skeletons": [{"nodes": [{"id": -1}]}]}},
        {"meta": [1]},
        {"videos_json": np.array([b"{"])},
    ],
)
def test_what_is_no_sleap_file_any_more_is_refused(slp: Make, changes) -> None:
    with pytest.raises(UnknownFormat):
        read(slp(**changes))


def test_real_files_of_both_kinds_are_read(real_files: Path) -> None:
    tables = read(real_files / "clip.predictions.slp").landmarks
    assert {table.animal for table in tables} == {"female", "male"}
    assert sum(len(table.frames) for table in tables) == 2948
    assert tables[0].points == ("head", "thorax")
    assert tables[0].xy[0, 0] == pytest.approx([447.43, 390.61], abs=0.01)
    dance = read(real_files / "dance.mp4.labels.slp").landmarks
    assert {table.by_program for table in dance} == {True, False}
    assert sum(len(table.frames) for table in dance if not table.by_program) == 3
    assert set(dance[0].files) == {"dance.mp4"}


FRAME = ("frame_id", "video", "frame_idx", "instance_id_start", "instance_id_end")

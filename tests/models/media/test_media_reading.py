"""What one reading notes of damage, and parts of every odd file against the whole of it."""

import os
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av.error
import numpy as np
import pytest

from models.media import frame_times, open_media, read_frames
from models.media.reading import LARGE, MOST_THREADS, Reading, Report, decoding_threads
from models.media.stills import picture_files

Find = Callable[[str], Path]


def test_a_report_counts_what_was_lost_and_says_where_it_began() -> None:
    report = Report()
    assert report.sentences(Fraction(1, 10)) == ()
    assert not report.damaged_from(0)
    report.note("packets", 25)
    report.note("pictures", 40)
    report.note(None, 60)
    assert report.counts == {"packets": 1, "pictures": 1}
    assert report.damaged_from(60)
    assert not report.damaged_from(61)
    (sentence,) = report.sentences(Fraction(1, 10))
    assert sentence == (
        "The file is damaged: 2 frames could not be decoded, the first near 2.50 s."
    )
    report.note("cut", None)
    assert report.damaged_from(10**9), "what has no place may be anywhere"


def test_what_an_earlier_pass_noted_is_not_counted_again() -> None:
    report = Report()
    report.since = 40
    report.note("packets", 40)
    report.note("packets", None)
    assert report.counts == {}
    report.note("packets", 41)
    assert report.counts == {"packets": 1}


def test_every_kind_of_repair_has_its_sentence() -> None:
    report = Report()
    report.counts.update(cut=1, missing=1, repeated=2)
    told = report.sentences(Fraction(1, 25))
    assert len(told) == 3
    assert "1 frame had no timestamp" in told[1]
    assert "2 frames repeated" in told[2]


def test_threads_are_those_asked_for_or_a_few() -> None:
    assert decoding_threads(3) == 3
    assert 2 <= decoding_threads(None) <= MOST_THREADS
    assert decoding_threads(3, 2 * LARGE) == 3
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    assert decoding_threads(None, LARGE) == min(max(2, 3 * cores), MOST_THREADS)
    assert decoding_threads(None, LARGE + 1) == min(max(2, cores), MOST_THREADS)
    with pytest.raises(ValueError, match="1 thread or more"):
        decoding_threads(0)


def test_pictures_of_a_folder_come_in_the_order_people_number_them(tmp_path: Path) -> None:
    for name in ("img10.png", "img9.PNG", "img1.jpg", "._img1.jpg", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [file.name for file in picture_files(tmp_path)] == ["img1.jpg", "img9.PNG", "img10.png"]


def test_a_film_is_entered_at_a_key_frame_at_or_before_the_wanted_time(real: Find) -> None:
    reading = Reading(real("videos-odd/av1_video.mkv"), threads=1)
    try:
        reading.seek(0)
        first = next(reading.pictures())
        assert first.key_frame
        assert first.pts == 0
    finally:
        reading.close()
    with pytest.raises(ValueError, match="closed"):
        next(reading.pictures())


def test_times_that_count_pictures_by_order_cannot_be_searched(real: Find) -> None:
    reading = Reading(real("videos-odd/unordered.mov"), threads=1)
    try:
        reading.by_order = True
        assert reading.stream.codec_context.has_b_frames
        with pytest.raises(av.error.FFmpegError, match="cannot be searched"):
            reading.seek(0)
    finally:
        reading.close()


def test_a_part_of_every_odd_file_is_the_same_as_in_the_whole(real: Find) -> None:
    folder = real("videos-odd")
    films = sorted(file for file in folder.iterdir() if "LICENSE" not in file.name)
    assert len(films) >= 10
    for film in films:
        with open_media(film) as media:
            whole = {frame.pts: (frame.time_s, frame.luma.copy()) for frame in media}
        times = frame_times(film)
        assert times == list(whole), film.name
        wanted = {times[0], times[len(times) // 2], times[-1]}
        picked = read_frames(film, wanted)
        assert set(picked) == wanted, film.name
        for pts, frame in picked.items():
            assert np.array_equal(frame.luma, whole[pts][1]), film.name
        start, end = whole[times[len(times) // 2]][0], whole[times[-1]][0]
        with open_media(film) as media:
            part = {frame.pts: frame.luma.copy() for frame in media.between(start, end)}
        assert set(part) == {pts for pts in times if start <= whole[pts][0] < end}, film.name
        assert all(np.array_equal(luma, whole[pts][1]) for pts, luma in part.items()), film.name

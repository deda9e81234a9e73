from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.media import open_media, probe
from models.media.thumbnails import clock, contact_sheet, evenly_in_time, thumbnail

Write = Callable[..., Path]


def test_a_thumbnail_is_a_small_jpeg_and_never_enlarged() -> None:
    picture = np.full((300, 600, 3), 90, np.uint8)
    with Image.open(io.BytesIO(thumbnail(picture, 200))) as made:
        assert (made.format, made.size) == ("JPEG", (200, 100))
    with Image.open(io.BytesIO(thumbnail(picture, 2000))) as made:
        assert made.size == (600, 300)


def test_frames_lie_evenly_in_time_not_in_number(tmp_path: Path, film: Write) -> None:
    # A second at 50 frames, then seven at one frame.
    pts = [2000 + 20 * n for n in range(50)] + [3000 + 1000 * n for n in range(7)]
    path = film(tmp_path / "uneven.mkv", pts)
    facts = probe(path)
    with open_media(path) as media:
        times = [frame.time_s for frame in evenly_in_time(media, facts, 4)]
    assert times == [2.9, 5.0, 7.0, 9.0]


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
def test_as_many_frames_as_asked_for_or_all_there_are(
    tmp_path: Path, film: Write, count: int
) -> None:
    path = film(tmp_path / "even.mkv", range(0, 1200, 40))
    with open_media(path) as media:
        numbers = [frame.index for frame in evenly_in_time(media, probe(path), count)]
    assert len(numbers) == min(count, 30)
    assert numbers == sorted(set(numbers))
    if count == 5:
        assert numbers == [3, 9, 15, 21, 27]


def test_a_contact_sheet_says_which_frame_lies_where(
    tmp_path: Path, film: Write, brightness: Callable[[int], int]
) -> None:
    path = film(tmp_path / "even.mkv", range(0, 800, 40), size=(64, 48))
    with open_media(path) as media:
        sheet = contact_sheet(evenly_in_time(media, probe(path), 6), columns=4, cell_width=80)
    assert [cell.pts for cell in sheet.cells] == [cell.index * 40 for cell in sheet.cells]
    with Image.open(io.BytesIO(sheet.data)) as picture:
        assert picture.size == (320, 2 * (60 + 14))
        grey = np.asarray(picture.convert("L"))
    for cell in sheet.cells:
        x0, y0, x1, y1 = cell.box
        assert abs(float(np.median(grey[y0:y1, x0:x1])) - brightness(cell.index)) < 8
        # The time is written beneath.
        assert grey[y1 : y1 + 14, x0:x1].max() > 120


def test_pictures_of_other_shapes_are_fitted_in(tmp_path: Path) -> None:
    for name, size in (("a1", (64, 48)), ("a2", (20, 90)), ("a10", (90, 20))):
        Image.fromarray(np.full((size[1], size[0], 3), 200, np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    with open_media(tmp_path) as media:
        sheet = contact_sheet(evenly_in_time(media, probe(tmp_path), 12), cell_width=80)
    assert [cell.pts for cell in sheet.cells] == [0, 1, 2]
    sizes = [(x1 - x0, y1 - y0) for x0, y0, x1, y1 in (cell.box for cell in sheet.cells)]
    assert sizes == [(80, 60), (13, 60), (80, 18)]


def test_no_frame_no_sheet() -> None:
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


@pytest.mark.parametrize(
    ("time_s", "said"),
    [(0, "0:00.00"), (61.239, "1:01.24"), (3723.4, "1:02:03.40"), (-0.5, "-0:00.50")],
)
def test_times_are_written_as_people_read_them(time_s: float, said: str) -> None:
    assert clock(time_s) == said

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from models.media import Unreadable, open_media, probe, read_frames


def test_stills_of_every_kind_are_frames(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    colour = np.stack([ramp, ramp // 2, ramp // 4], axis=2)
    Image.fromarray(colour).save(tmp_path / "a.png")
    Image.fromarray(colour).convert("CMYK").save(tmp_path / "b.jpg", quality=95)
    Image.fromarray(ramp.astype(np.uint16) * 16).save(tmp_path / "c.tif")
    cv2.imwrite(str(tmp_path / "d.tiff"), (colour[:, :, ::-1].astype(np.uint16) * 257))
    for name in ("a.png", "b.jpg", "d.tiff"):
        with open_media(tmp_path / name) as media:
            (frame,) = list(media)
        assert (frame.pts, frame.time_base, frame.time_s) == (0, (1, 1), 0.0)
        assert np.abs(frame.image.astype(int) - colour).max() <= 8, name
    with open_media(tmp_path / "c.tif") as media:
        (frame,) = list(media)
    assert np.abs(frame.luma.astype(int) - ramp).max() <= 1
    assert probe(tmp_path / "c.tif").grayscale
    assert probe(tmp_path / "a.png").kind == "stills"


def test_a_photograph_taken_sideways_is_shown_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "p.jpg", exif=exif)
    facts = probe(tmp_path / "p.jpg")
    assert (facts.width, facts.height) == (30, 40)
    assert facts.has_location_tag


def test_a_folder_comes_in_natural_order_without_the_files_that_are_no_pictures(
    tmp_path: Path,
) -> None:
    for n in (10, 2, 1):
        Image.fromarray(np.full((8, 8, 3), n, np.uint8)).save(tmp_path / f"a{n}.png")
    (tmp_path / "._a1.png").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "a3.png").write_bytes(b"\x89PNG broken")
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    with open_media(tmp_path) as media:
        seen = [(frame.index, frame.pts, int(frame.image[0, 0, 0])) for frame in media]
        assert len(media.problems) == 1
        assert "a3.png" in media.problems[0]
    assert seen == [(0, 0, 1), (1, 1, 2), (2, 3, 10)]
    assert read_frames(tmp_path, [3])[3].image[0, 0, 0] == 10


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no picture"):
        probe(tmp_path)


def test_real_still_sets_are_read(real: Callable[[str], Path]) -> None:
    facts = probe(real("eye-closeups/velocity_frames"))
    assert (facts.frame_count, facts.grayscale, facts.problems) == (31, True, ())

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
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


def tiff(pixels: NDArray[np.uint16], turned: int) -> bytes:
    """An uncompressed TIFF of 16 bits per channel with this orientation tag."""
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else 3
    data = pixels.astype("<u2").tobytes()
    # Tag, type (3: two bytes, 4: four), count, value: the header, then bit depths, then pixels.
    behind = 8 + 2 + 12 * 10 + 4
    depths = struct.pack("<3H", 16, 16, 16)
    entries = [
        (256, 3, 1, width),
        (257, 3, 1, height),
        (258, 3, channels, behind if channels == 3 else 16),
        (259, 3, 1, 1),
        (262, 3, 1, 2 if channels == 3 else 1),
        (273, 4, 1, behind + len(depths)),
        (274, 3, 1, turned),
        (277, 3, 1, channels),
        (278, 3, 1, height),
        (279, 4, 1, len(data)),
    ]
    header = b"II*\0" + struct.pack("<IH", 8, len(entries))
    return (
        header
        + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        + bytes(4)
        + (depths + data)
    )


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_of_16_bits_are_shown_upright_and_not_dark(
    tmp_path: Path, channels: int, turned: int
) -> None:
    # A camera of 12 bits in a file of 16.
    deep = np.random.default_rng(turned).integers(0, 4096, (20, 30, channels)).astype(np.uint16)
    deep[0, 0] = 4095
    deep = deep[:, :, 0] if channels == 1 else deep
    (tmp_path / "a.tif").write_bytes(tiff(deep, turned))
    exif = Image.Exif()
    exif[0x0112] = turned
    flat = (deep >> 4).astype(np.uint8)
    Image.fromarray(flat).save(tmp_path / "b.png", exif=exif)
    shown = read_frames(tmp_path, [0, 1])
    assert np.array_equal(shown[0].image, shown[1].image)
    assert shown[0].image.max() == 255
    assert shown[0].image.shape[:2] == ((30, 20) if turned > 4 else (20, 30))


def test_pictures_of_any_mode_become_8_bit_colour(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    colour = np.stack([ramp, ramp // 2, ramp // 4], axis=2)
    grey = np.stack([ramp] * 3, axis=2)
    expected = {}

    def save(name: str, picture: Image.Image, want: NDArray[np.uint8], **how: Any) -> None:
        picture.save(tmp_path / name, **how)
        expected[name] = want

    save("a.jpg", Image.fromarray(ramp), grey, quality=95)
    save("b.tif", Image.fromarray(colour).convert("CMYK"), colour)
    save("c.tif", Image.fromarray(colour).convert("YCbCr"), colour)
    save("d.png", Image.fromarray(ramp > 128), np.where(grey > 128, 255, 0).astype(np.uint8))
    save("e.png", Image.fromarray(colour).quantize(256), colour)
    see_through = Image.fromarray(np.dstack([colour, np.zeros_like(ramp)]))
    save("f.png", see_through, colour)
    save("g.tif", Image.fromarray(ramp.astype(np.float32) / 255), grey)
    save("h.tif", Image.fromarray(ramp.astype(np.int32) * 4), grey)
    save("i.tif", Image.fromarray(colour), colour, compression="tiff_lzw")
    save("j.bmp", Image.fromarray(colour), colour)
    save("k.webp", Image.fromarray(colour), colour, lossless=True)
    with open_media(tmp_path) as media:
        frames = list(media)
        assert media.problems == ()
    for (name, want), frame in zip(expected.items(), frames, strict=True):
        assert np.abs(frame.image.astype(int) - want).max() <= 4, name
    assert probe(tmp_path).frame_count == len(expected)


def test_each_page_of_a_tiff_is_a_frame(tmp_path: Path) -> None:
    pages = [Image.fromarray(np.full((8, 12), 10 * n, np.uint8)) for n in range(5)]
    path = tmp_path / "stack.tif"
    pages[0].save(path, save_all=True, append_images=pages[1:])
    with open_media(path) as media:
        for _ in range(2):
            seen = [(frame.index, frame.pts, int(frame.luma[0, 0])) for frame in media]
            assert seen == [(n, n, 10 * n) for n in range(5)]
        assert [frame.pts for frame in media.between(1.0, 3.0)] == [1, 2]
        assert media.problems == ()
    assert read_frames(path, [3])[3].luma[0, 0] == 30
    with open_media(tmp_path) as media:
        assert [int(frame.luma[0, 0]) for frame in media] == [0]
        assert media.problems == ("stack.tif holds several pictures; only the first is used.",)


def test_a_picture_that_is_cut_off_is_told_and_its_siblings_are_read(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype(np.uint8)
    for name in ("a.jpg", "b.jpg", "c.png", "d.tif"):
        Image.fromarray(noise).save(tmp_path / name)
    for name in ("b.jpg", "c.png", "d.tif"):
        whole = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
    facts = probe(tmp_path)
    assert facts.frame_count == 1
    assert len(facts.problems) == 3
    assert all(name in " ".join(facts.problems) for name in ("b.jpg", "c.png", "d.tif"))

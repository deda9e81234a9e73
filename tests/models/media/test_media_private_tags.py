"""Pictures lose what they tell and keep their pixels; the tags of any recording are named."""

from __future__ import annotations

import contextlib
import io
import itertools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin

from models.media import probe
from models.media.picture_tags import without_tags
from models.media.private_tags import NotCopied, PrivateTag, kind_of, private_tags, tells_a_place

Write = Callable[..., Path]
SECRETS = (b"Phone Works", b"A. Person", b"2024:05:01", b"cage 12", b"+47.37")


def noise(seed: int = 0, size: tuple[int, int] = (40, 24)) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(values)


def phone_exif(turn: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F] = "Phone Works"
    exif[0x013B] = "A. Person"
    exif[0x0132] = "2024:05:01 10:00:00"
    exif[0x010E] = "cage 12, drug B"
    exif[0x0112] = turn
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 10:00:00"
    exif.get_ifd(0x8825)[2] = (47.0, 22.0, 12.0)
    return exif


def saved(picture: Image.Image, kind: str, **more: Any) -> bytes:
    made = io.BytesIO()
    picture.save(made, kind, **more)
    return made.getvalue()


def pixels(data: bytes) -> list[bytes]:
    with Image.open(io.BytesIO(data)) as picture:
        pages = []
        for page in range(getattr(picture, "n_frames", 1)):
            picture.seek(page)
            pages.append(picture.convert("RGB").tobytes())
        return pages


@pytest.mark.parametrize(
    ("kind", "turn"), list(itertools.product(["JPEG", "PNG", "WEBP"], [1, 3, 6, 8, 2]))
)
def test_a_picture_keeps_its_pixels_and_its_turn_and_nothing_else(kind: str, turn: int) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><exif:GPSLatitude>+47.37</exif:GPSLatitude>'
    more: dict[str, Any] = {"exif": phone_exif(turn)}
    if kind == "PNG":
        text = PngImagePlugin.PngInfo()
        text.add_text("Author", "A. Person")
        text.add_text("Comment", "cage 12", zip=True)
        text.add_itxt("XML:com.adobe.xmp", xmp.decode())
        more["pnginfo"] = text
    else:
        more |= {"xmp": xmp, "quality": 80}
    data = saved(noise(), kind, **more)
    copy, tags = without_tags(data)
    assert pixels(copy) == pixels(data)
    assert not any(secret in copy for secret in SECRETS)
    with Image.open(io.BytesIO(copy)) as picture:
        exif = dict(picture.getexif())
        assert exif == ({0x0112: turn} if turn != 1 else {})
    assert without_tags(copy) == (copy, ())
    named = {(tag.kind, tag.name) for tag in tags}
    assert {
        ("device", "Make"),
        ("owner", "Artist"),
        ("time", "DateTime"),
        ("text", "ImageDescription"),
        ("location", "GPSLatitude"),
        ("location", "XMP"),
    } <= named


def test_the_coded_data_of_a_jpeg_stay_byte_for_byte() -> None:
    plain = saved(noise(), "JPEG", quality=90, progressive=True)
    told = saved(noise(), "JPEG", quality=90, progressive=True, exif=phone_exif(), comment=b"hi")
    copy, tags = without_tags(told)
    assert copy == without_tags(plain)[0]
    assert PrivateTag("text", "comment", "JPEG") in tags
    # From the tables on.
    start = plain.index(b"\xff\xdb")
    assert copy.endswith(plain[start:])


def test_what_lies_behind_a_picture_and_its_small_twin_are_left_out() -> None:
    small = saved(noise(1, (8, 8)), "JPEG")
    exif = phone_exif()
    data = saved(noise(), "JPEG", exif=exif) + b"\0\0\0\x18ftypmp42" + b"+47.37 sound" * 9
    copy, tags = without_tags(data)
    assert PrivateTag("stream", "data behind the picture", "JPEG") in tags
    assert copy.endswith(b"\xff\xd9")
    jfif = b"JFIF\0\1\1\0\0\1\0\1\2\2" + bytes(12)
    plain = saved(noise(), "JPEG")
    with_twin = plain[:2] + b"\xff\xe0" + struct.pack(">H", len(jfif) + 2) + jfif + plain[20:]
    assert without_tags(with_twin) == (
        without_tags(plain)[0],
        (PrivateTag("stream", "small picture", "JFIF"),),
    )
    assert small not in copy


def stack_with_tags(kind: str, pages: int = 3) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[271], tags[315], tags[306] = "Phone Works", "A. Person", "2024:05:01 10:00:00"
    tags[270] = "cage 12, drug B"
    made = io.BytesIO()
    first, *others = (noise(page) for page in range(pages))
    first.save(
        made,
        "TIFF",
        save_all=True,
        append_images=others,
        tiffinfo=tags,
        compression=kind,
        big_tiff=kind == "packbits",
    )
    return made.getvalue()


@pytest.mark.parametrize("kind", [None, "tiff_lzw", "jpeg", "packbits", "tiff_adobe_deflate"])
def test_a_tiff_stack_keeps_every_page(kind: str | None, tmp_path: Path) -> None:
    data = stack_with_tags(kind or "raw")
    copy, tags = without_tags(data)
    assert pixels(copy) == pixels(data)
    assert len(pixels(copy)) == 3
    assert not any(secret in copy for secret in SECRETS)
    assert {tag.name for tag in tags} >= {"Make", "Artist", "DateTime", "ImageDescription"}
    (tmp_path / "stack.tif").write_bytes(copy)
    assert private_tags(tmp_path / "stack.tif") == ()
    (tmp_path / "stack.tif").write_bytes(data)
    assert set(private_tags(tmp_path / "stack.tif")) == set(tags)


def test_a_tiff_of_the_other_byte_order_in_tiles_is_laid_out_anew() -> None:
    tile = bytes(range(256))
    entries = [(256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8 << 16), (259, 3, 1, 1 << 16)]
    entries += [(262, 3, 1, 1 << 16), (271, 2, 12, 400), (322, 4, 1, 16), (323, 4, 1, 16)]
    entries += [(324, 4, 1, 512), (325, 4, 1, 256), (34853, 4, 1, 450)]
    directory = struct.pack(">H", len(entries)) + b"".join(
        struct.pack(">HHII", *entry) for entry in entries
    )
    data = bytearray(768)
    data[:8] = b"MM\0*\0\0\0\x08"
    data[8 : 8 + len(directory)] = directory
    data[400:412] = b"Phone Works\0"
    data[512:] = tile
    copy, tags = without_tags(bytes(data))
    assert copy.startswith(b"MM")
    assert b"Phone Works" not in copy
    assert pixels(copy) == pixels(bytes(data))
    assert {(tag.kind, tag.name) for tag in tags} == {("device", "Make"), ("location", "GPSInfo")}


def test_old_style_jpeg_in_tiff_is_refused_with_what_to_do() -> None:
    data = bytearray(saved(noise(), "TIFF"))
    place = data.index(struct.pack("<HHIH", 259, 3, 1, 1))
    data[place + 8 : place + 10] = struct.pack("<H", 6)
    with pytest.raises(NotCopied, match="save it as PNG"):
        without_tags(bytes(data))


def test_a_bitmap_has_nothing_to_tell() -> None:
    data = saved(noise(), "BMP")
    assert without_tags(data) == (data, ())


@given(cut=st.integers(0, 900), kind=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF"]))
def test_a_damaged_picture_is_refused_or_copied_without_its_tags(cut: int, kind: str) -> None:
    data = saved(noise(), kind, exif=phone_exif())[: max(cut, 16)]
    with contextlib.suppress(NotCopied):
        copy, _ = without_tags(data)
        assert not any(secret in copy for secret in SECRETS)


def test_other_kinds_are_refused() -> None:
    with pytest.raises(NotCopied):
        without_tags(saved(noise(), "GIF"))


def test_tags_are_told_by_kind_and_name_and_never_by_value(tmp_path: Path, film: Write) -> None:
    told = {
        "com.apple.quicktime.location.ISO6709": "+47.37+008.54/",
        "com.apple.quicktime.make": "Phone Works",
        "com.apple.quicktime.creationdate": "2024:05:01",
        "artist": "A. Person",
        "comment": "cage 12",
    }
    path = film(
        tmp_path / "phone.mov", [0, 40, 80], tags=told, muxer={"movflags": "use_metadata_tags"}
    )
    tags = private_tags(path)
    kinds = {tag.name: tag.kind for tag in tags}
    assert kinds["com.apple.quicktime.location.ISO6709"] == "location"
    assert kinds["com.apple.quicktime.make"] == "device"
    assert kinds["com.apple.quicktime.creationdate"] == "time"
    assert kinds["artist"] == "owner"
    assert kinds["comment"] == "text"
    assert not any(secret.decode() in str(tags) for secret in SECRETS)
    assert tells_a_place(tags)
    assert probe(path).has_location_tag


def test_boxes_that_ffmpeg_passes_over_are_found(tmp_path: Path, film: Write) -> None:
    path = film(tmp_path / "dash.mp4", [0, 40, 80])
    assert private_tags(path) == ()
    before = path.read_bytes()
    xmp = bytes.fromhex("be7acfcb97a942e89c71999491e3afac") + b"<xmp/>"
    box = struct.pack(">I4s", 8 + len(xmp), b"uuid") + xmp
    places = struct.pack(">I4s", 16, b"gps ") + bytes(8)
    path.write_bytes(before + box + places)
    assert private_tags(path) == (
        PrivateTag("location", "box gps", "boxes"),
        PrivateTag("owner", "XMP", "boxes"),
    )


def test_a_folder_of_pictures_tells_what_any_of_them_tells(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    assert private_tags(tmp_path) == ()
    (tmp_path / "b.jpg").write_bytes(saved(noise(), "JPEG", exif=phone_exif()))
    (tmp_path / "c.jpg").write_bytes(b"\xff\xd8 broken")
    assert tells_a_place(private_tags(tmp_path))
    assert probe(tmp_path).has_location_tag


def test_a_place_comes_before_a_time() -> None:
    assert kind_of("GPSDateStamp") == "location"
    assert kind_of("DateTimeOriginal") == "time"
    assert kind_of("title") == "text"
    assert kind_of("FNumber", "device") == "device"

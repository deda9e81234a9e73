"""Public copies of films: the same pictures at the same times, and nothing else."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.media import Unreadable, open_media, probe
from models.media.derive import public_copy
from models.media.private_tags import NotCopied, private_tags
from models.media.stream_data import cleaner

Find = Callable[[str], Path]
Write = Callable[..., Path]

TICK = Fraction(1, 25)
TAGS = {
    "location": "+47.37+008.54/",
    "make": "Phone Works",
    "model": "P-7",
    "artist": "A. Person",
    "comment": "cage 12, drug B",
    "creation_time": "2024-05-01T10:00:00Z",
}
# name: encoder, pixel format, what differs
FORMATS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "phone.mp4": ("libx264", "yuv420p", {"muxer": {"movflags": "use_metadata_tags"}}),
    "phone.mov": ("libx264", "yuv420p", {}),
    "pieces.mp4": ("libx264", "yuv420p", {"muxer": {"movflags": "frag_keyframe"}}),
    "recorder.avi": ("libx264", "yuv420p", {}),
    "stream.ts": ("libx264", "yuv420p", {}),
    "hevc.mkv": ("libx265", "yuv420p", {}),
    "deep.mp4": ("libx265", "yuv420p10le", {}),
    "open.webm": ("libvpx-vp9", "yuv420p", {}),
    "motion.avi": ("mjpeg", "yuvj420p", {}),
    "motion.mov": ("mjpeg", "yuvj420p", {}),
    "part2-b.avi": ("mpeg4", "yuv420p", {"options": {"bf": "2"}}),
    "disc.mpg": ("mpeg2video", "yuv420p", {"options": {"bf": "2"}}),
    "windows.wmv": ("wmv2", "yuv420p", {}),
    "raw-grey.avi": ("rawvideo", "gray", {}),
    "raw-packed.avi": ("rawvideo", "uyvy422", {}),
    "lossless.mkv": ("ffv1", "gray16le", {}),
}


def shown(path: Path) -> list[tuple[int, tuple[int, int], bytes, bytes]]:
    """What a reader gets: time, clock, brightness and colours of every frame."""
    with open_media(path) as media:
        return [(f.pts, f.time_base, f.luma.tobytes(), f.image.tobytes()) for f in media]


@pytest.mark.parametrize("name", FORMATS)
def test_a_copy_shows_the_same_frames_at_the_same_times_and_tells_nothing(
    tmp_path: Path, film: Write, name: str
) -> None:
    encoder, pix_fmt, more = FORMATS[name]
    source = film(
        tmp_path / name,
        range(14),
        encoder,
        size=(64, 64),
        pix_fmt=pix_fmt,
        time_base=TICK,
        tags=TAGS,
        **more,
    )
    heard: list[float] = []
    copy = tmp_path / f"public-{name}"
    derived = public_copy(source, copy, heard.append)
    assert shown(copy) == shown(source)
    assert private_tags(copy) == ()
    assert derived.packets == 14
    assert derived.sha256 == hashlib.sha256(copy.read_bytes()).hexdigest()
    assert derived.original == hashlib.sha256(source.read_bytes()).hexdigest()
    # A file that tells nothing (MPEG-PS holds no tags) may come out as it was.
    assert derived.sha256 != derived.original or not derived.left_out
    assert derived.size == copy.stat().st_size
    assert heard == sorted(heard)
    for value in TAGS.values():
        assert value.encode() not in copy.read_bytes()
    again = public_copy(source, tmp_path / f"again-{name}")
    assert again.sha256 == derived.sha256


@given(
    gaps=st.lists(st.integers(1, 400), min_size=5, max_size=20),
    start=st.integers(0, 3000),
    kind=st.sampled_from(["mp4", "mov", "mkv"]),
    b_frames=st.integers(0, 3),
)
def test_any_uneven_times_survive(
    tmp_path_factory: pytest.TempPathFactory,
    film: Write,
    gaps: list[int],
    start: int,
    kind: str,
    b_frames: int,
) -> None:
    folder = tmp_path_factory.mktemp("uneven")
    pts = [start + sum(gaps[:n]) for n in range(len(gaps))]
    source = film(folder / f"film.{kind}", pts, options={"bf": str(b_frames)}, size=(32, 32))
    derived = public_copy(source, folder / f"copy.{kind}")
    assert shown(folder / f"copy.{kind}") == shown(source)
    assert derived.packets == len(pts)


ODD = (
    "video_0.mov",
    "video_90.mov",
    "video_180.mov",
    "video_270.mov",
    "unordered.mov",
    "h264_10bits.mp4",
    "h265_10bits.mp4",
    "h265_video.mp4",
    "av1_video.mkv",
    "corrupted.mp4",
)


@pytest.mark.parametrize("name", ODD)
def test_real_odd_films_are_copied_upright_and_whole(tmp_path: Path, real: Find, name: str) -> None:
    source = real(f"videos-odd/{name}")
    public_copy(source, tmp_path / name)
    assert shown(tmp_path / name) == shown(source)
    assert probe(tmp_path / name).rotation == probe(source).rotation
    assert private_tags(tmp_path / name) == ()
    # Encoders write their name and settings among the pictures.
    held = (tmp_path / name).read_bytes()
    assert b"x264" not in held
    assert b"x265" not in held


def write_phone_film(path: Path) -> Path:
    """A film with sound and a track of subtitles, as a phone or an action camera writes it."""
    with av.open(str(path), "w") as container:
        container.metadata["location"] = "+47.37+008.54/"
        pictures = container.add_stream("mpeg4", rate=25)
        pictures.codec_context.thread_count = 1
        pictures.width = pictures.height = 64
        pictures.pix_fmt = "yuv420p"
        sound = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound.metadata["title"] = "voice"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 * number, np.uint8))
            frame.pts, frame.time_base = number, TICK
            container.mux(pictures.encode(frame))
        noise = np.arange(3200, dtype=np.int16)[None]
        heard = av.AudioFrame.from_ndarray(noise, "s16", "mono")
        heard.sample_rate = 8000
        container.mux(sound.encode(heard))
        container.mux(pictures.encode())
        container.mux(sound.encode())
    return path


@pytest.mark.parametrize("name", ["phone.mov", "phone.avi", "phone.mkv"])
def test_the_sound_stays_in_the_lab(tmp_path: Path, name: str) -> None:
    source = write_phone_film(tmp_path / name)
    assert probe(source).has_audio
    derived = public_copy(source, tmp_path / f"public-{name}")
    assert ("sound", "sound track") in {(tag.kind, tag.name) for tag in derived.left_out}
    with av.open(str(tmp_path / f"public-{name}")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
    assert shown(tmp_path / f"public-{name}") == shown(source)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_what_the_pictures_of_an_mjpeg_film_tell_is_taken_out_but_their_turn(
    tmp_path: Path, film: Write, turn: int
) -> None:
    plain = film(tmp_path / "plain.avi", range(6), "mjpeg", pix_fmt="yuvj420p")
    secret = tmp_path / "secret.avi"
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Phone Works", turn
    with av.open(str(plain)) as old, av.open(str(secret), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(video=0):
            if not packet.size:
                continue
            block = exif.tobytes()
            content = bytes(packet)
            content = (
                content[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
            ) + content[2:]
            fresh: Any = av.Packet(content)
            fresh.pts, fresh.dts, fresh.time_base = packet.pts, packet.dts, packet.time_base
            fresh.is_keyframe, fresh.stream = True, stream
            new.mux(fresh)
    assert secret.read_bytes().count(b"Phone Works") == 6
    derived = public_copy(secret, tmp_path / "public.avi")
    assert derived.cleaned == 6
    assert b"Phone Works" not in (tmp_path / "public.avi").read_bytes()
    assert shown(tmp_path / "public.avi") == shown(secret)
    assert probe(secret).rotation == {1: 0, 3: 180, 6: 90, 8: 270}[turn]


def test_gaps_that_a_camera_left_stay_gaps(tmp_path: Path, film: Write) -> None:
    whole = film(tmp_path / "whole.avi", range(8), "mjpeg", pix_fmt="yuvj420p", time_base=TICK)
    source = tmp_path / "dropped.avi"
    with av.open(str(whole)) as old, av.open(str(source), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(p for p in old.demux(video=0) if p.dts is not None):
            given: Any = packet
            if number in (2, 3):
                given = av.Packet(0)
                given.pts = given.dts = packet.dts
                given.time_base = packet.time_base
            given.stream = stream
            new.mux(given)
    public_copy(source, tmp_path / "public.avi")
    assert [frame[0] for frame in shown(tmp_path / "public.avi")] == [0, 1, 4, 5, 6, 7]


@pytest.mark.parametrize("kind", ["mp4", "mov"])
@pytest.mark.parametrize(("apart", "left"), [("3", range(15, 18)), ("50", range(20, 21))])
def test_what_a_phone_trimmed_off_the_start_is_left_out_as_far_as_decoding_allows(
    tmp_path: Path, film: Write, kind: str, apart: str, left: range
) -> None:
    source = film(
        tmp_path / f"trimmed.{kind}",
        range(-200, 600, 40),
        options={"g": apart},
        muxer={"avoid_negative_ts": "disabled", "use_editlist": "1"},
    )
    derived = public_copy(source, tmp_path / f"copy.{kind}")
    assert len(shown(source)) == 15
    assert derived.packets in left
    assert shown(tmp_path / f"copy.{kind}") == shown(source)


def sei(*messages: tuple[int, bytes]) -> bytes:
    """An H.264 unit of these messages, escaped as it must be."""
    body = b"".join(bytes((kind, len(data))) + data for kind, data in messages) + b"\x80"
    escaped, zeros = bytearray(), 0
    for byte in body:
        if zeros >= 2 and byte <= 3:
            escaped.append(3)
            zeros = 0
        escaped.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return b"\x06" + bytes(escaped)


@given(
    place=st.binary(min_size=1, max_size=60),
    point=st.binary(min_size=1, max_size=20),
    picture=st.binary(min_size=1, max_size=60),
)
def test_user_data_go_and_other_messages_stay(place: bytes, point: bytes, picture: bytes) -> None:
    slices = b"\x65" + picture.replace(b"\0", b"\1")
    mixed, clean = sei((6, point), (5, place)), sei((6, point))

    def prefixed(*units: bytes) -> bytes:
        return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)

    def started(*units: bytes) -> bytes:
        return b"".join(b"\0\0\1" + unit for unit in units)

    box = b"\1\x64\0\x1f\xff"
    for join, header in ((prefixed, box), (started, None)):
        take_out = cleaner("h264", header)
        assert take_out(join(mixed, slices)) == join(clean, slices)
        assert take_out(join(sei((5, place)), slices)) == join(slices)
        assert take_out(join(clean, slices)) == join(clean, slices)


@pytest.mark.parametrize(("muxer", "why"), [("mpegts", "header"), ("ogg", "cannot be written")])
def test_a_film_that_its_container_would_change_is_refused_with_a_reason(
    tmp_path: Path, film: Write, monkeypatch: pytest.MonkeyPatch, muxer: str, why: str
) -> None:
    source = film(tmp_path / "film.mkv", range(0, 400, 40))
    monkeypatch.setattr("models.media.derive._muxer", lambda container, made: muxer)
    with pytest.raises(NotCopied, match=rf"No public copy of film\.mkv .* {why}") as refusal:
        public_copy(source, tmp_path / "copy.mkv")
    assert refusal.value.sentence.endswith(".")
    assert [path.name for path in tmp_path.iterdir()] == ["film.mkv"]


def test_a_copy_that_still_tells_something_is_not_handed_out(
    tmp_path: Path, film: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = film(tmp_path / "film.mp4", range(0, 400, 40), tags=TAGS)
    found = private_tags(source)
    monkeypatch.setattr("models.media.derive.private_tags", lambda path: found)
    with pytest.raises(NotCopied, match="would still carry"):
        public_copy(source, tmp_path / "copy.mp4")
    assert not (tmp_path / "copy.mp4").exists()


def test_no_film_no_copy(tmp_path: Path) -> None:
    (tmp_path / "notes.mp4").write_text("nothing to see " * 50)
    with pytest.raises(Unreadable):
        public_copy(tmp_path / "notes.mp4", tmp_path / "copy.mp4")
    assert not (tmp_path / "copy.mp4").exists()


def test_a_picture_is_copied_too(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0110] = "P-7"
    made = io.BytesIO()
    Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)).save(
        made, "JPEG", exif=exif
    )
    (tmp_path / "mouse.jpg").write_bytes(made.getvalue())
    derived = public_copy(tmp_path / "mouse.jpg", tmp_path / "public.jpg")
    assert (derived.kind, derived.packets) == ("picture", 1)
    assert [tag.name for tag in derived.left_out] == ["Model"]
    assert shown(tmp_path / "public.jpg") == shown(tmp_path / "mouse.jpg")

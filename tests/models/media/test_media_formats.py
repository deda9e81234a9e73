"""Every kind of film that a lab may send, written here and read again."""

from __future__ import annotations

import gc
import struct
import weakref
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame

from models.media import Frame, open_media, probe
from models.media.planes import Orientation, luma, orientation

Write = Callable[..., Path]
FRAMES = 14

# name: encoder, pixel format as written, codec as read, what differs
FORMATS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "b-frames.mp4": ("libx264", "yuv420p", "h264", {}),
    "camera.mov": ("libx264", "yuv420p", "h264", {}),
    "deep.mp4": ("libx264", "yuv422p10le", "h264", {}),
    "stream.ts": ("libx264", "yuv420p", "h264", {}),
    "recorder.avi": ("libx264", "yuv420p", "h264", {}),
    "pieces.mp4": ("libx264", "yuv420p", "h264", {"muxer": {"movflags": "frag_keyframe"}}),
    "hevc.mkv": ("libx265", "yuv420p", "hevc", {}),
    "hevc-deep.mp4": ("libx265", "yuv420p10le", "hevc", {}),
    "infrared.mkv": ("libx265", "gray", "hevc", {}),
    "infrared-deep.mkv": ("libx265", "gray12le", "hevc", {}),
    "av1.mp4": ("libsvtav1", "yuv420p", "av1", {}),
    "av1-deep.webm": ("libsvtav1", "yuv420p10le", "av1", {}),
    "vp9.webm": ("libvpx-vp9", "yuv420p", "vp9", {}),
    "vp8.webm": ("libvpx", "yuv420p", "vp8", {}),
    "motion.avi": ("mjpeg", "yuvj420p", "mjpeg", {}),
    "motion.mov": ("mjpeg", "yuvj420p", "mjpeg", {}),
    "motion.mjpeg": ("mjpeg", "yuvj420p", "mjpeg", {}),
    "part2.avi": ("mpeg4", "yuv420p", "mpeg4", {}),
    "part2-b.avi": ("mpeg4", "yuv420p", "mpeg4", {"options": {"bf": "2"}}),
    "part2-b.mp4": ("mpeg4", "yuv420p", "mpeg4", {"options": {"bf": "2"}}),
    "disc.mpg": ("mpeg2video", "yuv420p", "mpeg2video", {"options": {"bf": "2"}}),
    "windows.wmv": ("wmv2", "yuv420p", "wmv2", {}),
    "raw-grey.avi": ("rawvideo", "gray", "rawvideo", {}),
    "raw-colour.avi": ("rawvideo", "bgr24", "rawvideo", {}),
    "raw-packed.avi": ("rawvideo", "uyvy422", "rawvideo", {}),
    "lossless.mkv": ("ffv1", "gray16le", "ffv1", {}),
    "lossless.avi": ("huffyuv", "rgb24", "huffyuv", {}),
    "edited.mov": ("prores_ks", "yuv422p10le", "prores", {}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formats")


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_whole_in_order_and_at_its_own_times(
    folder: Path, film: Write, brightness: Callable[[int], int], name: str
) -> None:
    encoder, pix_fmt, codec, more = FORMATS[name]
    path = film(
        folder / name,
        range(FRAMES),
        encoder,
        size=(64, 64),
        pix_fmt=pix_fmt,
        time_base=Fraction(1, 25),
        **more,
    )
    with open_media(path) as media:
        frames = list(media)
        assert media.problems == ()
    times = np.array([frame.time_s for frame in frames])
    assert times - times[0] == pytest.approx(0.04 * np.arange(FRAMES), abs=1e-6)
    assert [frame.index for frame in frames] == list(range(FRAMES))
    for frame in frames:
        assert frame.image.shape == (64, 64, 3)
        assert frame.luma.shape == (64, 64)
        assert abs(float(frame.image[:4].mean()) - brightness(frame.index)) <= 6
    # Brightness as stored: some cameras use 16..235 of it, some all.
    stored = [float(frame.luma[:4].mean()) for frame in frames]
    assert min(np.diff(stored)) > 5
    facts = probe(path)
    assert (facts.codec, facts.frame_count) == (codec, FRAMES)
    assert facts.average_fps == pytest.approx(25.0)
    assert facts.duration_s == pytest.approx(0.56)
    assert not facts.variable_rate
    assert not facts.interlaced


def test_a_webm_without_a_duration_is_measured_by_its_frames(tmp_path: Path, film: Write) -> None:
    path = film(tmp_path / "a.webm", range(0, 2000, 40), "libvpx-vp9", muxer={"live": "1"})
    with av.open(str(path)) as container:
        assert container.duration is None
    facts = probe(path)
    assert (facts.frame_count, facts.problems) == (50, ())
    assert facts.duration_s == pytest.approx(2.0)


def test_pictures_that_a_camera_dropped_leave_a_gap(tmp_path: Path, film: Write) -> None:
    whole = film(
        tmp_path / "a.avi",
        range(8),
        "mjpeg",
        pix_fmt="yuvj420p",
        time_base=Fraction(1, 25),
    )
    path = tmp_path / "dropped.avi"
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(p for p in old.demux(video=0) if p.dts is not None):
            if number in (2, 3):
                empty = av.Packet(0)
                empty.pts = empty.dts = packet.dts
                empty.time_base = packet.time_base
                packet = empty
            packet.stream = stream
            new.mux(packet)
    with open_media(path) as media:
        assert [frame.pts for frame in media] == [0, 1, 4, 5, 6, 7]
        assert media.problems == ()


def test_interlaced_pictures_are_flagged_and_show_one_moment(tmp_path: Path) -> None:
    path = tmp_path / "tape.avi"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("dvvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 720, 576, "yuv420p"
        for number in range(2):
            picture = np.full((576, 720, 3), 60, np.uint8)
            picture[1::2] = 180
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    facts = probe(path)
    assert facts.interlaced
    assert facts.frame_count == 2
    with open_media(path) as media:
        frame = next(iter(media))
    assert frame.luma.std() < 8
    assert frame.image.shape == (576, 720, 3)
    assert abs(frame.image.mean() - 60) < 12


@pytest.mark.parametrize("lines", [1, 2, 3, 4, 7])
def test_the_odd_lines_of_an_interlaced_picture_are_means_of_their_neighbours(lines: int) -> None:
    frame = av.VideoFrame(8, lines, "gray")
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
    rows[:, :8] = np.arange(lines, dtype=np.uint8)[:, None] ** 2 * 4
    woven: Any = SimpleNamespace(format=frame.format, planes=frame.planes, interlaced_frame=True)
    made = luma(woven)[:, 0].astype(int)
    stored = np.arange(lines) ** 2 * 4
    assert list(made[::2]) == list(stored[::2])
    for line in range(1, lines, 2):
        after = stored[line + 1] if line + 1 < lines else stored[line - 1]
        assert abs(made[line] - (stored[line - 1] + after) / 2) <= 0.5


def test_luma_is_a_view_of_the_decoders_plane_that_nobody_can_write(uneven: Path) -> None:
    with open_media(uneven) as media:
        frame = next(iter(media))
    assert frame.luma.base is not None
    assert not frame.luma.flags.owndata
    assert not frame.luma.flags.writeable
    assert frame.luma.strides[1] == 1
    with pytest.raises(ValueError, match="read-only"):
        frame.luma[0, 0] = 1


def test_luma_outlives_the_recording_it_came_from(uneven: Path) -> None:
    with open_media(uneven) as media:
        kept = [(frame.luma, frame.luma.tobytes()) for frame in media]
    gc.collect()
    assert all(luma.tobytes() == bytes_ for luma, bytes_ in kept)


def test_a_picture_stored_bottom_up_is_shown_the_right_way(tmp_path: Path) -> None:
    path = tmp_path / "window.avi"
    picture = np.zeros((16, 16, 3), np.uint8)
    picture[:4] = 200
    # An uncompressed AVI as frame grabbers write it: no codec tag, last line first.
    with av.open(str(path), "w") as container:
        stream = container.add_stream("rawvideo", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "bgr24"
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    with open_media(path) as media:
        (frame_read,) = list(media)
    assert frame_read.image[:4].min() > 190
    assert frame_read.luma[4:].max() < 10


@pytest.mark.parametrize("name", ["gray", "yuv420p", "gray10le", "gray16le", "yuv444p12le"])
def test_planes_of_any_depth_are_reduced_to_8_bits_by_dropping_low_ones(name: str) -> None:
    frame = VideoFrame(10, 6, name)
    plane = frame.planes[0]
    bits = frame.format.components[0].bits
    depth: Any = np.uint8 if bits <= 8 else np.uint16
    rows = np.frombuffer(plane, depth).reshape(plane.height, -1)
    rows[:, :10] = np.arange(60).reshape(6, 10) << (bits - 8)
    assert luma(frame).dtype == np.uint8
    assert np.array_equal(luma(frame), np.arange(60).reshape(6, 10))


@pytest.mark.parametrize("name", ["bgr24", "pal8", "bayer_rggb8", "grayf32le", "gray16be", "monob"])
def test_pictures_without_a_plane_of_brightness_are_converted(name: str) -> None:
    made = luma(VideoFrame(16, 16, name))
    assert (made.dtype, made.shape) == (np.uint8, (16, 16))


# The display matrix: clockwise quarter turns of the stored picture, mirrored before.
MATRICES = {
    (1, 0, 0, 1): (0, False),
    (0, 1, -1, 0): (1, False),
    (-1, 0, 0, -1): (2, False),
    (0, -1, 1, 0): (3, False),
    (-1, 0, 0, 1): (0, True),
    (1, 0, 0, -1): (2, True),
}


@pytest.mark.parametrize("matrix", MATRICES)
def test_rotation_and_mirror_flags_are_obeyed(matrix: tuple[int, int, int, int]) -> None:
    a, b, c, d = (65536 * value for value in matrix)
    stored = struct.pack("9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    decoded: Any = SimpleNamespace(side_data={SideDataType.DISPLAYMATRIX: stored})
    found = orientation(decoded)
    assert found == Orientation(*MATRICES[matrix])
    picture = np.arange(6, dtype=np.uint8).reshape(2, 3)
    shown = found.display(picture)
    # The matrix takes a stored (x, y) to a shown (a·x + c·y, b·x + d·y), up to a shift.
    places = {
        value: (matrix[0] * x + matrix[2] * y, matrix[1] * x + matrix[3] * y)
        for (y, x), value in np.ndenumerate(picture)
    }
    left = min(x for x, _ in places.values())
    top = min(y for _, y in places.values())
    assert all(shown[y - top, x - left] == value for value, (x, y) in places.items())


def test_reading_a_long_film_holds_few_frames(
    tmp_path: Path, film: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.media.video import Video

    alive: weakref.WeakSet[Frame] = weakref.WeakSet()
    made = Video._frame

    def counted(self: Video, *given: Any) -> Frame:
        frame = made(self, *given)
        alive.add(frame)
        return frame

    monkeypatch.setattr(Video, "_frame", counted)
    path = film(tmp_path / "long.mp4", range(0, 40 * 1500, 40))
    most = 0
    with open_media(path) as media:
        for frame in media:
            assert frame.luma.size
            most = max(most, len(alive))
        assert not media._readings
    assert most <= 2


@pytest.mark.parametrize(
    ("name", "codec", "states_its_length"),
    [
        ("cut.mkv", "libx264", True),
        ("cut.avi", "mjpeg", True),
        ("cut-b.avi", "mpeg4", True),
        ("cut.webm", "libvpx-vp9", True),
        ("cut.wmv", "wmv2", False),
        ("cut.ts", "libx264", False),
        ("cut.h264", "libx264", False),
    ],
)
def test_a_film_that_was_cut_off_gives_what_is_left(
    tmp_path: Path, film: Write, name: str, codec: str, states_its_length: bool
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = film(tmp_path / name, range(100), codec, pix_fmt=pix_fmt, time_base=Fraction(1, 25))
    with open_media(path) as media:
        whole = {frame.pts: frame.luma.tobytes() for frame in media}
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with open_media(path) as media:
        left = {frame.pts: frame.luma.tobytes() for frame in media}
        problems = media.problems
    assert 25 < len(left) < 75
    assert list(left) == list(whole)[: len(left)]
    # The last one may be half there.
    assert sum(left[pts] != whole[pts] for pts in left) <= 1
    if states_its_length:
        assert "The file ends early: what lies behind the last readable frame is lost." in problems

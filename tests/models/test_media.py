from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from models.media import Unreadable, frame_times, open_media, probe, read_frames

DATA = Path(__file__).parents[3] / "shared" / "data"
ODD = DATA / "videos-odd"

# file: codec, displayed width, height, rotation, frames
ODD_VIDEOS = {
    "av1_video.mkv": ("av1", 640, 360, 0, 125),
    "h264_10bits.mp4": ("h264", 200, 200, 0, 30),
    "h265_10bits.mp4": ("hevc", 200, 200, 0, 30),
    "h265_video.mp4": ("hevc", 128, 128, 0, 10),
    "unordered.mov": ("h264", 50, 50, 0, 4),
    "video_0.mov": ("h264", 568, 320, 0, 3),
    "video_90.mov": ("h264", 320, 568, 90, 3),
    "video_180.mov": ("h264", 568, 320, 180, 3),
    "video_270.mov": ("h264", 320, 568, 270, 3),
}


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the real recordings are absent: ../shared/data/{name}")
    return path


def write_video(
    path: Path,
    pts: list[int],
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    **tags: str,
) -> Path:
    """A video whose n-th frame is one flat grey of level 10·n, with exactly these timestamps."""
    with av.open(str(path), "w") as container:
        container.metadata.update(tags)
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            stream.options = {"bf": "2", "g": "12", "crf": "10"}
        for n, at in enumerate(pts):
            picture = np.full((size[1], size[0], 3), 10 * (n % 25), np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = at, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def uneven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pts = [0, 40, 80, 200, 210, 300, 340, 380, 420, 460, 500, 540, 580, 620]
    return write_video(tmp_path_factory.mktemp("media") / "uneven.mkv", pts)


@pytest.mark.parametrize("name", ODD_VIDEOS)
def test_every_odd_video_is_read_upright_and_whole(name: str) -> None:
    codec, width, height, rotation, count = ODD_VIDEOS[name]
    facts = probe(real(f"videos-odd/{name}"))
    assert (facts.codec, facts.width, facts.height) == (codec, width, height)
    assert (facts.rotation, facts.frame_count) == (rotation, count)
    assert facts.problems == ()
    assert facts.kind == "video"
    assert not facts.variable_rate
    assert "FFmpeg" in facts.decoder


@pytest.mark.parametrize("name", ODD_VIDEOS)
def test_frames_of_odd_videos_rise_in_time_and_agree_in_shape(name: str) -> None:
    with open_media(real(f"videos-odd/{name}")) as media:
        times = []
        for frame in media:
            assert frame.image.dtype == frame.luma.dtype == np.uint8
            assert frame.image.shape == (*frame.luma.shape, 3)
            assert frame.luma.shape == (media.height, media.width)
            times.append(frame.time_s)
            assert frame.index == len(times) - 1
    assert times == sorted(set(times))


def test_luma_agrees_with_the_picture_in_8_and_10_bits() -> None:
    for name in ("h264_10bits.mp4", "video_90.mov", "av1_video.mkv"):
        with open_media(real(f"videos-odd/{name}")) as media:
            frame = next(iter(media))
            grey = cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY).astype(float)
            assert np.corrcoef(grey.ravel(), frame.luma.astype(float).ravel())[0, 1] > 0.97


def test_a_corrupted_video_yields_what_is_readable_and_says_what_is_not() -> None:
    facts = probe(real("videos-odd/corrupted.mp4"))
    assert 40 <= facts.frame_count < 50
    assert len(facts.problems) == 1
    assert "damaged" in facts.problems[0]
    assert "near 3." in facts.problems[0]
    pts = frame_times(real("videos-odd/corrupted.mp4"))
    assert pts[-1] == 49 * 1024


def test_reading_a_corrupted_video_twice_gives_the_same_pixels() -> None:
    def digest() -> str:
        sums = hashlib.sha256()
        with open_media(real("videos-odd/corrupted.mp4")) as media:
            for frame in media:
                sums.update(frame.luma.tobytes())
        return sums.hexdigest()

    assert digest() == digest()


def test_timestamps_of_a_variable_rate_are_exact(uneven: Path) -> None:
    assert frame_times(uneven) == [0, 40, 80, 200, 210, 300, *range(340, 621, 40)]
    facts = probe(uneven)
    assert facts.variable_rate
    assert facts.time_base == (1, 1000)
    assert facts.grayscale
    assert facts.first_pts == 0


def test_frames_come_in_presentation_order_despite_b_frames(uneven: Path) -> None:
    with open_media(uneven) as media:
        levels = [int(frame.image.mean()) for frame in media]
    assert levels == sorted(levels)
    assert len(set(levels)) == len(levels)


def test_a_recording_can_be_iterated_again(uneven: Path) -> None:
    with open_media(uneven) as media:
        assert [frame.pts for frame in media] == [frame.pts for frame in media]


def test_single_frames_are_read_by_timestamp(uneven: Path) -> None:
    frames = read_frames(uneven, [210, 80, 99])
    assert sorted(frames) == [80, 210]
    assert frames[210].index == 4
    assert abs(int(frames[210].image.mean()) - 40) <= 3
    assert read_frames(uneven, []) == {}


def test_a_frame_far_into_a_long_video_is_the_same_as_in_sequence(tmp_path: Path) -> None:
    path = write_video(tmp_path / "long.mp4", list(range(0, 40 * 700, 40)))
    with open_media(path) as media:
        per_second = media.time_base[1]
        wanted = {int(20.0 * per_second), int(24.28 * per_second)}
        there = {frame.pts: frame.image for frame in media if frame.pts in wanted}
    found = read_frames(path, sorted(wanted))
    assert sorted(found) == sorted(there)
    assert all(np.array_equal(found[pts].image, there[pts]) for pts in wanted)


def test_repeated_timestamps_are_set_one_tick_later_and_reported(
    monkeypatch: pytest.MonkeyPatch, uneven: Path
) -> None:
    from models.media.video import Video

    original = Video._rising
    given = iter([0, 40, 40, 30, None, 300] + [None] * 20)
    monkeypatch.setattr(Video, "_rising", lambda self, pts, prev: original(self, next(given), prev))
    with open_media(uneven) as media:
        pts = [frame.pts for frame in media]
        assert pts[:6] == [0, 40, 41, 42, 82, 300]
        assert any("repeated an earlier timestamp" in problem for problem in media.problems)
        assert any("had no timestamp" in problem for problem in media.problems)


def test_tags_that_tell_place_and_time_are_noticed(tmp_path: Path) -> None:
    path = write_video(
        tmp_path / "phone.mp4",
        [0, 40, 80],
        location="+47.37+008.54/",
        creation_time="2024-05-01T10:00:00Z",
    )
    facts = probe(path)
    assert facts.has_location_tag
    assert facts.creation_time is not None
    assert facts.creation_time.startswith("2024-05-01")
    assert not facts.has_audio


@pytest.mark.parametrize(
    ("name", "codec"), [("a.avi", "mjpeg"), ("b.mkv", "mpeg4"), ("c.webm", "libvpx-vp9")]
)
def test_other_codecs_and_containers_are_read(tmp_path: Path, name: str, codec: str) -> None:
    facts = probe(write_video(tmp_path / name, [0, 40, 80, 120], codec))
    assert facts.frame_count == 4


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(Unreadable, match=r"a\.mp4 is empty"):
        probe(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes.png", "notes.csv"])
def test_a_text_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("time,weight\n1,22.5\n" * 40, encoding="utf-8")
    with pytest.raises(Unreadable, match="notes") as refusal:
        probe(tmp_path / name)
    assert refusal.value.sentence.endswith((".", "file."))


def test_a_missing_codec_is_refused(tmp_path: Path, uneven: Path) -> None:
    path = write_video(tmp_path / "odd.mp4", [0, 40, 80])
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))
    with pytest.raises(Unreadable, match="codec"):
        probe(path)


def test_a_recording_with_sound_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "squeak.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    with pytest.raises(Unreadable, match="no video track"):
        probe(path)


def test_a_truncated_video_says_so_or_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "whole.mkv", list(range(0, 4000, 40)))
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    facts = probe(cut)
    assert 0 < facts.frame_count < 100
    assert any("ends early" in problem for problem in facts.problems)
    headless = write_video(tmp_path / "whole.mp4", [0, 40, 80])
    headless.write_bytes(headless.read_bytes()[:600])
    with pytest.raises(Unreadable):
        probe(headless)


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="no file"):
        probe(tmp_path / "gone.mp4")


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


def test_real_still_sets_are_read() -> None:
    facts = probe(real("eye-closeups/velocity_frames"))
    assert (facts.frame_count, facts.grayscale, facts.problems) == (31, True, ())

"""Films on the device: several animals, codecs, course and frames shown, as on the server."""

from __future__ import annotations

import base64
import itertools
import re
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from models.animals import Census, is_reflection
from models.bundle import load_bundle
from models.media import open_media
from models.result import SEVERAL, summarise
from models.scorer import Scorer
from tests.priority import same_priority

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

PATIENCE = 120_000
PAGE = "/score/on-device/"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
REFLECTIONS = """async ([told, scenes]) => {
  const { isReflection } = await import("/static/amgs/device/animals.js");
  return scenes.map(({ pixels, width, height, one, other }) => {
    const data = Uint8Array.from(atob(pixels), (byte) => byte.charCodeAt(0));
    return isReflection({ data, width, height, stride: width }, one, other, told);
  });
}"""


@pytest.fixture(scope="module")
def bundle() -> Any:
    """Return the shipped bundle."""
    return load_bundle(Path(__file__).resolve().parents[2] / "models/bundles/phantom")


@pytest.fixture
def page(shipped, open_page) -> Any:
    """Open the page with patience."""
    found = open_page(viewport=DESKTOP)
    found.set_default_timeout(PATIENCE)
    found.goto(PAGE)
    return found


@pytest.fixture
def pictures(phantom_clip) -> Callable[[int], list[Any]]:
    """Decode the pictures of a rendered clip."""

    def read(seed: int) -> list[Any]:
        with open_media(phantom_clip(seed)) as media:
            return [frame.image for frame in media]

    return read


def written(path: Path, images: list[Any], codec: str, fmt: str = "yuv420p", **options: str):
    """Write pictures as a film of 25 frames a second."""
    with same_priority(), av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = fmt
        stream.codec_context.time_base = Fraction(1, 25)
        stream.codec_context.thread_count = 1
        stream.options = options
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def two_mice(bundle) -> Any:
    """Render two animals of different coats side by side."""
    from models.phantom.look import Look
    from models.phantom.pose import Pose
    from models.phantom.render import render_face
    from models.phantom.truth import FaceParams

    return np.hstack(
        [
            render_face(
                FaceParams(
                    coat=bundle.scale.coats[number],
                    look=Look(),
                    animal=number + 1,
                    pose=Pose(8.0 - 14 * number, 2.0, 0.0, 150.0, 120.0, 48.0),
                ),
                bundle.scale,
            )[0]
            for number in range(2)
        ]
    )


def test_a_film_of_two_animals_is_refused_as_on_the_server(
    page, bundle, two_mice, tmp_path, score_here, picture
):
    both = [np.roll(two_mice, n % 3, axis=0) for n in range(20)]
    film = written(tmp_path / "two.mp4", both, "libx264", crf="15")
    census = Census()
    list(Scorer(bundle).score(film, census=census, should_stop=lambda: census.settled))
    assert census.several
    told = score_here(page, film)
    assert told["result"]["outcome"] == "several_animals"
    assert told["result"]["sentence"] == SEVERAL
    assert told["result"]["score"] is None
    assert told["predictions"] == []
    assert page.get_by_text("more than one mouse is in view").is_visible()
    assert not page.locator("#device-score").is_visible()
    picture(page, "device-several")


def test_a_photo_of_two_animals_is_refused(page, two_mice, tmp_path, score_here):
    photo = tmp_path / "two.png"
    cv2.imwrite(str(photo), two_mice[:, :, ::-1])
    assert score_here(page, photo)["result"]["outcome"] == "several_animals"


def test_a_mirroring_wall_is_no_second_animal(page, bundle, pictures, tmp_path, score_here):
    images = []
    for image in pictures(2)[:15]:
        mirrored = cv2.GaussianBlur(image[:, ::-1].copy(), (0, 0), 1.5)
        wall = cv2.addWeighted(mirrored, 0.3, np.full_like(image, 110), 0.7, 0)
        images.append(np.hstack([image, wall]))
    film = written(tmp_path / "wall.mp4", images, "libx264", crf="12")
    census = Census()
    predictions = list(Scorer(bundle).score(film, census=census))
    assert not census.several
    told = score_here(page, film)
    assert told["result"]["outcome"] != "several_animals"
    assert told["result"]["frames"] == len(predictions)


def test_what_is_a_reflection_is_told_as_on_the_server(page, bundle):
    from models.device import device_facts

    rng = np.random.default_rng(0)
    one, other = (20.0, 20.0, 120.0, 120.0), (220.0, 20.0, 320.0, 118.0)
    scenes, expected = [], []
    for share in np.linspace(0, 1, 24):
        first, second = (
            cv2.resize(
                rng.integers(40, 215, (6, 6)).astype(np.uint8), (100, 100), interpolation=2
            ).astype(float)
            for _ in range(2)
        )
        luma = np.full((140, 340), 120, np.uint8)
        luma[20:120, 20:120] = first
        luma[20:120, 220:320] = share * first[:, ::-1] + (1 - share) * second
        if share < 0.3:  # faint
            luma[20:120, 220:320] = 120 + share * (second - 120)
        expected.append(is_reflection(luma, one, other))
        pixels = base64.b64encode(luma.tobytes()).decode()
        scenes.append({"pixels": pixels, "width": 340, "height": 140, "one": one, "other": other})
    assert 0 < sum(expected) < len(expected)
    assert page.evaluate(REFLECTIONS, [device_facts(bundle)["animals"], scenes]) == expected


CODECS = {
    "vp8.webm": ("libvpx", {"crf": "10", "b": "2M", "deadline": "realtime", "cpu-used": "8"}),
    "vp9.webm": ("libvpx-vp9", {"crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
    "vp9.mp4": ("libvpx-vp9", {"crf": "20", "b": "0", "deadline": "realtime", "cpu-used": "8"}),
    "av1.webm": ("libsvtav1", {"crf": "25", "preset": "12"}),
    "av1.mp4": ("libsvtav1", {"crf": "25", "preset": "12"}),
    "h264.mkv": ("libx264", {"crf": "18"}),
    "h264.mov": ("libx264", {"crf": "18"}),
}


@pytest.mark.parametrize("name", CODECS)
def test_a_film_in_this_codec_gets_the_scores_of_the_server(
    page, bundle, pictures, tmp_path, score_here, name
):
    codec, options = CODECS[name]
    film = written(tmp_path / name, pictures(2)[:20], codec, **options)
    predictions = list(Scorer(bundle).score(film))
    told = score_here(page, film)
    assert told["origin"]["kind"] == "every frame"
    assert [one["time"] for one in told["predictions"]] == pytest.approx(
        [one.time_s for one in predictions], abs=2e-3
    )
    expected = summarise(predictions, bundle.scale)
    assert told["result"]["score"] == pytest.approx(expected.score, abs=0.05)
    assert told["result"]["graded"] == pytest.approx(expected.graded, abs=2)


# How a film is to be shown: the matrix of its track (a, b, c, d).
SHOWN = {
    "upright": (1, 0, 0, 1),
    "quarter": (0, 1, -1, 0),
    "half": (-1, 0, 0, -1),
    "mirrored": (-1, 0, 0, 1),
}


def turned(film: Path, matrix: tuple[int, int, int, int]) -> Path:
    """Write another matrix into the header of the track of an MP4."""
    a, b, c, d = (value * 65536 for value in matrix)
    data = film.read_bytes()
    plain = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    at = data.index(plain, data.index(b"tkhd"))
    changed = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    film.write_bytes(data[:at] + changed + data[at + len(plain) :])
    return film


@pytest.mark.parametrize("name", SHOWN)
def test_a_turned_film_of_odd_size_is_seen_as_the_server_sees_it(
    page, bundle, pictures, tmp_path, score_here, name
):
    images = [image[6:, 4:-6] for image in pictures(2)[:12]]
    if name != "upright":
        back = {"quarter": 1, "half": 2}.get(name, 0)
        images = [np.rot90(image, back) if back else image[:, ::-1] for image in images]
    film = turned(written(tmp_path / "film.mp4", images, "libx264", crf="15"), SHOWN[name])
    predictions = list(Scorer(bundle).score(film))
    assert sum(one.image_score is not None for one in predictions) > 6
    told = score_here(page, film)
    for mine, one in zip(told["predictions"], predictions, strict=True):
        if one.face is not None:
            assert mine["face"]["box"] == pytest.approx(one.face.box, abs=2)
    expected = summarise(predictions, bundle.scale)
    assert told["result"]["score"] == pytest.approx(expected.score, abs=0.05)
    page.locator("#device-best img").first.wait_for()
    picture = page.locator("#device-best img").first
    height, width = (pictures(2)[0].shape[0] - 6, pictures(2)[0].shape[1] - 10)
    size = [picture.get_attribute("width"), picture.get_attribute("height")]
    assert [int(one) for one in size] == [width, height]


REFUSED = {
    "hevc.mp4": ("libx265", "yuv420p", {"x265-params": "log-level=none"}, r"HEVC \(H\.265\)"),
    "mpeg4.mp4": ("mpeg4", "yuv420p", {}, "MPEG-4 Visual"),
    "mjpeg.mov": ("mjpeg", "yuvj420p", {}, "Motion JPEG"),
    "prores.mov": ("prores_ks", "yuv422p10le", {}, "ProRes"),
    "mjpeg.avi": ("mjpeg", "yuvj420p", {}, "AVI files"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_film_that_the_browser_cannot_read_is_refused_by_name(page, pictures, tmp_path, name):
    codec, fmt, options, words = REFUSED[name]
    film = written(tmp_path / name, pictures(2)[:5], codec, fmt, **options)
    page.locator("#file").set_input_files(str(film))
    why = page.locator("#device-why")
    why.wait_for()
    sentence = why.inner_text()
    assert re.search(f"cannot (decode|open) {words}", sentence)
    assert "save it as MP4 with H.264" in sentence


def test_a_film_that_only_the_player_reads_is_a_preview(
    page, bundle, phantom_clip, two_mice, tmp_path, score_here
):
    page.evaluate("delete globalThis.VideoDecoder")
    page.add_init_script("delete globalThis.VideoDecoder")
    page.context.route(
        re.compile("device/worker.js"),
        lambda route: route.fulfill(
            response=(given := route.fetch()),
            body="delete globalThis.VideoDecoder;\n" + given.text(),
        ),
    )
    told = score_here(page, phantom_clip(2))
    assert told["origin"]["kind"].startswith("preview")
    assert page.get_by_text("sampled ten times a second").is_visible()
    expected = summarise(Scorer(bundle).score(phantom_clip(2)), bundle.scale)
    assert told["result"]["score"] == pytest.approx(expected.score, abs=0.15)
    page.locator("#device-best img").first.wait_for()
    # There, too, several animals end it, and nothing is left waiting.
    images = [np.roll(two_mice, n % 3, axis=0) for n in range(60)]
    both = score_here(page, written(tmp_path / "two.mp4", images, "libx264", crf="15"))
    assert both["result"]["outcome"] == "several_animals"


@pytest.mark.parametrize(
    ("viewport", "scheme"), [(DESKTOP, "light"), (PHONE, "light"), (PHONE, "dark")]
)
def test_the_course_and_the_frames_shown_are_those_of_the_server(
    shipped, bundle, open_page, phantom_clip, score_here, picture, viewport, scheme
):
    film = phantom_clip(2)
    expected = summarise(Scorer(bundle).score(film), bundle.scale)
    page = open_page(viewport=viewport, color_scheme=scheme)
    page.set_default_timeout(PATIENCE)
    page.goto(PAGE)
    result = score_here(page, film)["result"]
    assert result["bin_s"] == expected.bin_s
    for mine, bin in zip(result["bins"], expected.bins, strict=True):
        assert (mine["t0"], mine["t1"], mine["n"]) == pytest.approx((bin.t0, bin.t1, bin.n))
        assert mine["score"] == pytest.approx(bin.score, abs=0.06)
        assert mine["units"] == pytest.approx(bin.units, abs=0.15)
    assert result["segments"][0]["t0"] == expected.segments[0].t0
    assert result["segments"][-1]["t1"] == pytest.approx(expected.segments[-1].t1)
    for kind in ("best", "worst"):
        times = [one["time_s"] for one in result[kind]]
        assert len(times) == len(getattr(expected, kind))
        assert all(b - a >= 0.5 - 1e-6 for a, b in itertools.pairwise(times))
    chart = page.locator("#device-chart")
    chart.locator("canvas").wait_for()
    assert chart.get_attribute("data-frames") == str(expected.frames)
    shown = page.locator("#device-best img, #device-worst img")
    shown.first.wait_for()
    assert shown.count() == len(expected.best) + len(expected.worst)
    page.wait_for_function(
        "() => [...document.querySelectorAll('#device-best img')].every((one) => one.naturalWidth)"
    )
    page.get_by_role("button", name="show on the chart").first.click()
    page.locator(".playhead").wait_for()
    chart.focus()
    page.keyboard.press("+")
    page.locator("#device-tools [data-line=score]").click()
    assert page.locator("#device-tools [data-line=score]").get_attribute("aria-pressed") == "false"
    page.locator("#device-tools [data-line=score]").click()
    chart.focus()
    page.keyboard.press("0")
    picture(page, f"device-result-{viewport['width']}-{scheme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    axe = Path(__file__).resolve().parents[2] / "node_modules/axe-core/axe.min.js"
    page.evaluate(axe.read_text())
    wrong = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert not wrong, [(one["id"], one["nodes"][0]["html"]) for one in wrong]
    # Another file takes the place of the first.
    assert score_here(page, phantom_clip(3))["result"]["frames"] == expected.frames
    page.locator("#device-best img").first.wait_for()
    assert page.locator("#device-chart canvas").count() == 1

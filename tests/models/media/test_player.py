"""The film beside a chart, and the film with grades drawn on it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest

from models.annotate import annotated_film
from models.media import Unreadable, open_media
from models.media.player import write_player
from models.phantom.clip import write_clip
from models.phantom.look import Look
from models.phantom.motion import ClipPlan
from models.records import Face, FrameKey, Grade, Prediction
from models.scale import load_scale


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("player") / "clip.mp4"
    look = {"look": Look(), "animal": 3, "pain": 0.4}
    plan = ClipPlan(coat=load_scale().coats[0], duration_s=0.5, fps=12, size=(200, 150), **look)
    write_clip(path, plan, seed=1)
    return path


def test_a_film_that_browsers_play_is_copied_without_sound(clip: Path, tmp_path: Path) -> None:
    made = write_player(clip, tmp_path)
    assert (made.file, made.how, made.start_s) == ("player.mp4", "copied", 0.0)
    with av.open(str(tmp_path / "player.mp4")) as film:
        assert [stream.type for stream in film.streams] == ["video"]


def test_another_film_is_coded_anew_with_the_same_times(clip: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.avi"
    with av.open(str(other), "w") as new, open_media(clip) as film:
        stream = new.add_stream("mjpeg", rate=12)
        stream.width, stream.height, stream.pix_fmt = 200, 150, "yuvj420p"
        for frame in film:
            new.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        new.mux(stream.encode())
    made = write_player(other, tmp_path)
    assert made.how == "coded"
    with open_media(other) as old, open_media(tmp_path / "player.mp4") as new_film:
        before = [frame.time_s - made.start_s for frame in old]
        assert [frame.time_s for frame in new_film] == pytest.approx(before, abs=1e-4)


def test_a_picture_has_no_film(tmp_path: Path) -> None:
    from PIL import Image

    Image.new("RGB", (40, 30)).save(tmp_path / "still.png")
    with pytest.raises(Unreadable, match="no film"):
        write_player(tmp_path / "still.png", tmp_path)


def test_grades_are_drawn_under_every_frame(clip: Path, tmp_path: Path) -> None:
    scale = load_scale()
    said = []
    with open_media(clip) as film:
        frames = list(film)
    face = Face((40.0, 30.0, 120.0, 110.0), {}, 0.9, "frontal", 9.0)
    grades = tuple(Grade(key, 1, None, (0.1, 0.8, 0.1), 0.9) for key in scale.unit_keys)
    for frame in frames[1:]:
        key = FrameKey("a" * 64, 0, frame.pts, frame.time_base)
        state = scale.graded_state.key
        said.append(Prediction(key, frame.index, frame.time_s, state, face, grades, 1.0, None))
    heard: list[int] = []
    made = annotated_film(
        clip,
        tmp_path / "drawn.mp4",
        said,
        scale,
        model="mouse-v1",
        phantom=True,
        progress=heard.append,
    )
    assert made.frame_count == len(frames) == heard[-1]
    assert made.height > 150
    with open_media(tmp_path / "drawn.mp4") as film:
        shown = list(film)
    assert [one.time_s for one in shown] == pytest.approx([one.time_s for one in frames], abs=1e-4)
    # Words in the band, and more of them where there is a prediction.
    assert shown[1].luma[152:].max() > 150

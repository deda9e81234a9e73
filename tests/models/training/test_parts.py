"""Parts of a recording say together what one reading of it says, to the bit."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from models.animals import Census
from models.bundle import default_bundle
from models.glance import Glance
from models.looker import edge_of, reading_span
from models.scorer import Scorer


def even_film(path: Path, seconds: float) -> Path:
    """A rendered mouse in pain at twelve frames per second."""
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    plan = ClipPlan(
        coat=load_scale().coats[0],
        look=Look(),
        animal=3,
        pain=0.6,
        duration_s=seconds,
        fps=12,
        size=(320, 240),
    )
    write_clip(path, plan, seed=5)
    return path


def odd_film(path: Path, even: Path) -> Path:
    """The same with a frame rate that wanders, and a gap of two seconds just behind an edge."""
    import av

    from models.media import open_media

    with open_media(even) as media, av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=12, options={"g": "24"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        late = 0
        for number, frame in enumerate(media):
            at = number * 83 + (number * 37) % 41
            late = 2_000 if at > 19_000 else 0
            picture = av.VideoFrame.from_ndarray(frame.image, format="rgb24")
            picture.pts, picture.time_base = at + late, Fraction(1, 1000)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def even(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The film at an even rate, rendered once."""
    return even_film(tmp_path_factory.mktemp("films") / "even.mp4", 27.0)


@pytest.mark.parametrize("kind", ["even", "odd"])
def test_parts_between_edges_are_the_whole(kind: str, even: Path, tmp_path: Path) -> None:
    film = even if kind == "even" else odd_film(tmp_path / "odd.mp4", even)
    scorer = Scorer(default_bundle())
    census, glance = Census(), Glance()
    whole = list(scorer.score(film, census=census, glance=glance))
    assert whole[-1].time_s > edge_of(4)
    assert sum(one.image_score is not None for one in whole) > 20
    edges = [float("-inf"), *(edge_of(n) for n in (1, 2, 3, 4)), float("inf")]
    together, looks, glances = [], [], []
    for span in pairwise(edges):
        seen, shown = Census(), Glance()
        together += scorer.score(film, span=span, census=seen, glance=shown)
        looks += seen.noted
        glances.append(shown.to_json())
    for number, (one, other) in enumerate(zip(together, whole, strict=True)):
        assert (one.key, one.face, one.grades) == (other.key, other.face, other.grades), number
        assert (one.state, one.image_score, one.reason) == (
            other.state,
            other.image_score,
            other.reason,
        )
    assert looks == census.noted
    joined = Glance.of(glances)
    assert joined.views == glance.views
    assert joined.seen == glance.seen
    assert joined.median("face") == glance.median("face")
    if glance.embedding is not None:
        assert joined.embedding == pytest.approx(glance.embedding)


def test_a_part_reads_nothing_of_the_chunk_before_it() -> None:
    length = edge_of(2) - edge_of(1)
    for chunk in (1, 7, 1000, 2345):
        start, end = reading_span((edge_of(chunk), edge_of(chunk + 1)))
        assert start == pytest.approx(edge_of(chunk) - 6.5, abs=1e-3)
        assert end == pytest.approx(edge_of(chunk) + length + 6.5, abs=1e-3)

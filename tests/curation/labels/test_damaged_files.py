"""Damaged JSON and landmark files end in problems or in `UnknownFormat`, and invent nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.labels import Labels, Mapping, UnknownFormat, preview, read, sniff
from models.scale import load_scale

SCALE = load_scale()
JSON = json.dumps(
    {
        f"{number}.jpg": {"x": "3", "y": "2", "w": "60", "h": "42", "ot": "1", "nb": "9", "wc": "-"}
        for number in range(4)
    }
).encode()
DLC = (
    b"scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n"
    b"0,1,2,0.5\n1,3,4,1\n2,5,6,0.25\n"
)
OBSERVED = b"animal,day,rater,mean score,n\nm1,0,a,0.5,10\nm1,1,a,1.5,9\nm2,0,a,9,\n"
PROGRAM = b"timestamp,ot,ot_conf,nb,nb_conf\n1,0,0.5,1,0.9\n2,1,0.5,2,0.9\n"
MAPPINGS = st.sampled_from(
    [Mapping(), Mapping(conversion="0-9:nearest", boxes="corners", frames_from=1)]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "labels.bin"


def _read(path: Path, content: bytes, mapping: Mapping | None = None) -> Labels | None:
    path.write_bytes(content)
    sniff(path, mapping)
    try:
        labels = read(path, mapping)
    except UnknownFormat as refused:
        sentence, labels = refused.sentence, None
    if labels is None:
        assert sentence.endswith(".")
        return None
    preview(path, mapping)
    for row in (*labels.rows, *labels.program_rows):
        assert row.grade is None or 0 <= row.grade <= SCALE.unit(row.unit).top_grade
        assert (row.grade is not None) + (row.reason is not None) + (not row.assigned) <= 1
        assert row.confidence is None or 0 <= row.confidence <= 1
    for score in labels.observations:
        assert (score.score is None) == (score.kind != "graded")
        assert score.score is None or 0 <= score.score <= 2
    for table in labels.landmarks:
        assert table.xy.shape == (len(table.frames), len(table.points), 2)
        assert table.likelihood.shape == table.xy.shape[:2]
        assert not np.isinf(table.xy).any()
        assert len(table.files) == len(table.frames)
    for box in labels.boxes:
        assert 0 <= box.corners[0] < box.corners[2]
        assert 0 <= box.corners[1] < box.corners[3]
    return labels


@st.composite
def _damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    content = bytearray(whole)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        how = draw(st.sampled_from(["flip", "cut", "insert", "repeat", "huge"]))
        if how == "flip" and at < len(content):
            content[at] ^= 1 << draw(st.integers(0, 7))
        elif how == "cut":
            del content[at : at + draw(st.integers(0, 30))]
        elif how == "insert":
            content[at:at] = draw(st.binary(max_size=6))
        elif how == "repeat":
            content[at:at] = content[at : at + draw(st.integers(0, 60))]
        elif how == "huge":
            content[at:at] = draw(st.sampled_from([b"9" * 5000, b"x" * 200_000, b"[" * 3000]))
    return bytes(content)


@pytest.mark.parametrize("whole", [JSON, DLC, OBSERVED, PROGRAM])
@given(data=st.data())
def test_a_damaged_text_is_read_or_refused(path: Path, whole: bytes, data: st.DataObject) -> None:
    content = data.draw(_damaged(whole))
    if data.draw(st.booleans()):
        encoding = data.draw(st.sampled_from(["utf-16", "utf-16-le", "utf-8-sig"]))
        content = content.decode("latin-1").encode(encoding)
    _read(path, content, data.draw(MAPPINGS))


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(-3, 12), st.text(max_size=4)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=5),
            st.dictionaries(
                st.sampled_from(["a.jpg", "box", "x", "y", "w", "h", "x2", "ot", "nb2", "scores"])
                | st.text(max_size=3),
                inner,
                max_size=6,
            ),
        ),
        max_leaves=30,
    ),
    MAPPINGS,
)
def test_any_json_is_read_or_refused(path: Path, content: object, mapping: Mapping) -> None:
    _read(path, json.dumps(content).encode(), mapping)


@pytest.mark.parametrize("kind", ["slp", "dlc_table", "dlc_fixed"])
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_hdf5_file_is_read_or_refused(
    path: Path,
    kind: str,
    data: st.DataObject,
    slp: Callable[..., Path],
    dlc_table: Callable[..., Path],
    dlc_fixed: Callable[..., Path],
) -> None:
    made = {"slp": slp, "dlc_table": dlc_table, "dlc_fixed": dlc_fixed}[kind]
    _read(path, data.draw(_damaged(made().read_bytes())))


def test_an_undamaged_file_of_every_kind_is_read(path: Path) -> None:
    counts = [_read(path, whole).counts for whole in (JSON, DLC, OBSERVED, PROGRAM)]
    assert counts == [
        {"graded": 4, "not_scorable": 4, "not_assigned": 4, "boxes": 4},
        {"frames with landmarks": 3},
        {"observations": 3},
        {"of a program": 4},
    ]

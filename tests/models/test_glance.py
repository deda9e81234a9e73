"""What is counted of a recording: bins, shares, the coat an embedding suggests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.glance import COAT, Glance, added, centres_of, features, nearest, share_right
from models.result import nothing_scored, summarise
from models.scale import Scale
from models.scorer import Scorer


def test_every_number_falls_into_exactly_one_bin(scale: Scale) -> None:
    for feature in features(scale):
        if feature.names:
            continue
        values = [feature.edges[0] - 1, *feature.edges, feature.edges[-1] + 1]
        places = [feature.bin_of(value) for value in values]
        assert places == sorted(places)
        assert len(set(places)) == len(feature.edges) + 1
        assert len(feature.places) == len(feature.edges) + 1
        assert feature.bin_of(None) == (feature.bins - 1 if feature.missing else None)


def test_counts_of_a_recording_are_shares_of_one(scale: Scale) -> None:
    glance = Glance()
    glance.views.update({"frontal": 3, "profile": 1})
    told = nothing_scored("no_scorable_frames", "", scale).to_json() | {"states": {"awake": 4}}
    counts = glance.counts(told, scale)
    assert all(sum(row) == pytest.approx(1.0) for row in counts.values())
    assert counts["view"][:3] == [0.75, 0.0, 0.25]
    assert counts["score"][-1] == 1.0
    # Without centres no coat is told, and without faces no sharpness.
    assert not {COAT, "sharpness"} & set(counts)


def test_counts_add_up_and_a_new_bin_begins_anew() -> None:
    assert added({"a": [1.0, 0.0]}, {"a": [0.5, 0.5], "b": [1.0]}) == {"a": [1.5, 0.5], "b": [1.0]}
    assert added({"a": [1.0]}, {"a": [0.0, 1.0]}) == {"a": [0.0, 1.0]}


def test_a_coat_is_the_one_whose_centre_is_nearest() -> None:
    rng = np.random.default_rng(0)
    rows = {
        "one": list(rng.normal(0, 0.1, (5, 4))),
        "two": list(rng.normal(1, 0.1, (5, 4))),
    }
    centres = centres_of(rows)
    assert nearest(np.full(4, 0.9), centres) == "two"
    assert nearest(None, centres) is None
    assert share_right(rows) == 1.0
    assert share_right({"one": rows["one"]}) is None


def test_the_scorer_tells_a_glance_and_answers_as_without_one(
    rendered_path: Path, scorer: Scorer
) -> None:
    glance = Glance()
    told = list(scorer.score(rendered_path, glance=glance))
    assert told == list(scorer.score(rendered_path))
    assert sum(glance.views.values()) == len(told)
    assert glance.embedding is not None
    result = summarise(told, scorer.bundle.scale).to_json()
    counts = glance.counts(result, scorer.bundle.scale, {"white": glance.embedding.tolist()})
    assert counts[COAT][scorer.bundle.scale.coat_keys.index("white")] == 1.0
    assert {"distance", "face", "sharpness", "exposure", "view", "score"} <= set(counts)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    from models.bundle import default_bundle

    return Scorer(default_bundle())


@pytest.fixture
def rendered_path(phantom_clip) -> Path:
    return phantom_clip.path

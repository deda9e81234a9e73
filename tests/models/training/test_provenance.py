"""bundle.json says where every part comes from, and what each was judged on."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.config import EyesConfig, FinderConfig, RunConfig, load_config
from models.data.real import FILM, STILLS, WHOLE_PROFILE, judged_eyes, judged_finder
from models.provenance import bundle_info, program_version, states_told
from models.scale import Scale
from models.shipped import shipped_part

RENDERED = [{"name": "rendered faces", "phantom": True}]
CALIBRATION = {"out_of_distribution": {"n": 12}}


def frames(split: str) -> pd.DataFrame:
    """One phantom and one real dataset, of two labs."""
    rows = [("AMGS-000001/1", "north", True), ("AMGS-000002/1", "south", False)]
    return pd.DataFrame(rows, columns=["dataset", "lab", "phantom"])


def a_run(scale: Scale, config: RunConfig, **more: Any) -> Any:
    manifest = SimpleNamespace(scale=scale, part=frames, header={"seed": 3}, digest="m" * 64)
    return SimpleNamespace(
        **{
            "config": config,
            "manifest": manifest,
            "backbone": None,
            "warm_start": None,
            "shuffle_labels": False,
        },
        **more,
    )


def info_of(scale: Scale, config: RunConfig, finder: dict, eyes: dict) -> dict[str, Any]:
    states = np.eye(len(scale.states))
    info = bundle_info(
        a_run(scale, config),
        {"trained_on": RENDERED, **finder},
        {"trained_on": RENDERED, **eyes},
        CALIBRATION,
        states,
        {"config": config.name},
    )
    return json.loads(json.dumps(info))


def test_every_part_names_what_it_was_trained_and_judged_on(scale: Scale) -> None:
    config = RunConfig(finder=FinderConfig(), eyes=EyesConfig())
    info = info_of(scale, config, {"digest": "f" * 64}, {"digest": "e" * 64})
    parts = info["parts"]
    assert set(parts) == {"finder", "eyes", "units", "scorable", "states", "calibration"}
    assert [one["name"] for one in parts["units"]["trained_on"]] == [
        "AMGS-000001/1", "AMGS-000002/1",
    ]  # fmt: skip
    assert parts["units"]["judged_on"] == parts["calibration"]["judged_on"] == []
    assert info["training"] == {"config": config.name}
    assert set(info["made"]["packages"]) >= {"torch", "numpy"}
    assert info["phantom"] is True
    assert info["labs"] == ["north", "south"]
    assert info["snapshot_digest"] == "m" * 64
    # Fitted in the run and tried on nothing real.
    assert parts["finder"]["judged_on"] == parts["eyes"]["judged_on"] == []


def test_the_shipped_parts_say_what_they_were_judged_on(scale: Scale) -> None:
    config = load_config("shipped")
    finder, eyes = (
        {"digest": shipped_part(name, part, ())[1]["digest"]}
        for name, part in (("finder", config.finder), ("eyes", config.eyes))
    )
    parts = info_of(scale, config, finder, eyes)["parts"]
    judged = {one["name"]: one for one in parts["finder"]["judged_on"]}
    assert {STILLS, WHOLE_PROFILE, FILM} < set(judged)
    assert judged[STILLS]["figures"]["n"] == 39, "the stills held out, not those learnt from"
    assert judged[FILM]["figures"]["graded"] <= judged[FILM]["figures"]["n"]
    assert "videos-odd/corrupted.mp4" in judged
    assert "videos-odd/av1_video.mkv" not in judged, "it was learnt from"
    for one in [*parts["finder"]["judged_on"], *parts["eyes"]["judged_on"]]:
        assert one["licence"]
        assert one["origin"]
        assert one["phantom"] is False
    assert [one["name"] for one in parts["eyes"]["judged_on"]] == [STILLS, WHOLE_PROFILE]


def test_figures_of_a_shipped_part_are_not_those_of_another(scale: Scale) -> None:
    parts = info_of(scale, load_config("shipped"), {"digest": "0" * 64}, {"digest": "0" * 64})
    assert parts["parts"]["finder"]["judged_on"] == parts["parts"]["eyes"]["judged_on"] == []


def test_a_part_that_was_tried_in_the_run_brings_its_own_figures(scale: Scale) -> None:
    own = {"stills": {"stills": 2, "opening_mae": 0.1, "constant_mae": 0.2}}
    config = RunConfig(finder=FinderConfig(), eyes=EyesConfig())
    info = info_of(scale, config, {"digest": "f"}, {"digest": "e", "real": own})
    (one,) = info["parts"]["eyes"]["judged_on"]
    assert (one["name"], one["figures"]["stills"]) == (STILLS, 2)


def test_what_was_not_there_did_not_judge() -> None:
    assert judged_finder({}) == judged_eyes({}) == []
    nothing = {"held_out_stills": {"n": 0}, "whole_profile_film": {"n": 0}, "faceless": {}}
    assert judged_finder(nothing) == []


def test_states_that_few_frames_show_are_not_told(scale: Scale) -> None:
    first, unknown = scale.state_keys[0], scale.unknown_state.key
    states = np.zeros((100, len(scale.states)))
    states[:, 0] = 1
    assert states_told(states, scale) == [key for key in scale.state_keys if key in
                                          {first, unknown}]  # fmt: skip
    assert program_version()


@pytest.mark.parametrize("shuffled", [True, False])
def test_a_warm_start_is_what_the_heads_began_with(scale: Scale, shuffled: bool) -> None:
    before = SimpleNamespace(
        digest="b" * 64,
        info={"parts": {"units": {"trained_on": RENDERED, "pretrained_on": RENDERED}}},
    )
    run = a_run(scale, RunConfig())
    run.warm_start, run.shuffle_labels = before, shuffled
    part = {"digest": "d", "trained_on": RENDERED}
    info = bundle_info(run, part, part, CALIBRATION, np.eye(len(scale.states)), {})
    assert info["parts"]["units"]["pretrained_on"] == RENDERED, "each source once"
    assert info["warm_start"] == "b" * 64
    assert info["shuffled_labels"] is shuffled

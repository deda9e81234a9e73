"""card.md: what each part rests on and reached, in words a biologist reads."""

from typing import Any

import pytest

from models.bundle import default_bundle
from models.data.real import STILLS, WHOLE_PROFILE, judged_eyes, judged_finder
from models.report import model_card
from models.scale import Scale

PHANTOM = [{"name": "rendered faces", "phantom": True}]
FINDER = {
    "held_out_stills": {"n": 39, "noticed": 39, "recalled": 38},
    "whole_profile_film": {"n": 40, "noticed": 40, "recalled": 7},
    "faceless": {
        "train": {"eye-closeups/velocity_frames": {"n": 15, "graded": 0}},
        "held_out": {"eye-closeups/velocity_frames": {"n": 16, "graded": 2}},
    },
}
EYES = {
    "stills": {"stills": 39, "opening_mae": 0.0252, "constant_mae": 0.0233},
    "shut": {"frames": 40, "readings": 320, "below": 0.996875},
}


@pytest.fixture(scope="module")
def known() -> tuple[dict[str, Any], dict[str, Any], Scale, dict[str, Any]]:
    """What a card is written from, of the shipped bundle."""
    bundle = default_bundle()
    return bundle.info, bundle.report, bundle.scale, bundle.calibration


def card(known: tuple, finder: list[dict[str, Any]], eyes: list[dict[str, Any]]) -> str:
    info, report, scale, calibration = known
    parts = {
        **info["parts"],
        "finder": {"trained_on": PHANTOM, "judged_on": finder},
        "eyes": {"trained_on": PHANTOM, "judged_on": eyes},
    }
    return model_card({**info, "parts": parts}, report, scale, calibration)


def test_the_card_says_what_finder_and_eye_reader_were_judged_on_and_reached(known) -> None:
    told = card(known, judged_finder(FINDER), judged_eyes(EYES))
    assert f"| eyes | rendered faces (phantom) | {STILLS}, {WHOLE_PROFILE} |" in told
    for sentence in (
        f"finder, {STILLS}: the head noticed in 39 of 39 pictures, its box in place in 38",
        f"finder, {WHOLE_PROFILE}: the head noticed in 40 of 40 pictures, its box in place in 7",
        "finder, eye-closeups/velocity_frames: 2 of 16 pictures without a gradable face let",
        f"eyes, {STILLS}: opening of the eye off by 0.025 on average on 39 stills (a constant "
        "answer: 0.023)",
        "eyes, mouse-video-side/head_fixed_side.mp4: shut eye read as shut in 99.7 % of 320",
    ):
        assert sentence in told
    assert "All of them show mice from the side" in told


def test_a_card_of_parts_that_nothing_judged_says_so_and_claims_nothing(known) -> None:
    told = card(known, [], [])
    assert "| finder | rendered faces (phantom) | nothing |" in told
    assert "tried on real recordings" not in told


def test_the_card_gives_the_figures_of_the_report_with_what_they_rest_on(known) -> None:
    info, report, scale, calibration = known
    told = model_card(info, report, scale, calibration)
    assert report["sentence"] in told
    for unit in scale.units:
        assert f"| {unit.title} | {report['units'][unit.key]['kappa']:.2f} |" in told
    shuffled = {**report, "training": {**report["training"], "shuffled_labels": True}}
    assert "Negative control" in model_card(info, shuffled, scale, calibration)
    alone = {**report, "training": {**report["training"], "context_epoch": 0}}
    assert "take no part" in model_card(info, alone, scale, calibration)

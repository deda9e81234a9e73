"""What another device is told of a bundle: every constant once, as JSON that reads back."""

from __future__ import annotations

import json

import numpy as np
import pytest

from models import animals, context, faces, looker, result, shown
from models.bundle import GRAPHS, Bundle, default_bundle
from models.device import device_facts
from models.eyes import EyeReader
from models.grader import Grader


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return default_bundle()


def test_the_facts_are_plain_json_and_name_their_bundle(bundle):
    told = device_facts(bundle)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert told["digest"] == bundle.digest
    assert told["phantom"] is bundle.phantom
    assert all((bundle.path / f"{name}.onnx").is_file() for name in GRAPHS)


def test_the_facts_are_those_that_scoring_uses(bundle):
    told, rules = device_facts(bundle), Grader.of(bundle)
    assert told["grid"]["grid_s"] == looker.GRID_S
    assert told["context"]["motion"] == list(context.MOTION)
    assert told["finder"]["views"] == list(faces.VIEWS)
    assert told["eyes"]["size"] == EyeReader(bundle.path / "eyes.onnx").size
    assert told["grader"]["thresholds"] == rules.thresholds
    assert told["crop"]["size"] == bundle.crop.size
    assert [unit["key"] for unit in told["scale"]["units"]] == list(bundle.scale.unit_keys)
    assert told["finder"]["faint"] == faces.FAINT
    for name, value in told["animals"].items():
        assert value == getattr(animals, name.upper())
    assert told["result"]["several"] == result.SEVERAL
    assert told["result"]["bin_widths_s"] == list(result.BIN_WIDTHS_S)
    assert told["shown"]["best_apart_s"] == shown.BEST_APART_S
    for cause, key in told["scale"]["because"].items():
        assert bundle.scale.reason(key).cause == cause


def test_the_calibration_gives_the_same_probabilities(bundle):
    told, rules = device_facts(bundle)["calibration"], Grader.of(bundle)
    logits = np.random.default_rng(0).normal(size=(6, len(bundle.scale.units), 2))
    for place, likely in enumerate(rules.calibrated.probabilities(logits)):
        facts = told["units"][place]
        scaled = logits[:, place] / facts["temperature"] + facts["shift"]
        above = np.cumprod(1 / (1 + np.exp(-scaled)), axis=1)
        assert likely[:, 1:].sum(1) == pytest.approx(above[:, 0])
        assert facts["cuts"] == rules.calibrated.cuts[place].tolist()
    assert np.array(told["root"]).shape == rules.calibrated.root.shape

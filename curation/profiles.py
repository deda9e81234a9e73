"""The thresholds of the gates, as named profiles that the site prints before a run starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models import records


@dataclass(frozen=True)
class Profile:
    """A named set of thresholds with its purpose; None asks for nothing and only tells."""

    name: str
    """How the profile is called on every page that shows a verdict of it."""
    purpose: str
    """One sentence about what passing it means."""
    production: bool
    """Whether a verdict by this profile may let a model serve in production."""
    benchmark_frames: int
    """Fewest graded frames a benchmark must hold."""
    benchmark_animals: int
    """Fewest animals a benchmark must hold."""
    mean_kappa: float
    """Least mean over units of the quadratic-weighted kappa with the raters' consensus."""
    unit_kappa_share: float
    """Least kappa of every unit, as a share of the kappa two people reach on that unit."""
    rmse_ratio: float
    """Largest image-score RMSE, as a share of the RMSE of always answering the mean."""
    image_r: float
    """Least correlation of the image score with the raters' consensus."""
    coverage: float
    """Least share of the frames the raters could score that get an image score."""
    calibration: float
    """Largest expected calibration error of any unit."""
    slope: tuple[float, float]
    """Least and largest slope of raters on model per observation; above 1 the model shrinks."""
    observation_bias: float
    """Largest mean error of an observation's score, in either direction."""
    observation_icc: float | None
    """Least intraclass correlation of model and raters over observations."""
    observation_limits: float | None
    """Largest half width of the 95 % limits of agreement per observation."""
    asleep_graded: float | None
    """Largest share of frames of sleeping animals that get a score of 1 or more."""
    pain_taken_for_asleep: float | None
    """Largest share of frames that raters grade 1 or more and that are taken for asleep."""
    faithfulness: float | None
    """Least lead of the explanation over the middle of the face, worst unit, end of interval."""
    left_out: float | None
    """Largest RMSE on a lab left out of training, as a share of that of answering the mean."""
    rescored: float | None
    """Largest mean change of the scores of published recordings."""
    slower: float | None
    """How many times as long as the champion a picture may take."""
    larger: float | None
    """How many times as large as the champion the bundle may be."""
    margin: float
    """How much worse than the champion the image RMSE may be, at the end of its 95 % interval."""
    group_margin: float
    """The same within one lab and coat, where fewer animals give wider intervals."""
    group_animals: int
    """A lab and coat with fewer animals is not assessed: listed, never passed."""
    coverage_lost: float | None = None
    """How much smaller than the champion's the share of frames with a score may be, as above."""
    group_coverage_lost: float | None = None
    """The same within one lab and coat."""

    def to_json(self) -> dict[str, Any]:
        """Return the thresholds as plain values, to be stored before a run starts."""
        return records.to_json(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Profile:
        """Rebuild the profile that was stored, whatever its namesake says today."""
        return records.from_json(cls, dict(data))


PROFILES: dict[str, Profile] = {
    "demo": Profile(
        name="demo",
        purpose=(
            "Shows that the machinery works on small phantom studies; it says nothing about real "
            "mice and cannot put a model into production."
        ),
        production=False,
        benchmark_frames=30,
        benchmark_animals=4,
        mean_kappa=0.25,
        unit_kappa_share=0.0,
        rmse_ratio=0.9,
        image_r=0.5,
        coverage=0.2,
        calibration=0.3,
        slope=(0.4, 2.5),
        observation_bias=0.4,
        observation_icc=None,
        observation_limits=None,
        asleep_graded=None,
        pain_taken_for_asleep=None,
        faithfulness=None,
        left_out=None,
        rescored=None,
        slower=None,
        larger=None,
        margin=0.06,
        group_margin=0.12,
        group_animals=8,
        coverage_lost=0.1,
        group_coverage_lost=0.15,
    ),
    "standard": Profile(
        name="standard",
        purpose="What a model must reach on real frames, rated blind, before it grades in public.",
        production=True,
        benchmark_frames=300,
        benchmark_animals=24,
        mean_kappa=0.45,
        unit_kappa_share=0.8,
        rmse_ratio=0.75,
        image_r=0.75,
        coverage=0.6,
        calibration=0.1,
        slope=(0.8, 1.25),
        observation_bias=0.1,
        observation_icc=0.75,
        observation_limits=0.5,
        asleep_graded=0.05,
        pain_taken_for_asleep=0.05,
        faithfulness=0.0,
        left_out=0.9,
        rescored=0.15,
        slower=1.5,
        larger=2.0,
        margin=0.02,
        group_margin=0.05,
        group_animals=8,
        coverage_lost=0.05,
        group_coverage_lost=0.1,
    ),
}

"""The plan of a study: what is decided before group names are seen."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Literal

from models.events import Refused
from models.records import from_json, to_json
from models.scale import Scale

Outcome = Literal["mean_score", "change", "auc", "high_share", "percent_reversal"]
OUTCOMES: dict[str, str] = {
    "mean_score": "mean score",
    "change": "change from baseline",
    "auc": "area under the curve over baseline",
    "high_share": "share of time at or above the cut-off",
    "percent_reversal": "percent reversal",
}
UNITS = ("animal", "cage")


@dataclass(frozen=True)
class StudyPlan:
    """What is decided before group names are seen; every field has a default but none is magic.

    unit            what was independently assigned to treatment: 'animal' or 'cage'
    primary         the one outcome that the study asks about: a key of OUTCOMES. The test beside
                    'percent_reversal' is that of the mean score
    primary_time_h  the time of the primary outcome in hours, or None: all times after baseline
    units           keys of the action units that every score rests on; () takes all units of the
                    scale that are scored in nine of ten observations
    baseline_h      the time of the baseline in hours, or None: all times at or below 0
    control         group that the others are compared with, '' for none
    vehicle         group that got the procedure and no drug, '' for none
    drug            group that got the drug, '' for none
    cut_off         score from which on time counts as high-grimace, or None
    alpha           1 - level of every interval, and of the tests
    gated           True: only graded states count. False: every scorable frame, asleep or not
    draws           labellings drawn where not all are counted, and draws of every bootstrap
    seed            seed of all that is drawn
    least_effect    percent reversal is refused where the effect of the vehicle group may be below
    locked_on       when the plan was locked, as text; '' where it was not
    changes         sentences on what was changed after results were seen; every report tells them
    """

    unit: str = "animal"
    primary: str = "mean_score"
    primary_time_h: float | None = None
    units: tuple[str, ...] = ()
    baseline_h: float | None = None
    control: str = ""
    vehicle: str = ""
    drug: str = ""
    cut_off: float | None = None
    alpha: float = 0.05
    gated: bool = True
    draws: int = 9999
    seed: int = 0
    least_effect: float = 0.1
    locked_on: str = ""
    changes: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> StudyPlan:
        """The plan of a JSON object; Refused where it holds a field that no plan has."""
        known = {field.name for field in dataclasses.fields(cls)}
        strange = sorted(set(data) - known)
        if strange:
            raise Refused(
                f"The plan has a field “{strange[0]}” that is unknown; fields are: "
                f"{', '.join(sorted(known))}."
            )
        try:
            return from_json(cls, data)
        except (TypeError, ValueError) as error:
            raise Refused(f"The plan cannot be read: {error}.") from error

    def to_json(self) -> dict[str, Any]:
        """The plan as an object that JSON holds."""
        return {**to_json(self), "units": list(self.units), "changes": list(self.changes)}

    def check(self, scale: Scale) -> None:
        """Raises Refused where a field cannot be meant."""
        top = max(unit.top_grade for unit in scale.units)
        if self.unit not in UNITS:
            raise Refused(f"The experimental unit is “animal” or “cage”, not “{self.unit}”.")
        if self.primary not in OUTCOMES:
            raise Refused(
                f"The primary outcome “{self.primary}” is unknown; choose one of "
                f"{', '.join(OUTCOMES)}."
            )
        strange = [key for key in self.units if key not in scale.unit_keys]
        if strange:
            raise Refused(
                f"The plan names the action unit “{strange[0]}”, which the scale does not have; "
                f"its units are {', '.join(scale.unit_keys)}."
            )
        if self.units and len(set(self.units)) < scale.minimum_units:
            raise Refused(
                f"A score rests on at least {scale.minimum_units} action units; the plan names "
                f"{len(set(self.units))}."
            )
        if not 0 < self.alpha < 0.5:
            raise Refused(f"alpha lies between 0 and 0.5, such as 0.05; {self.alpha:g} does not.")
        if self.cut_off is not None and not 0 < self.cut_off <= top:
            raise Refused(
                f"The cut-off lies above 0 and at most at {top}; {self.cut_off:g} does not."
            )
        if self.primary == "high_share" and self.cut_off is None:
            raise Refused(
                "The primary outcome is the share of time at or above a cut-off: set the cut-off."
            )
        if self.primary == "percent_reversal" and not (self.vehicle and self.drug):
            raise Refused(
                "Percent reversal needs a vehicle group and a drug group: name both in the plan."
            )
        if not 99 <= self.draws <= 100_000:
            raise Refused(f"draws lies between 99 and 100,000; {self.draws} does not.")
        time = self.primary_time_h
        if time is not None and not (math.isfinite(time) and time > 0):
            raise Refused(
                f"primary_time_h is a time after the procedure, above 0; {time:g} is not."
            )
        if self.baseline_h is not None and not self.baseline_h <= 0:
            raise Refused(
                f"baseline_h is a time before the procedure, 0 or below; {self.baseline_h:g} is "
                "not."
            )
        if self.primary == "auc" and self.primary_time_h is not None:
            raise Refused(
                "The area under the curve rests on all times after baseline: leave the time of the "
                "primary outcome empty."
            )

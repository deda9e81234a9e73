"""What a validation page says: which observations are compared, what is enough, in which words.

For every assay × coat × lab the animals' change from baseline is told twice, as raters grade it and
as the model does, over the same frames. That neither sees an effect is a result like any other. The
three claims (recipe on left-out labs, served model on unseen animals of known labs, served model on
an independent lab) rest on different data and are never merged.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from curation.checks.time_points import is_baseline
from curation.sentences import listing

if TYPE_CHECKING:
    import pandas as pd

    from models.scale import Scale

FEWEST_UNITS = 8
"""Under so many experimental units a cell is listed, not assessed."""
LEAST_EFFECT = 0.1
"""Grades by which the vehicle group must surely have changed before a reversal is given."""
LEVEL = 0.95
BASELINE, AFTER = "baseline", "after"


@dataclass(frozen=True)
class Assay:
    """An assay the mission asks for; `until_h` hours after the procedure observations count."""

    key: str
    title: str
    until_h: float


ASSAYS = (
    Assay("inflammatory", "Inflammatory", 72.0),
    Assay("post_surgical", "Post-surgical (laparotomy)", 48.0),
    Assay("neuropathic", "Neuropathic", 24.0 * 365),
)
COATS = 2
"""The first coats of the scale, which the mission asks for; others are shown where there are data.
"""
# What a field says where no drug was given; words of other languages are drugs until mapped.
NO_DRUG = {"", "none", "no", "vehicle", "saline", "control", "untreated", "sham"}

ASSESSED, FEW = "assessed", "not_assessed"
CLAIMS = {
    "left_out": "The recipe on labs left out of its training",
    "unseen_animals": "This version on unseen animals of labs it knows",
    "independent_lab": "This version on an independent lab",
}


@dataclass(frozen=True)
class Observation:
    """What the design of a dataset says of an observation, metadata inherited from above."""

    name: str
    animal: str
    cage: str = ""
    hours: float | None = None
    assay: str = ""
    procedure: str = ""
    drug: str = ""
    analgesic: str = ""
    assigned_unit: str = "animal"

    @property
    def phase(self) -> str | None:
        """`baseline`, `after`, or None where the time is outside both, or not known."""
        if is_baseline(self.name, self.hours):
            return BASELINE
        until = next((row.until_h for row in ASSAYS if row.key == self.assay), None)
        if until is None or self.hours is None:
            return None
        return AFTER if 0 <= self.hours <= until else None

    @property
    def arm(self) -> str:
        """The drug or analgesic that was given, empty where there was none (the vehicle group)."""
        given = [text.strip() for text in (self.drug, self.analgesic)]
        return ", ".join(text for text in given if text.casefold() not in NO_DRUG)

    @property
    def unit(self) -> str:
        """The experimental unit: the cage where cages were assigned and are named, else the animal.

        Litters are not recorded, so that animals stand for them.
        """
        return self.cage if self.assigned_unit == "cage" and self.cage else self.animal


def describe(
    graded: Mapping[str, pd.DataFrame | None],
    design: Mapping[str, Observation],
    report: Mapping[str, Any],
    scale: Scale,
) -> list[dict[str, Any]]:
    """Return the three claims with their cells.

    `graded` holds per claim (`unseen_animals`, `independent_lab`) the judged frames of an
    evaluation, None where the snapshot has no such split; `design` the observations by id; `report`
    is the version's own, which may hold `left_out`.
    """
    claims = [_left_out(report)]
    sentences = {
        "unseen_animals": "The snapshot of this version has no benchmark frames.",
        "independent_lab": (
            "The snapshot of this version has no independent lab: one that only judges and never "
            "trains or calibrates. Until there is one, nothing here speaks for labs that the model "
            "has not seen."
        ),
    }
    for key, without in sentences.items():
        frames = graded.get(key)
        claim: dict[str, Any] = {"key": key, "title": CLAIMS[key], "cells": [], "no_data": []}
        if frames is None or frames.empty:
            claims.append(claim | {"state": "no_data", "sentence": without})
            continue
        table = _observed(frames, design, scale)
        labs = sorted({str(lab) for lab in frames["lab"]})
        coats = list(
            dict.fromkeys([*scale.coat_keys[:COATS], *sorted(set(frames["coat"].astype(str)))])
        )
        cells = [_cell(place, rows) for place, rows in _groups(frames, table)]
        have = {(cell["assay"], cell["coat"], cell["lab"]) for cell in cells}
        claim["cells"] = cells
        claim["no_data"] = _no_data(have, labs, coats)
        assessed = [cell for cell in cells if cell["state"] == ASSESSED]
        where = "independent" if key == "independent_lab" else "known"
        claims.append(
            claim
            | {
                "state": "run",
                "sentence": (
                    f"{len(assessed)} of {len(cells)} combinations of assay, coat and lab have "
                    f"{FEWEST_UNITS} experimental units or more and are assessed; "
                    f"{len(frames)} frames of {frames['animal'].nunique()} animals of "
                    f"{len(labs)} {where} {'lab' if len(labs) == 1 else 'labs'}."
                ),
            }
        )
    return claims


def _left_out(report: Mapping[str, Any]) -> dict[str, Any]:
    """The first claim, as the report tells it; no run is made for it here."""
    claim: dict[str, Any] = {
        "key": "left_out",
        "title": CLAIMS["left_out"],
        "cells": [],
        "no_data": [],
        "labs": {},
    }
    found = report.get("left_out")
    if not isinstance(found, Mapping) or not found.get("labs"):
        return claim | {
            "state": "not_run",
            "sentence": (
                "Not run. It takes a training of the recipe per lab, each without that lab; the "
                "report of this version holds none."
            ),
        }
    return claim | {
        "state": "run",
        "labs": dict(found["labs"]),
        "sentence": (
            f"The recipe was trained {len(found['labs'])} times, each time without one lab, and "
            f"measured on it (snapshot {found.get('snapshot', 'not named')}). These are other "
            "networks than the one this page is about."
        ),
    }


def _observed(
    frames: pd.DataFrame, design: Mapping[str, Observation], scale: Scale
) -> pd.DataFrame:
    """One row per observation that counts, with phase, arm and unit."""
    from models.figures import observation_scores

    table = observation_scores(frames, scale)
    known = [design.get(str(name)) for name in table["observation"]]
    table["phase"] = [one.phase if one else None for one in known]
    table["arm"] = [one.arm if one else "" for one in known]
    table["unit"] = [one.unit if one else "" for one in known]
    table["procedure"] = [one.procedure if one else "" for one in known]
    kept: pd.DataFrame = table[table["phase"].notna()].reset_index(drop=True)
    return kept


def _groups(
    frames: pd.DataFrame, table: pd.DataFrame
) -> Iterable[tuple[tuple[str, str, str], pd.DataFrame]]:
    """Every assay × coat × lab with frames, and its observations that both sides graded."""
    wanted = {row.key for row in ASSAYS}
    columns = ["assay", "coat", "lab"]
    for place in sorted({tuple(map(str, row)) for row in frames[columns].to_numpy()}):
        if place[0] in wanted:
            here = (table[columns].astype(str) == list(place)).all(axis=1)
            yield (place[0], place[1], place[2]), table[here]


def _cell(place: tuple[str, str, str], rows: pd.DataFrame) -> dict[str, Any]:
    from models.figures.effects import effect_figures

    figures = effect_figures(rows, LEAST_EFFECT, LEVEL)
    assay, coat, lab = place
    cages = int((rows["unit"] != rows["animal"]).any())
    cell: dict[str, Any] = {
        "assay": assay,
        "coat": coat,
        "lab": lab,
        "procedures": sorted({str(name) for name in rows["procedure"] if name}),
        "unit": "cage" if cages else "animal",
        "figures": figures,
        "reversal": [_reversal_words(row) for row in figures["reversal"]],
    }
    units = "cages" if cages else "animals"
    n = figures["n_units"]
    if n < FEWEST_UNITS:
        return cell | {
            "state": FEW,
            "sees": {},
            "sentence": (
                f"Not assessed: {n or 'no'} {units if n != 1 else units[:-1]} without a drug "
                f"{'have' if n != 1 else 'has'} both a baseline and a time after the procedure "
                f"that raters and model graded; {FEWEST_UNITS} are needed."
            ),
        }
    sees = {side: sees_effect(figures["sides"][side]) for side in ("raters", "model")}
    return cell | {
        "state": ASSESSED,
        "sees": sees,
        "sentence": verdict(sees["raters"], sees["model"]),
    }


def sees_effect(side: Mapping[str, Any]) -> str:
    """`more`, `less` or `none`: whether the interval of the change leaves 0 out, and which way."""
    low, high = side["interval"]
    if low is not None and low > 0:
        return "more"
    return "less" if high is not None and high < 0 else "none"


def verdict(raters: str, model: str) -> str:
    """Return in one sentence what both see; every combination is a result."""
    words = {"more": "more grimacing", "less": "less grimacing"}
    if raters == model == "none":
        return "Neither raters nor model see an effect. That is a result, not a failure."
    if raters == model:
        return f"Raters and model both see {words[raters]} after the procedure."
    if model == "none":
        return f"Raters see {words[raters]} after the procedure; the model does not."
    if raters == "none":
        return f"The model sees {words[model]} after the procedure; the raters do not."
    return "Raters and model see changes in opposite directions."


def _reversal_words(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of reversal with its sentence; too few units and small effects refuse it."""
    n = min(row["n_vehicle"], row["n_drug"])
    told = []
    for side in ("raters", "model"):
        found = row[side]
        if found["refused"] == "no_effect":
            told.append(f"{side}: not given, the vehicle group may not have changed at all")
        elif found["percent"] is None:
            told.append(f"{side}: not given, too few units")
        else:
            low, high = found["interval"]
            spread = f" ({low:.0f} to {high:.0f})" if low is not None and high is not None else ""
            told.append(f"{side}: {found['percent']:.0f} %{spread}")
    state = ASSESSED if n >= FEWEST_UNITS else FEW
    few = "" if state == ASSESSED else f" Not assessed: under {FEWEST_UNITS} units in a group."
    sentence = f"{row['drug']}: {'; '.join(told)}.{few}".replace("-", "−")
    return {**row, "state": state, "sentence": sentence}


def _no_data(
    have: set[tuple[str, str, str]], labs: list[str], coats: list[str]
) -> list[dict[str, Any]]:
    """What is empty, by assay and coat: the labs without data there."""
    rows = []
    for assay in ASSAYS:
        for coat in coats:
            empty = [lab for lab in labs if (assay.key, coat, lab) not in have]
            if not empty:
                continue
            nobody = len(empty) == len(labs)
            rows.append(
                {
                    "assay": assay.key,
                    "coat": coat,
                    "labs": empty,
                    "sentence": "no data of any lab" if nobody else f"no data of {listing(empty)}",
                }
            )
    return rows

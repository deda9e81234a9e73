"""What a recording looked like to the scorer and what came of it, as one row of a histogram.

The scorer is watched by these counts alone: of every recording a few figures, each put into a bin.
Bins are fixed, so that weeks add up and no recording has to be kept to compare it later.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from models.faces import VIEWS
from models.scale import Scale

if TYPE_CHECKING:
    from models.looker import Block

Array = NDArray[np.float64]
Counts = dict[str, list[float]]
NONE = "none"
COAT = "coat"


@dataclass(frozen=True)
class Feature:
    """A figure of a recording and its bins.

    `kind` is `input` or `output`. `edges` cut a number into len(edges) + 1 bins; `names` are those
    of a kind of thing, of which a recording gives a share to each. Where `missing` is set the last
    bin counts recordings that have no such figure.
    """

    key: str
    title: str
    kind: str
    edges: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    missing: bool = False

    @property
    def bins(self) -> int:
        """The number of bins."""
        return len(self.names) if self.names else len(self.edges) + 1 + self.missing

    @property
    def places(self) -> list[float]:
        """The middles of the bins of a number; open ones are as wide as their neighbours."""
        first, last = self.edges[0], self.edges[-1]
        ends = [2 * first - self.edges[1], *self.edges, 2 * last - self.edges[-2]]
        return [(a + b) / 2 for a, b in pairwise(ends)]

    def bin_of(self, value: float | None) -> int | None:
        """The bin of a number; None where there is none and no bin for that."""
        if value is None or not math.isfinite(value):
            return self.bins - 1 if self.missing else None
        return int(np.searchsorted(self.edges, value, side="right"))


def features(scale: Scale) -> tuple[Feature, ...]:
    """Every figure that is watched, for the units, states and coats of a scale."""
    grades = tuple(round(0.2 * n, 1) for n in range(1, 10))
    halves = (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75)
    tenths = tuple(round(0.1 * n, 1) for n in range(1, 10))
    return (
        Feature(
            "distance",
            "Distance of the embedding from training (1 = too strange to grade)",
            "input",
            (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5),
            missing=True,
        ),
        Feature("face", "Side of the face in pixels", "input", (48, 64, 96, 128, 192, 256, 384)),
        Feature("sharpness", "Sharpness of the face", "input", (10, 30, 100, 300, 1000, 3000)),
        Feature("exposure", "Brightness of the face (0–1)", "input", tenths),
        Feature("view", "View of the face", "input", names=tuple(VIEWS)),
        Feature(COAT, "Coat, as the embedding suggests", "input", names=(*scale.coat_keys, NONE)),
        Feature("score", "Mean image score (0–2)", "output", grades, missing=True),
        Feature("coverage", "Share of frames graded", "output", tenths),
        Feature("state", "What the mouse did", "output", names=tuple(scale.state_keys)),
        *(
            Feature(f"unit:{unit.key}", unit.title, "output", halves, missing=True)
            for unit in scale.units
        ),
    )


class Glance:
    """Collects how the faces of one recording look, in sums and lists of single figures."""

    def __init__(self) -> None:
        self.views: Counter[str] = Counter()
        self.total: Array | None = None
        self.seen = 0
        # Arrays: a film of hours has half a million faces.
        self._figures: dict[str, array[float]] = {
            name: array("d") for name in ("distance", "face", "sharpness", "exposure")
        }

    def see(self, block: Block, distance: Array) -> None:
        """Take note of the faces of a block; `distance` (n,) is that of `Grader.weigh`."""
        self.views.update(face.view for face in block.faces)
        looked = np.array([cause is None for cause in block.refusals], bool)
        if not looked.any():
            return
        faces = [face for face, good in zip(block.faces, looked, strict=True) if good]
        self._figures["distance"].extend(distance[looked].tolist())
        self._figures["face"].extend(
            min(face.box[2] - face.box[0], face.box[3] - face.box[1]) for face in faces
        )
        self._figures["sharpness"].extend(face.sharpness for face in faces)
        self._figures["exposure"].extend(face.exposure for face in faces)
        summed = np.asarray(block.embedding[looked], np.float64).sum(0)
        self.total = summed if self.total is None else self.total + summed
        self.seen += int(looked.sum())

    def to_json(self) -> dict[str, Any]:
        """All that was collected, for `Glance.of`."""
        return {
            "views": dict(self.views),
            "total": None if self.total is None else self.total.tolist(),
            "seen": self.seen,
            "figures": {name: values.tolist() for name, values in self._figures.items()},
        }

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, Any]]) -> Glance:
        """What the parts of a recording showed together, from what `to_json` gave of each."""
        whole = cls()
        for part in parts:
            whole.views.update(part["views"])
            whole.seen += part["seen"]
            for name, values in part["figures"].items():
                whole._figures[name].extend(values)
            if part["total"] is not None:
                total = np.array(part["total"], np.float64)
                whole.total = total if whole.total is None else whole.total + total
        return whole

    @property
    def embedding(self) -> Array | None:
        """The mean embedding (features,) of the faces looked at, None without any."""
        return None if self.total is None else self.total / self.seen

    def median(self, name: str) -> float | None:
        """The median of a figure over the faces looked at, None without any."""
        values = self._figures[name]
        return float(np.median(values)) if values else None

    def counts(
        self, result: Mapping[str, Any], scale: Scale, centres: Mapping[str, Any] | None = None
    ) -> Counts:
        """This recording as one row: per feature a share of 1 over its bins.

        `result` is that of the recording (`Result.to_json`); `centres` the mean embeddings per
        coat, without which no coat is told. A feature that says nothing here has no key.
        """
        given: dict[str, Any] = {name: self.median(name) for name in self._figures}
        given |= {"score": result["score"], "coverage": result["coverage"]}
        given |= {f"unit:{key}": told["mean"] for key, told in result["units"].items()}
        coat = nearest(self.embedding, centres) if centres else None
        shares: dict[str, Mapping[str, float]] = {
            "view": self.views,
            "state": result["states"],
            COAT: {coat or NONE: 1.0} if centres else {},
        }
        counts: Counts = {}
        for feature in features(scale):
            row = [0.0] * feature.bins
            if feature.names:
                told = shares[feature.key]
                whole = sum(told.values())
                if not whole:
                    continue
                for place, name in enumerate(feature.names):
                    row[place] = told.get(name, 0) / whole
            else:
                place_of = feature.bin_of(given[feature.key])
                if place_of is None:
                    continue
                row[place_of] = 1.0
            counts[feature.key] = row
        return counts


def added(one: Mapping[str, list[float]], other: Mapping[str, list[float]]) -> Counts:
    """The sum of two sets of counts over the same bins."""
    result = {key: list(row) for key, row in one.items()}
    for key, row in other.items():
        held = result.get(key)
        same = held is not None and len(held) == len(row)
        result[key] = (
            [a + b for a, b in zip(held, row, strict=True)] if same and held else list(row)
        )
    return result


def centres_of(embeddings: Mapping[str, list[Array]]) -> dict[str, list[float]]:
    """The mean embedding of the recordings of every coat."""
    return {coat: np.mean(rows, axis=0).tolist() for coat, rows in embeddings.items() if rows}


def nearest(embedding: Array | None, centres: Mapping[str, Any] | None) -> str | None:
    """The coat whose centre lies nearest in Euclidean distance, None without an embedding."""
    if embedding is None or not centres:
        return None
    return min(
        sorted(centres),
        key=lambda coat: float(np.linalg.norm(embedding - np.asarray(centres[coat]))),
    )


def share_right(embeddings: Mapping[str, list[Array]]) -> float | None:
    """Share of recordings nearest to the centre of their own coat, each left out of its centre.

    None where fewer than two coats have two recordings.
    """
    large = {coat: rows for coat, rows in embeddings.items() if len(rows) >= 2}
    if len(large) < 2:
        return None
    centres = centres_of(large)
    right = total = 0
    for coat, rows in large.items():
        summed = np.sum(rows, axis=0)
        for row in rows:
            others = {**centres, coat: (summed - row) / (len(rows) - 1)}
            right += nearest(row, others) == coat
            total += 1
    return right / total

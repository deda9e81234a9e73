"""When what the public scorer sees or says has drifted, and when its probe has moved.

Both lead to people, never to a training run: old labels do not cure new cameras. Drift opens a call
for data; a probe that moves alarms the maintainers, who may roll back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from curation.sentences import listing

if TYPE_CHECKING:
    from models.glance import Feature

SHOWN_FROM = 5
"""Under so many recordings in a week its counts are not shown: they could tell of one lab."""
JUDGED_FROM = 20
"""Under so many recordings in a week nothing is said of drift."""
DRIFTED = 0.25
"""Population stability index from which a figure has drifted, where chance is ruled out too; the
customary mark of credit scoring (0.1 to 0.25 is a slight shift)."""
CHANCE = 0.01
"""Chance that any of the figures of a week is said to have drifted where none has (Bonferroni)."""
PROBE_TOLERANCE = 0.02
"""Grades by which a value of the probe may step away from the first answer of the same bundle.
Other processors round otherwise, by some thousandths."""
PROBE_COVERAGE = 0.02
"""The same for the share of frames graded."""
PROBE_LATE_S = 900.0
"""Seconds without a reading after which the probe itself is missing: three are skipped."""


@dataclass(frozen=True)
class Drift:
    """What is said of one figure in one week.

    `index` is the population stability index, `limit` what chance alone exceeds hardly ever, both
    None where the week has too few recordings; `shift` how far the figure moved in its own unit
    (None for kinds of things). `more` names the bin that gained most, where bins have names.
    """

    feature: str
    title: str
    kind: str
    recordings: float
    drifted: bool
    index: float | None
    limit: float | None
    shift: float | None
    more: str
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The same as a dictionary."""
        return asdict(self)


def judge_week(
    features: Sequence[Feature],
    reference: Mapping[str, Sequence[float]],
    week: Mapping[str, Sequence[float]],
) -> list[Drift]:
    """Hold the counts of a week against those of the training snapshot, figure by figure.

    A figure that either side does not have is left out.
    """
    both = [one for one in features if one.key in reference and one.key in week]
    level = 1 - CHANCE / max(len(both), 1)
    return [_judge(one, reference[one.key], week[one.key], level) for one in both]


def _judge(feature: Feature, before: Sequence[float], now: Sequence[float], level: float) -> Drift:
    from models.stats.drift import population_stability, shift, stability_limit

    n = float(sum(now))
    told: dict[str, Any] = {
        "feature": feature.key,
        "title": feature.title,
        "kind": feature.kind,
        "recordings": n,
        "drifted": False,
        "index": None,
        "limit": None,
        "shift": None,
        "more": "",
    }
    if n < JUDGED_FROM or sum(before) < JUDGED_FROM:
        few = "week" if n < JUDGED_FROM else "training snapshot"
        sentence = f"Too few recordings of the {few} to say ({JUDGED_FROM} are needed)."
        return Drift(**told | {"sentence": sentence})
    index = population_stability(before, now)
    limit = max(DRIFTED, stability_limit(sum(before), n, feature.bins, level))
    told |= {"index": index, "limit": limit, "drifted": index > limit}
    if feature.names:
        gains = [b / n - a / sum(before) for a, b in zip(before, now, strict=True)]
        told["more"] = feature.names[gains.index(max(gains))]
    else:
        inner = len(feature.edges) + 1
        moved = shift(before[:inner], now[:inner], feature.places)
        told["shift"] = moved if moved == moved else None
    verb = "has drifted" if told["drifted"] else "is as in training"
    sentence = f"{feature.title}: {verb} (stability index {index:.2f}, limit {limit:.2f})."
    return Drift(**told | {"sentence": sentence})


def call_sentence(drift: Drift, week: str, title: str = "") -> str:
    """Return the reason of the call for data that a drift opens; `title` names `drift.more`."""
    what = drift.title[0].lower() + drift.title[1:]
    more = f" There is more of “{title or drift.more}” now." if drift.more else ""
    return (
        f"In the week of {week} the public scorer met recordings unlike those it learned from: "
        f"{what} has drifted.{more} Graded recordings of this kind are wanted."
    )


@dataclass(frozen=True)
class Probe:
    """What one answer to the probe clip is, held against the first of the same bundle.

    `moved_by` is the largest step in grades, None where a value came or went.
    """

    moved: bool
    moved_by: float | None
    sentence: str


def judge_probe(first: Mapping[str, Any], now: Mapping[str, Any]) -> Probe:
    """Hold an answer (`score`, `score_ungated`, `coverage`, `units`) against the first one."""
    pairs = {name: (first[name], now[name]) for name in ("score", "score_ungated")}
    names = dict.fromkeys([*first["units"], *now["units"]])
    pairs |= {name: (first["units"].get(name), now["units"].get(name)) for name in names}
    changed = [name for name, (old, new) in pairs.items() if (old is None) != (new is None)]
    if changed:
        sentence = f"A value came or went that the first answer did not: {listing(changed)}."
        return Probe(True, None, sentence)
    steps = {
        name: abs(new - old)
        for name, (old, new) in pairs.items()
        if old is not None and new is not None
    }
    moved_by = max(steps.values(), default=0.0)
    coverage = abs(first["coverage"] - now["coverage"])
    if moved_by > PROBE_TOLERANCE:
        worst = max(steps, key=lambda name: steps[name])
        return Probe(
            True,
            moved_by,
            f"The answer moved by {moved_by:.3f} grades ({worst.replace('_', ' ')}); "
            f"{PROBE_TOLERANCE} are tolerated.",
        )
    if coverage > PROBE_COVERAGE:
        return Probe(
            True, moved_by, f"The share of frames graded moved by {100 * coverage:.1f} points."
        )
    return Probe(False, moved_by, f"As at first, within {moved_by:.4f} grades.")

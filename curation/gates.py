"""What a model must reach before people are asked whether it should serve.

One function per gate; the thresholds are fields of a named `Profile`. The gates read reports and
comparisons only: how a challenger was trained, and whether somebody meant it to be bad, they do not
know.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from curation.profiles import PROFILES, Profile
from curation.sentences import count
from models.scale import load_scale

__all__ = [
    "GATES",
    "PROFILES",
    "Evidence",
    "Profile",
    "Verdict",
    "judge",
    "not_assessed",
    "refused_by",
]


@dataclass(frozen=True)
class Evidence:
    """All that the gates may see of a challenger.

    `report` and `champion` are report.json of challenger and champion (None where none serves),
    `comparison` is compare.json, `bundle_info` is bundle.json with the verified `digest` added.
    """

    report: Mapping[str, Any]
    champion: Mapping[str, Any] | None
    comparison: Mapping[str, Any] | None
    bundle_info: Mapping[str, Any]
    production: bool


@dataclass(frozen=True)
class Verdict:
    """What one gate says; `passed` is None where the evidence does not allow to assess it."""

    gate: str
    title: str
    passed: bool | None
    value: float | None
    threshold: float | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as a dictionary of plain values."""
        return asdict(self)


def judge(evidence: Evidence, profile: Profile) -> tuple[Verdict, ...]:
    """Return the verdicts of all gates, in the order in which they are read."""
    return tuple(verdict for gate in GATES for verdict in gate(evidence, profile))


def refused_by(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the names of the gates that refuse; a gate that was not assessed refuses nothing."""
    return tuple(verdict.gate for verdict in verdicts if verdict.passed is False)


def not_assessed(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the names of the gates a maintainer has to tick with a reason of their own."""
    return tuple(verdict.gate for verdict in verdicts if verdict.passed is None)


def integrity(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The bundle was opened, its files match its digest and its scale is ours."""
    info, scale = evidence.bundle_info, load_scale()
    digest = str(info.get("digest") or "")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        sentence = "The bundle could not be opened and checked; train again."
    elif _scale_name(info.get("scale")) not in ("", scale.name):
        sentence = f"The bundle grades by another scale than {scale.title}; it cannot serve here."
    elif set(_part(evidence.report, "units")) != set(scale.unit_keys):
        sentence = "The report does not cover every unit of the scale; evaluate the bundle again."
    else:
        yield Verdict(
            "integrity",
            "Bundle is intact",
            True,
            None,
            None,
            f"All files match the digest {digest[:12]}… and the report covers every unit.",
        )
        return
    yield Verdict("integrity", "Bundle is intact", False, None, None, sentence)


def origin(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Phantoms and lenient profiles pass outside production only; real data come from two labs."""
    title = "Origin of the training data"
    phantom = bool(evidence.bundle_info.get("phantom") or evidence.report.get("phantom"))
    labs = _number(evidence.report.get("n_labs"))
    if not evidence.production:
        sentence = (
            "Trained or judged on rendered phantom mice: good for demonstration only, and refused "
            "in production."
            if phantom
            else "Trained and judged on real mice."
        )
        yield Verdict("origin", title, True, labs, None, sentence)
    elif phantom:
        sentence = "Trained or judged on rendered phantom mice; production serves real grades only."
        yield Verdict("origin", title, False, labs, 2.0, sentence)
    elif not profile.production:
        sentence = f"The profile {profile.name} is for demonstration; judge by another profile."
        yield Verdict("origin", title, False, labs, 2.0, sentence)
    else:
        sentence = f"Judged on real mice of {_say(labs, 0)} labs; at least 2 are needed."
        yield Verdict("origin", title, labs is not None and labs >= 2, labs, 2.0, sentence)


def benchmark_size(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The benchmark is large enough to say anything."""
    frames = _number(evidence.report.get("n_frames"))
    animals = _number(evidence.report.get("n_animals"))
    enough = (frames or 0) >= profile.benchmark_frames
    enough = enough and (animals or 0) >= profile.benchmark_animals
    yield Verdict(
        "benchmark_size",
        "Size of the benchmark",
        enough,
        frames,
        float(profile.benchmark_frames),
        f"Judged on {_say(frames, 0)} frames of {_say(animals, 0)} animals; at least "
        f"{profile.benchmark_frames} frames of {profile.benchmark_animals} animals are needed.",
    )


def unit_kappa(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Every unit agrees with the raters, measured by what people reach on that unit."""
    rows = _part(evidence.report, "units")
    for unit in load_scale().units:
        kappa = _number(_part(rows, unit.key).get("kappa"))
        least = profile.unit_kappa_share * unit.pairwise_kappa
        sentence = (
            f"Kappa of {unit.title.lower()} with the raters is {_say(kappa)}; at least "
            f"{least:.2f} is needed (two people reach {unit.pairwise_kappa:.2f})."
        )
        if kappa is None:
            sentence = f"Kappa of {unit.title.lower()} is not defined: its grades do not vary."
        yield Verdict(
            f"kappa_{unit.key}",
            f"Agreement on {unit.title.lower()}",
            None if kappa is None else kappa >= least,
            kappa,
            least,
            sentence,
        )


def mean_kappa(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The units agree with the raters on average."""
    rows = _part(evidence.report, "units")
    kappas = [_number(_part(rows, key).get("kappa")) for key in load_scale().unit_keys]
    known = [kappa for kappa in kappas if kappa is not None]
    mean = sum(known) / len(known) if known else None
    yield _at_least(
        "mean_kappa",
        "Agreement over all units",
        mean,
        profile.mean_kappa,
        f"The mean kappa of {len(known)} units with the raters is",
    )


def image_rmse(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The error of the image score is clearly smaller than that of always answering the mean."""
    score = _part(evidence.report, "image_score")
    rmse, constant = _number(score.get("rmse")), _number(score.get("constant_rmse"))
    human = _number(score.get("human_rmse"))
    ratio = rmse / constant if rmse is not None and constant else None
    people = f"; one person against the others has {human:.2f}" if human is not None else ""
    yield Verdict(
        "image_rmse",
        "Error of the image score",
        ratio is not None and ratio <= profile.rmse_ratio,
        ratio,
        profile.rmse_ratio,
        f"The image score has an RMSE of {_say(rmse)}, always answering the mean {_say(constant)}"
        f"{people}: a ratio of {_say(ratio)}, at most {profile.rmse_ratio:.2f} is allowed.",
    )


def image_r(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The image score follows the raters' score."""
    score = _part(evidence.report, "image_score")
    yield _at_least(
        "image_r",
        "Correlation of the image score",
        _number(score.get("r")),
        profile.image_r,
        "The image score correlates with the raters' at",
    )


def coverage(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Not too many frames that people could score are left without a score."""
    score = _part(evidence.report, "image_score")
    yield _at_least(
        "coverage",
        "Frames that get a score",
        _number(score.get("coverage")),
        profile.coverage,
        "The share of frames that get an image score is",
    )


def calibration(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Probabilities mean what they say, in the worst unit too."""
    rows = _part(evidence.report, "units")
    errors = {
        unit: error
        for unit in load_scale().units
        if (error := _number(_part(rows, unit.key).get("ece"))) is not None
    }
    worst = max(errors, key=lambda unit: errors[unit], default=None)
    value = errors[worst] if worst else None
    name = worst.title.lower() if worst else "any unit"
    yield Verdict(
        "calibration",
        "Calibration of the probabilities",
        value is not None and value <= profile.calibration,
        value,
        profile.calibration,
        f"The largest calibration error is {_say(value)} ({name}); at most "
        f"{profile.calibration:.2f} is allowed.",
    )


def observation_slope(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Scores of observations do not shrink to the middle, which would shrink drug effects."""
    row = _part(evidence.report, "observation")
    slope, number = _number(row.get("slope")), _number(row.get("n"))
    low, high = profile.slope
    sentence = (
        f"Over {_say(number, 0)} observations the raters' score rises by {_say(slope)} per point "
        f"of the model's; between {low:.2f} and {high:.2f} is allowed."
    )
    if slope is None:
        sentence = "There are too few observations to tell whether scores shrink to the middle."
    yield Verdict(
        "observation_slope",
        "Slope per observation",
        None if slope is None else low <= slope <= high,
        slope,
        high if slope is not None and slope > 1 else low,
        sentence,
    )


def observation_bias(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Scores of observations are neither too high nor too low on the whole."""
    bias = _number(_part(evidence.report, "observation").get("bias"))
    limit = profile.observation_bias
    sentence = f"Scores of observations are off by {_say(bias)} on average; at most {limit:.2f}."
    if bias is None:
        sentence = "There are too few observations to tell whether scores are too high or too low."
    yield Verdict(
        "observation_bias",
        "Bias per observation",
        None if bias is None else abs(bias) <= limit,
        bias,
        limit,
        sentence,
    )


def better_than_constant(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Where no model serves, the incumbent is the constant baseline; it must be beaten surely."""
    if evidence.champion is not None:
        return
    score = _part(evidence.report, "image_score")
    upper = _upper(_part(score, "interval").get("rmse"))
    value = upper if upper is not None else _number(score.get("rmse"))
    constant = _number(score.get("constant_rmse"))
    yield Verdict(
        "better_than_constant",
        "Better than always answering the mean",
        value is not None and constant is not None and value < constant,
        value,
        constant,
        f"No model serves yet: the image RMSE is {_say(value)} at the upper end of its 95 % "
        f"interval and must lie under the {_say(constant)} of always answering the mean.",
    )


def non_inferiority(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """On the same frames the challenger is not worse than the champion, overall."""
    if evidence.champion is None:
        return
    title = "Not worse than the champion"
    comparison = evidence.comparison
    if comparison is None or not _same_benchmark(evidence):
        yield Verdict(
            "non_inferiority",
            title,
            False,
            None,
            profile.margin,
            "Challenger and champion were not measured on the same benchmark; compare them again.",
        )
        return
    yield _not_worse("non_inferiority", title, "overall", comparison, profile.margin)


def group_non_inferiority(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The same in every lab and coat, since a gain for many can hide a loss for some."""
    if evidence.champion is None or evidence.comparison is None:
        return
    titles = {coat.key: coat.title.lower() for coat in load_scale().coats}
    groups = _part(evidence.comparison, "groups")
    for key in sorted(groups):
        row = _part(groups, key)
        lab, _, coat = str(key).rpartition("|")
        place = f"in lab {lab}, coat {titles.get(coat, coat)}"
        gate, title = f"non_inferiority:{key}", f"Not worse {place}"
        animals = _number(row.get("n_animals")) or 0.0
        if animals < profile.group_animals or row.get("assessed") is False:
            yield Verdict(
                gate,
                title,
                None,
                _number(row.get("difference")),
                profile.group_margin,
                f"Not assessed {place}: {count(round(animals), 'animal')} with labels, "
                f"{profile.group_animals} are needed. A maintainer has to decide about this group.",
            )
        else:
            yield _not_worse(gate, title, place, row, profile.group_margin)


GATES: tuple[Callable[[Evidence, Profile], Iterator[Verdict]], ...] = (
    integrity,
    origin,
    benchmark_size,
    mean_kappa,
    unit_kappa,
    image_rmse,
    image_r,
    coverage,
    calibration,
    observation_slope,
    observation_bias,
    better_than_constant,
    non_inferiority,
    group_non_inferiority,
)


def _at_least(gate: str, title: str, value: float | None, threshold: float, words: str) -> Verdict:
    # A missing figure refuses: a report without it is no evidence.
    passed = value is not None and value >= threshold
    sentence = f"{words} {_say(value)}; at least {threshold:.2f} is needed."
    return Verdict(gate, title, passed, value, threshold, sentence)


def _not_worse(gate: str, title: str, place: str, row: Mapping[str, Any], margin: float) -> Verdict:
    upper, difference = _upper(row.get("interval")), _number(row.get("difference"))
    return Verdict(
        gate,
        title,
        upper is not None and upper <= margin,
        upper,
        margin,
        f"The image RMSE {place} is {_say(_number(row.get('rmse_challenger')))} against "
        f"{_say(_number(row.get('rmse_champion')))} of the champion, a difference of "
        f"{_signed(difference)} that may be as large as {_signed(upper)}; up to {margin:+.2f} is "
        "allowed.",
    )


def _same_benchmark(evidence: Evidence) -> bool:
    sides = (evidence.report, evidence.champion or {}, evidence.comparison or {})
    return len({str(side["benchmark_digest"]) for side in sides if "benchmark_digest" in side}) <= 1


def _scale_name(scale: Any) -> str:
    return str(scale.get("name") or "") if isinstance(scale, Mapping) else str(scale or "")


def _part(report: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = report.get(key)
    return part if isinstance(part, Mapping) else {}


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _upper(interval: Any) -> float | None:
    if isinstance(interval, list | tuple) and len(interval) == 2:
        return _number(interval[1])
    return None


def _say(value: float | None, digits: int = 2) -> str:
    return "not known" if value is None else f"{value:.{digits}f}"


def _signed(value: float | None) -> str:
    return "not known" if value is None else f"{value:+.3f}"

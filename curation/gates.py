"""What a model must reach before people are asked whether it should serve.

One function per gate; the thresholds are fields of a named `Profile`. The gates read reports and
comparisons only: how a challenger was trained, and whether somebody meant it to be bad, they do not
know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from curation.champion_gates import (
    better_than_constant,
    coverage_kept,
    group_coverage_kept,
    group_non_inferiority,
    non_inferiority,
    rescored,
    speed_and_size,
)
from curation.evidence import Evidence, Verdict, at_least, at_most, number, part, say
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
    "not_assessed_of",
    "refused_by",
    "unanswered",
]


def judge(evidence: Evidence, profile: Profile) -> tuple[Verdict, ...]:
    """Return the verdicts of all gates, in the order in which they are read."""
    return tuple(verdict for gate in GATES for verdict in gate(evidence, profile))


def refused_by(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the names of the gates that refuse; a gate that was not assessed refuses nothing."""
    return tuple(verdict.gate for verdict in verdicts if verdict.passed is False)


def not_assessed(verdicts: Iterable[Verdict]) -> tuple[str, ...]:
    """Return the names of the gates a maintainer has to tick with a reason of their own."""
    return tuple(v.gate for v in verdicts if v.passed is None and not v.told)


def not_assessed_of(verdicts: Iterable[Mapping[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return the verdicts, as plain values, that a maintainer has to answer before approving."""
    return tuple(row for row in verdicts if row.get("passed") is None and not row.get("told"))


def unanswered(
    verdicts: Iterable[Mapping[str, Any]], ticks: Mapping[str, str]
) -> tuple[Mapping[str, Any], ...]:
    """Return the verdicts that were not assessed and that no tick answers.

    A tick is the reason, by the name of the gate, for which a maintainer lets a model pass where
    nothing could be measured; an empty one answers nothing.
    """
    waiting = not_assessed_of(verdicts)
    return tuple(row for row in waiting if not str(ticks.get(str(row["gate"]), "")).strip())


def integrity(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The bundle was opened, its files match its digest and its scale is ours."""
    info, scale = evidence.bundle_info, load_scale()
    digest = str(info.get("digest") or "")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        sentence = "The bundle could not be opened and checked; train again."
    elif _scale_name(info.get("scale")) not in ("", scale.name):
        sentence = f"The bundle grades by another scale than {scale.title}; it cannot serve here."
    elif set(part(evidence.report, "units")) != set(scale.unit_keys):
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
    labs = number(evidence.report.get("n_labs"))
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
        sentence = f"Judged on real mice of {say(labs, 0)} labs; at least 2 are needed."
        yield Verdict("origin", title, labs is not None and labs >= 2, labs, 2.0, sentence)


def benchmark_size(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The benchmark is large enough to say anything."""
    frames = number(evidence.report.get("n_frames"))
    animals = number(evidence.report.get("n_animals"))
    enough = (frames or 0) >= profile.benchmark_frames
    enough = enough and (animals or 0) >= profile.benchmark_animals
    yield Verdict(
        "benchmark_size",
        "Size of the benchmark",
        enough,
        frames,
        float(profile.benchmark_frames),
        f"Judged on {say(frames, 0)} frames of {say(animals, 0)} animals; at least "
        f"{profile.benchmark_frames} frames of {profile.benchmark_animals} animals are needed.",
    )


def unit_kappa(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Every unit agrees with the raters, measured by what people reach on that unit."""
    rows = part(evidence.report, "units")
    for unit in load_scale().units:
        kappa = number(part(rows, unit.key).get("kappa"))
        least = profile.unit_kappa_share * unit.pairwise_kappa
        sentence = (
            f"Kappa of {unit.title.lower()} with the raters is {say(kappa)}; at least "
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
    rows = part(evidence.report, "units")
    kappas = [number(part(rows, key).get("kappa")) for key in load_scale().unit_keys]
    known = [kappa for kappa in kappas if kappa is not None]
    mean = sum(known) / len(known) if known else None
    yield at_least(
        "mean_kappa",
        "Agreement over all units",
        mean,
        profile.mean_kappa,
        f"The mean kappa of {len(known)} units with the raters is",
    )


def image_rmse(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The error of the image score is clearly smaller than that of always answering the mean."""
    score = part(evidence.report, "image_score")
    rmse, constant = number(score.get("rmse")), number(score.get("constant_rmse"))
    human = number(score.get("human_rmse"))
    ratio = rmse / constant if rmse is not None and constant else None
    people = f"; one person against the others has {human:.2f}" if human is not None else ""
    yield Verdict(
        "image_rmse",
        "Error of the image score",
        ratio is not None and ratio <= profile.rmse_ratio,
        ratio,
        profile.rmse_ratio,
        f"The image score has an RMSE of {say(rmse)}, always answering the mean {say(constant)}"
        f"{people}: a ratio of {say(ratio)}, at most {profile.rmse_ratio:.2f} is allowed.",
    )


def image_r(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The image score follows the raters' score."""
    score = part(evidence.report, "image_score")
    yield at_least(
        "image_r",
        "Correlation of the image score",
        number(score.get("r")),
        profile.image_r,
        "The image score correlates with the raters' at",
    )


def coverage(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Not too many frames that people could score are left without a score."""
    score = part(evidence.report, "image_score")
    yield at_least(
        "coverage",
        "Frames that get a score",
        number(score.get("coverage")),
        profile.coverage,
        "The share of frames that get an image score is",
    )


def calibration(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Probabilities mean what they say, in the worst unit too."""
    rows = part(evidence.report, "units")
    errors = {
        unit: error
        for unit in load_scale().units
        if (error := number(part(rows, unit.key).get("ece"))) is not None
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
        f"The largest calibration error is {say(value)} ({name}); at most "
        f"{profile.calibration:.2f} is allowed.",
    )


def observation_slope(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Scores of observations do not shrink to the middle, which would shrink drug effects."""
    row = part(evidence.report, "observation")
    slope, n = number(row.get("slope")), number(row.get("n"))
    low, high = profile.slope
    sentence = (
        f"Over {say(n, 0)} observations the raters' score rises by {say(slope)} per point "
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
    bias = number(part(evidence.report, "observation").get("bias"))
    limit = profile.observation_bias
    sentence = f"Scores of observations are off by {say(bias)} on average; at most {limit:.2f}."
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


def observation_agreement(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Scores of single observations agree with the raters', which is what users publish."""
    row = part(evidence.report, "observation")
    icc, limits = number(row.get("icc")), row.get("loa")
    n = say(number(row.get("n")), 0)
    least = profile.observation_icc
    sentence = f"Over {n} observations model and raters agree at an ICC of {say(icc)}"
    if icc is None:
        sentence = "There are too few observations to tell how well single scores agree."
    elif least is None:
        sentence += "; this profile asks for nothing."
    else:
        sentence += f"; at least {least:.2f} is needed."
    passed = None if icc is None or least is None else icc >= least
    title = "Agreement per observation"
    yield Verdict("observation_icc", title, passed, icc, least, sentence, told=least is None)
    ends = [number(end) for end in limits] if isinstance(limits, list | tuple) else []
    known = [end for end in ends if end is not None]
    half = (known[1] - known[0]) / 2 if len(known) == 2 else None
    yield at_most(
        "observation_limits",
        "Limits of agreement per observation",
        half,
        profile.observation_limits,
        f"95 % of observations lie within {say(half)} of the mean difference to the raters",
        "There are too few observations to tell how far single scores are off.",
    )


def sleep(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """Neither are sleeping animals graded as if in pain, nor animals in pain taken for asleep."""
    report = evidence.report
    known, states = part(report, "sleep"), part(report, "state_figures")
    for gate, title, key, older, limit, words, whose in (
        (
            "asleep_graded",
            "Sleeping animals that get a high score",
            "asleep_graded_high",
            "asleep_graded_high",
            profile.asleep_graded,
            "of the frames of sleeping animals get a score of 1 or more",
            "sleeping animals",
        ),
        (
            "pain_taken_for_asleep",
            "Animals in pain taken for asleep",
            "pain_taken_for_asleep",
            "painful_awake_taken_for_asleep",
            profile.pain_taken_for_asleep,
            "of the frames that raters grade 1 or more are taken for asleep",
            "animals that raters grade 1 or more",
        ),
    ):
        row = part(known, key)
        if not number(row.get("n")):
            row = part(states, older)
        share = number(row.get("share"))
        animals = round(number(row.get("n_animals")) or 0)
        missing = f"The benchmark holds no {whose}."
        if share is not None and animals < profile.group_animals:
            missing = (
                f"Of {whose} the benchmark holds {count(animals, 'animal')} only; "
                f"{profile.group_animals} are needed."
            )
            if limit is not None:
                share = None
        said = "" if share is None else f"{100 * share:.1f} % {words} ({count(animals, 'animal')})"
        yield at_most(gate, title, share, limit, said, missing)


def faithfulness(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """The picture of what a grade rests on shows what it does rest on, in the worst unit too."""
    units = part(part(evidence.report, "explanation"), "units")
    leads = {
        unit: lead
        for unit in load_scale().units
        if (lead := _lower(part(part(units, unit.key), "above_centre"))) is not None
    }
    worst = min(leads, key=lambda unit: leads[unit], default=None)
    value, least = (leads[worst] if worst else None), profile.faithfulness
    name = worst.title.lower() if worst else "any unit"
    sentence = (
        "Taking away what the explanation marks changes grades more than taking away the middle "
        f"of the face: by {say(value)} at least, in the worst unit ({name})"
    )
    if value is None:
        sentence = "How faithful the explanations are was not measured by this recipe."
    elif least is None:
        sentence += "; this profile asks for nothing."
    else:
        sentence += f"; at least {least:.2f} is needed."
    passed = None if value is None or least is None else value >= least
    title = "Faithfulness of the explanation"
    yield Verdict("faithfulness", title, passed, value, least, sentence, told=least is None)


def left_out_labs(evidence: Evidence, profile: Profile) -> Iterator[Verdict]:
    """What the recipe reaches in labs it has not seen, as measured apart and named."""
    table = evidence.left_out or part(evidence.report, "left_out")
    ratios = {}
    for lab, row in part(table, "labs").items():
        rmse, constant = number(row.get("rmse")), number(row.get("constant_rmse"))
        if rmse is not None and constant:
            ratios[str(lab)] = rmse / constant
    worst = max(ratios, key=lambda lab: ratios[lab], default="")
    recipe = part(evidence.report, "training").get("config") or "not named"
    yield at_most(
        "left_out_labs",
        "The recipe on labs left out of training",
        ratios.get(worst),
        profile.left_out,
        f"With one of {count(len(ratios), 'lab')} left out in turn, the recipe "
        f"{table.get('recipe')} on snapshot {str(table.get('snapshot'))[:12]} has at worst "
        f"{say(ratios.get(worst))} times the error of always answering the mean (lab {worst})",
        f"Not run: the recipe {recipe} was not trained with labs left out in turn.",
    )


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
    observation_agreement,
    sleep,
    faithfulness,
    left_out_labs,
    better_than_constant,
    non_inferiority,
    group_non_inferiority,
    coverage_kept,
    group_coverage_kept,
    rescored,
    speed_and_size,
)


def _scale_name(scale: Any) -> str:
    return str(scale.get("name") or "") if isinstance(scale, Mapping) else str(scale or "")


def _lower(row: Mapping[str, Any]) -> float | None:
    interval = row.get("interval")
    ends = interval if isinstance(interval, list | tuple) else ()
    return number(ends[0]) if len(ends) == 2 else None

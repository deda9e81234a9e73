"""card.md: what a model is for, what it rests on, what it reaches and where it ends."""

from __future__ import annotations

from typing import Any

from models.report.markup import number as _number
from models.report.markup import percent as _percent
from models.scale import Scale


def model_card(
    info: dict[str, Any], report: dict[str, Any], scale: Scale, calibration: dict[str, Any]
) -> str:
    """card.md: what the model is for, what it rests on, what it reaches and where it ends."""
    image, training = report["image_score"], report["training"]
    units = "\n".join(
        f"| {unit.title} | {_number(report['units'][unit.key]['kappa'])} | "
        f"{_number(report['units'][unit.key]['human_kappa'])} | "
        f"{_number(report['units'][unit.key]['rmse'])} | "
        f"{_number(report['units'][unit.key]['constant_rmse'])} |"
        for unit in scale.units
    )
    parts = "\n".join(
        f"| {name} | {_sources(part['trained_on'])} | {_sources(part['judged_on'])} |"
        for name, part in info["parts"].items()
    )
    before = info["parts"]["units"].get("pretrained_on") or []
    begun = (
        f"\nThe frame network began with weights learnt from: {_sources(before)}.\n"
        if before
        else ""
    )
    grown = info.get("backbone")
    if grown:
        begun += (
            f"\nIts backbone began with the weights of {grown['name']} (SHA-256 "
            f"{grown['digest']}){' and was kept as it was' if grown['frozen'] else ''}; their "
            "licence holds for\nthis bundle too.\n"
        )
    control = (
        "\n**Negative control:** the labels of this run were shuffled on purpose.\n"
        if training.get("shuffled_labels")
        else ""
    )
    distance = calibration["out_of_distribution"]
    return f"""# Model card: {scale.title}, recipe {info["config"]}

{report["sentence"]}
{control}
## For what
Grades {len(scale.units)} facial action units of a mouse from 0 in single video frames, and says why
where it does not grade. A research measure: no welfare, veterinary or humane-endpoint decision may
rest on it, and a low score does not mean that there is no pain.

## What each part rests on
| part | trained on | judged on |
| --- | --- | --- |
{parts}
{begun}{_tried(info["parts"])}
Snapshot {info["snapshot_digest"]}; {training.get("n_train")} training frames; seed
{training.get("seed")}.

## What it reaches
Image score on {report["n_frames"]} frames of {report["n_animals"]} animals it never saw: RMSE
{_number(image["rmse"])}, r {_number(image["r"])}, {_number(image["coverage"])} of the frames that
raters graded. The constant answer has RMSE {_number(image["constant_rmse"])}; one rater against the
mean of the others RMSE {_number(image["human_rmse"])}, r {_number(image["human_r"])}.

| unit | κ | κ of one rater | RMSE | RMSE constant |
| --- | --- | --- | --- | --- |
{units}

## Where it ends
No grade without a face, with a face under {info["inputs"]["minimum_face"]} pixels, in profile,
unlike the training faces (distance limit from {distance["n"]} calibration frames), in a state that
is not graded, or with fewer than {scale.minimum_units} scorable units. {_context(training)}
Where sleep and waking are both likely the state is unclear and nothing is graded. Figures on other
labs, cameras, coats or assays than those of the snapshot are unknown.
"""


def _tried(parts: dict[str, Any]) -> str:
    """What the parts that find faces and read eyes reached on real recordings held out of them."""
    lines = [
        f"- {name}, {source['name']}: {reached}"
        for name in ("finder", "eyes")
        for source in parts[name]["judged_on"]
        for reached in [_reached(source.get("figures") or {})]
        if reached
    ]
    if not lines:
        return ""
    told = "\n".join(lines)
    return f"""
The finder and the eye reader were tried on real recordings. What both columns name was split in
time, or file by file, and only the part that nothing was learnt from judges:

{told}

All of them show mice from the side or no face at all: they say that heads are found and refused,
not how well faces seen from the front are graded.
"""


def _reached(figures: dict[str, Any]) -> str:
    """The figures of a part on one recording as a sentence; empty for figures of another kind."""
    if "recalled" in figures:
        return (
            f"the head noticed in {figures['noticed']} of {figures['n']} pictures, its box in "
            f"place in {figures['recalled']}"
        )
    if "graded" in figures:
        return f"{figures['graded']} of {figures['n']} pictures without a gradable face let through"
    if "opening_mae" in figures:
        return (
            f"opening of the eye off by {_number(figures['opening_mae'], 3)} on average on "
            f"{figures['stills']} stills (a constant answer: {_number(figures['constant_mae'], 3)})"
        )
    if "below" in figures:
        return (
            f"shut eye read as shut in {_percent(figures['below'])} of {figures['readings']} "
            f"readings of {figures['frames']} frames"
        )
    return ""


def _context(training: dict[str, Any]) -> str:
    """Whether the seconds round a frame take part: none do where they did not help."""
    if training.get("context_epoch"):
        return "The 5.5 seconds before and after a frame take part in its grades and its state."
    return (
        "The seconds round a frame did not help on the validation animals and take no part: sleep\n"
        "and pain with shut eyes are told from single frames."
    )


def _sources(sources: list[dict[str, Any]]) -> str:
    return (
        ", ".join(
            f"{source['name']}{' (phantom)' if source['phantom'] else ''}" for source in sources
        )
        or "nothing"
    )

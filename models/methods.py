"""Sentences for the methods section of a paper: what was scored, by what, what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.result import DISCLAIMER, MINIMUM_COVERAGE, MINIMUM_FRAMES
from models.scale import Scale

PHANTOM = (
    "The model learned from a rendered mouse (phantom), so that these figures say nothing about "
    "real animals."
)


def methods_sentences(
    result: Mapping[str, Any],
    provenance: Mapping[str, Any],
    scale: Scale,
    *,
    corrected_frames: int = 0,
    corrections_used: bool = False,
) -> list[str]:
    """What a methods section says of a result (as JSON), sentence by sentence.

    `corrected_frames` counts the frames of which a person said something; `corrections_used` tells
    whether the figures rest on that.
    """
    model, digest = provenance.get("model", ""), provenance.get("bundle_digest", "")[:12]
    snapshot = provenance.get("snapshot") or "shipped with the software"
    told = [
        f"Every frame of the recording was graded automatically by aMGS model {model} (bundle "
        f"{digest}, training snapshot {snapshot}) on {provenance.get('scored_at', '')[:10]}, after "
        f"the {scale.title} ({scale.source.partition(';')[0]})."
    ]
    graded, frames = result["graded"], result["frames"]
    told.append(
        f"{graded} of {frames} frames ({_percent(result['coverage'])}) could be graded; frames "
        "in which the animal slept, groomed or moved, or whose face could not be scored, were left "
        f"out{_reasons(result, scale)}."
    )
    if result["score"] is not None:
        told.append(
            f"The score is the mean over graded frames per action unit first, then over units; a "
            f"unit counts from {MINIMUM_FRAMES} frames on, and at least {scale.minimum_units} of "
            f"{len(scale.units)} units are needed."
        )
        if result.get("score_interval"):
            told.append(
                "Intervals are 95 % measurement intervals from a block bootstrap in time (10 s)."
            )
    else:
        told.append(
            f"No score was formed: that takes {MINIMUM_FRAMES} graded frames and "
            f"{_percent(MINIMUM_COVERAGE)} of all frames."
        )
    if corrections_used and corrected_frames:
        told.append(
            f"Grades of {_frames(corrected_frames)} were corrected by hand by somebody who knew "
            "the recording; the figures rest on these in place of the model's."
        )
    elif corrected_frames:
        told.append(
            f"Grades of {_frames(corrected_frames)} were corrected by hand; the figures are the "
            "model's own and leave these corrections out."
        )
    told += list((result.get("independence") or {}).get("sentences", ()))
    if result.get("phantom"):
        told.append(PHANTOM)
    told.append(DISCLAIMER)
    return told


def _reasons(result: Mapping[str, Any], scale: Scale) -> str:
    titles = {reason.key: reason.title.lower() for reason in scale.reasons}
    counts = [
        f"{titles.get(key, key)} {_percent(count / max(result['frames'], 1))}"
        for key, count in result["not_scorable"].items()
        if count
    ]
    return f" ({', '.join(counts)} of all frames)" if counts else ""


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"

"""What a bundle's graphs need beside them to run on another device: constants as plain JSON.

The page that scores in the browser mirrors `models.faces`, `models.animals`, `models.eyes`,
`models.looker`, `models.context`, `models.grader`, `models.result` and `models.shown`; every number
these have is handed over here, so that it is written down once.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, get_args

from models import animals, context, eyes, faces, gallery, grader, looker, result, shown
from models.bundle import GRAPHS, Bundle
from models.grader import Grader
from models.scale import Cause


def device_facts(bundle: Bundle) -> dict[str, Any]:
    """Constants, scale, crop and calibration of a bundle, as `json.dumps` takes them.

    The prediction sets are those for a lab nobody knows; infinity is None.
    """
    rules = Grader.of(bundle)
    return {
        "digest": bundle.digest,
        "phantom": bundle.phantom,
        "graphs": list(GRAPHS),
        "finder": {
            "long_side": bundle.config.finder.long_side,
            "landmarks": list(bundle.scale.landmarks),
            "views": list(faces.VIEWS),
            "stride": faces.STRIDE,
            "pad": faces.PAD,
            "profile": faces.PROFILE,
            "sure": faces.SURE,
            "inner": faces.INNER,
            "around": faces.AROUND,
            "faint": faces.FAINT,
            "same_face": faces.SAME_FACE,
        },
        "animals": {
            "sure": animals.SURE,
            "most_faces": animals.MOST_FACES,
            "dense": animals.DENSE,
            "dense_s": animals.DENSE_S,
            "step_s": animals.STEP_S,
            "fewest_looks": animals.FEWEST_LOOKS,
            "share": animals.SHARE,
            "early": animals.EARLY,
            "early_share": animals.EARLY_SHARE,
            "side": animals.SIDE,
            "reach": animals.REACH,
            "weak": animals.WEAK,
            "mirrored": animals.MIRRORED,
        },
        "eyes": {
            "size": bundle.config.eyes.size,
            "eyes": list(eyes.EYES),
            "nose": eyes.NOSE,
            "side": eyes.SIDE,
            "widths": eyes.WIDTHS,
            "centred": eyes.CENTRED,
            "close": eyes.CLOSE,
            "looks": eyes.LOOKS,
        },
        "crop": asdict(bundle.crop),
        "grid": {
            "grid_s": looker.GRID_S,
            "cells": looker.CELLS,
            "same_face": looker.SAME_FACE,
            "most_between": looker.MOST_BETWEEN,
            "kept_s": looker.KEPT_S,
            "said": list(looker.SAID),
        },
        "context": {
            "tick_s": context.TICK_S,
            "reach": context.REACH,
            "chunk": context.CHUNK,
            "lag_s": context.LAG_S,
            "longest_lag_s": context.LONGEST_LAG_S,
            "small": context.SMALL,
            "motion": list(context.MOTION),
        },
        "grader": {
            "scorable": grader.SCORABLE,
            "unsure": grader.UNSURE,
            "told": rules.told.tolist(),
            "unknown": rules.unknown.key,
            "awake": rules.awake,
            "asleep": rules.asleep,
            "thresholds": rules.thresholds,
        },
        "scale": {
            "minimum_units": bundle.scale.minimum_units,
            "units": [
                {
                    "key": unit.key,
                    "title": unit.title,
                    "short": unit.short,
                    "top_grade": unit.top_grade,
                }
                for unit in bundle.scale.units
            ],
            "states": [
                {
                    "key": state.key,
                    "title": state.title,
                    "graded": state.graded,
                    "reason": state.reason,
                }
                for state in bundle.scale.states
            ],
            "reasons": {reason.key: reason.title for reason in bundle.scale.reasons},
            "because": {cause: bundle.scale.reason_because(cause).key for cause in get_args(Cause)},
        },
        "calibration": _calibration(rules),
        "result": {
            "minimum_frames": result.MINIMUM_FRAMES,
            "minimum_coverage": result.MINIMUM_COVERAGE,
            "scorable": result.SCORABLE,
            "bin_widths_s": list(result.BIN_WIDTHS_S),
            "most_bins": result.MOST_BINS,
            "several": result.SEVERAL,
            "unclear": {
                "state": bundle.scale.unknown_state.key,
                "reason": bundle.scale.unknown_state.reason,
                "sentence": result.UNCLEAR,
            },
            "disclaimer": result.DISCLAIMER,
        },
        "shown": {
            "best": shown.BEST,
            "best_apart_s": shown.BEST_APART_S,
            "shown_s": shown.SHOWN_S,
            "long_side": gallery.LONG_SIDE,
        },
    }


def _calibration(rules: Grader) -> dict[str, Any]:
    applied = rules.calibrated
    return {
        "units": [
            {
                "temperature": facts["temperature"],
                "shift": facts.get("shift", [0.0] * unit.top_grade),
                "cuts": cuts.tolist(),
                "scorable_temperature": facts["scorable_temperature"],
            }
            for unit, facts, cuts in zip(
                rules.scale.units, applied.units, applied.cuts, strict=True
            )
        ],
        "mean": applied.mean.tolist(),
        "root": applied.root.tolist(),
        "limit": None if applied.limit == float("inf") else applied.limit,
        "least_familiar": applied.least_familiar,
        "least_awake": applied.least_awake,
    }

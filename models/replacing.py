"""What would change for users if one bundle took the place of another: scores, speed, size."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.bundle import Bundle
from models.events import Emit, silent
from models.figures import without_nan
from models.media import Unreadable
from models.records import Prediction
from models.scale import Scale
from models.scorer import Scorer
from models.stats.ordinal import expected_grade

SPAN = (0.0, 3.0)
"""Seconds of each recording that are scored."""
TURNS = 5
"""How often each of the two looks at the same pictures, in turn, to compare their speed."""


def replace_bundle(
    challenger: Bundle, champion: Bundle, recordings: Sequence[Path], emit: Emit = silent
) -> dict[str, Any]:
    """The content of replace.json: `cost`, and `rescored` recordings with both bundles.

    A recording that cannot be read, or that neither bundle gives a score, is counted in `without`.
    """
    new, old = Scorer(challenger), Scorer(champion)
    rows: list[dict[str, Any]] = []
    changed = compared = 0
    for number, path in enumerate(recordings):
        emit({"event": "progress", "stage": "replacing", "fraction": number / len(recordings)})
        try:
            before, after = (list(scorer.score(path, span=SPAN)) for scorer in (old, new))
        except Unreadable:
            continue
        ours, theirs = _scores(after, challenger.scale), _scores(before, champion.scale)
        one, two = _changes(before, after)
        changed, compared = changed + one, compared + two
        if ours is not None and theirs is not None:
            rows.append({"recording": path.name, "before": theirs, "after": ours})
    gaps = np.array([row["after"] - row["before"] for row in rows])
    result = {
        "rescored": {
            "n": len(rows),
            "without": len(recordings) - len(rows),
            "seconds_each": SPAN[1],
            "mean_change": float(np.abs(gaps).mean()) if rows else None,
            "largest_change": float(np.abs(gaps).max()) if rows else None,
            "shift": float(gaps.mean()) if rows else None,
            "grades_changed": changed / compared if compared else None,
            "unit_frames": compared,
            "recordings": rows,
        },
        "cost": cost(new, old),
    }
    plain: dict[str, Any] = without_nan(result)
    return plain


def cost(challenger: Scorer, champion: Scorer) -> dict[str, Any]:
    """Bytes of the bundles, and how long one crop takes each, the two in turn on this machine.

    `slower` is the median over turns of the ratio of the times, which a busy machine disturbs less
    than the times themselves.
    """
    times = [[_crops_ms(scorer) for scorer in (challenger, champion)] for _ in range(TURNS)]
    sizes = [_bytes(scorer.bundle.path) for scorer in (challenger, champion)]
    return {
        "challenger_bytes": sizes[0],
        "champion_bytes": sizes[1],
        "larger": sizes[0] / sizes[1],
        "challenger_ms": float(np.median([pair[0] for pair in times])),
        "champion_ms": float(np.median([pair[1] for pair in times])),
        "slower": float(np.median([pair[0] / pair[1] for pair in times])),
    }


def _crops_ms(scorer: Scorer, crops: int = 8) -> float:
    """Milliseconds that a look for a face and the grading of its crop take, per picture."""
    size, looker = scorer.bundle.crop.size, scorer.looker
    luma = np.random.default_rng(0).integers(0, 255, (240, 320)).astype(np.uint8)
    given = np.full((crops, 1, size, size), 0.5, np.float32)
    started = time.perf_counter()
    looker.finder.find([luma] * crops)
    looker.frame.run(None, {"crops": given})
    return (time.perf_counter() - started) * 1000 / crops


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir() if path.is_file())


def _scores(predictions: Sequence[Prediction], scale: Scale) -> float | None:
    """The score of a recording: the mean per unit first, then over units; None with too few."""
    graded: dict[str, list[float]] = {}
    for prediction in predictions:
        if prediction.image_score is None:
            continue
        for grade in prediction.grades:
            if grade.grade is not None:
                graded.setdefault(grade.unit, []).append(float(expected_grade(grade.probabilities)))
    if len(graded) < scale.minimum_units:
        return None
    return float(np.mean([np.mean(values) for values in graded.values()]))


def _changes(before: Sequence[Prediction], after: Sequence[Prediction]) -> tuple[int, int]:
    """How many whole grades differ, of how many that both bundles gave."""
    told = {
        (prediction.index, grade.unit): grade.grade
        for prediction in before
        if prediction.image_score is not None
        for grade in prediction.grades
        if grade.grade is not None
    }
    changed = compared = 0
    for prediction in after:
        if prediction.image_score is None:
            continue
        for grade in prediction.grades:
            other = told.get((prediction.index, grade.unit))
            if grade.grade is not None and other is not None:
                compared += 1
                changed += grade.grade != other
    return changed, compared

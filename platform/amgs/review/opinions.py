"""What the serving model and its challenger say of frames that nobody was asked about yet.

It decides what raters are asked next and nothing else: it is shown to nobody who rates, and no
agreement, consensus or benchmark rests on it. A frame is graded from its still, without context.
"""

from __future__ import annotations

import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.db.models import Q

from amgs.files.storage import Missing, get_storage
from amgs.registry import queries as registry
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.repository.models import Frame
from amgs.review.models import Opinion

AT_ONCE = 50
"""So many frames are graded between two writes."""


def asked_models() -> list[ModelVersion]:
    """Return the version that serves and the one that waits to, as far as there are any."""
    return [row for row in (registry.serving(), registry.challenger()) if row is not None]


def forget_others(models: Sequence[ModelVersion]) -> int:
    """Delete what other versions said, and all that was said of stills that are gone.

    Returns how many were deleted.
    """
    digests = [model.digest for model in models]
    gone = Opinion.objects.filter(~Q(bundle__in=digests) | Q(frame__still_key=""))
    return int(gone.delete()[0])


def ask(
    model: ModelVersion,
    frames: Sequence[Frame],
    groups: Mapping[int, str],
    go_on: Callable[[float], bool],
) -> int:
    """Have a version grade the frames it was not asked about; return how many it was.

    ``groups`` says by frame (primary key) whose prediction sets are meant (``models.sets``);
    ``go_on`` is told the share that is done and says whether there is time for more.
    Raises ``BundleError``. A frame whose still cannot be read has no grades.
    """
    from models.bundle import load_bundle
    from models.scorer import Scorer

    said = Opinion.objects.filter(bundle=model.digest, frame__in=frames)
    known = set(said.values_list("frame", flat=True))
    left = [frame for frame in frames if frame.pk not in known]
    if not left:
        return 0
    scorer = Scorer(load_bundle(bundle_folder(model)), threads=1)
    done = 0
    while done < len(left) and go_on(done / len(left)):
        some = left[done : done + AT_ONCE]
        rows = [_opinion(scorer, model, frame, groups.get(frame.pk)) for frame in some]
        Opinion.objects.bulk_create(rows, ignore_conflicts=True)
        done += len(some)
    return done


def _opinion(scorer: Any, model: ModelVersion, frame: Frame, group: str | None) -> Opinion:
    from models.media import Unreadable

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "still.jpg"
        try:
            with get_storage().open(frame.still_key) as stream:
                path.write_bytes(stream.read())
            [prediction] = scorer.score(path, group=group, blob=frame.public_id)
        except (Missing, Unreadable):
            return Opinion(frame=frame, bundle=model.digest)
    graded = [grade for grade in prediction.grades if grade.grade is not None]
    return Opinion(
        frame=frame,
        bundle=model.digest,
        means={
            grade.unit: round(sum(k * p for k, p in enumerate(grade.probabilities)), 4)
            for grade in graded
        },
        open_grades=_mean([len(grade.possible) for grade in graded if grade.possible]) or 1.0,
        rare=max((grade.probabilities[-1] for grade in graded), default=0.0),
    )


def facts_of(frames: Iterable[int]) -> dict[int, dict[str, float]]:
    """Return what models say of frames (primary keys), as ``curation.sampling.Candidate`` names it.

    ``models`` is the largest difference of a unit's mean grades, where both graded it;
    ``set_size`` and ``rare`` are those of the version that serves (of its challenger where none
    does). Frames that no model was asked
    about are left out.
    """
    by_bundle: dict[str, dict[int, Opinion]] = defaultdict(dict)
    asked = asked_models()
    rows = Opinion.objects.filter(
        frame__in=list(frames), bundle__in=[model.digest for model in asked]
    )
    for row in rows:
        by_bundle[row.bundle][row.frame_id] = row
    if not asked:
        return {}
    first, *others = (by_bundle[model.digest] for model in asked)
    found = {}
    for frame, row in first.items():
        facts = {"set_size": row.open_grades, "rare": row.rare}
        differences = [
            difference(row.means, other[frame].means) for other in others if frame in other
        ]
        found[frame] = facts | {"models": max(differences, default=0.0)}
    return found


def difference(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the largest difference of mean grades over the units that both have graded."""
    return max((abs(one[unit] - other[unit]) for unit in one.keys() & other.keys()), default=0.0)


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else 0.0

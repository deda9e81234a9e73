"""The votes of an audit as a table, and its figures as they are at this moment."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.core.cache import cache

from amgs.repository.models import Rating
from amgs.review.models import Audit
from amgs.review.services.audits import ratings_of
from amgs.review.services.blindness import counts_as_blind
from curation.asking import UNITS

Lines = list[tuple[bool, dict[str, Any]]]
KEPT_S = 3600


def agreement_lines(audit: Audit) -> tuple[Lines, int]:
    """Return every vote on an audit's frames with whether it counts, and how many are its own."""
    ratings = list(
        Rating.objects.visible()
        .filter(frame__tasks__audit=audit, frame__tasks__kind=UNITS, frame__tasks__finished__gt=0)
        .select_related("label_import", "frame__recording__observation__animal")
        .order_by("pk")
    )
    names = _Names()
    lines: Lines = []
    for rating in ratings:
        observation = rating.frame.recording.observation
        lines.append(
            (
                counts_as_blind(rating, audit.version.metadata),
                {
                    "frame": rating.frame.public_id,
                    "unit": rating.unit,
                    "rater": names.of(rating),
                    "grade": math.nan if rating.grade is None else float(rating.grade),
                    "animal": observation.animal.public_id
                    if observation
                    else rating.frame.recording.public_id,
                },
            )
        )
    return lines, sum(rating.source == Rating.Source.AUDIT for rating in ratings)


def agreement_now(audit: Audit) -> dict[str, Any]:
    """Return the agreement of all votes that are in, without waiting for anybody.

    The stored report where it counts them all, intervals with it; else the figures alone, which
    ``curation.agreement`` computes here and now. ``intervals_follow`` says which.
    """
    count = ratings_of(audit).count()
    if audit.agreement and audit.agreement_ratings == count:
        return {**audit.agreement, "intervals_follow": False}
    if not count:
        return {"intervals_follow": False}
    newest = ratings_of(audit).order_by("-pk").values_list("pk", flat=True).first()
    key = f"agreement:{audit.public_id}:{count}:{newest}"
    found: dict[str, Any] | None = cache.get(key)
    if found is None:
        import pandas as pd

        from curation.agreement import COLUMNS, report

        lines, _ = agreement_lines(audit)
        counted = pd.DataFrame([line for blind, line in lines if blind], columns=list(COLUMNS))
        found = plain(report(counted, draws=0))
        cache.set(key, found, KEPT_S)
    return {**found, "intervals_follow": True}


class _Names:
    """Neutral names of raters: by order of appearance, never a person's or a sheet's own."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, int | None, str], str] = {}
        self._counts: dict[str, int] = defaultdict(int)

    def of(self, rating: Rating) -> str:
        """Return the name of the rater of a rating."""
        key = (rating.source, rating.label_import_id, rating.rater_name)
        if key not in self._known:
            word = "rater" if rating.source == Rating.Source.AUDIT else "sheet rater"
            self._counts[word] += 1
            self._known[key] = f"{word} {self._counts[word]}"
        return self._known[key]


def plain(value: Any) -> Any:
    """Return a report without NaN, which JSON of databases does not know."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

"""Ratings as votes, under neutral names that stay the same everywhere."""

from __future__ import annotations

from amgs.repository.models import Rating
from models.records import Vote


def vote_of(rating: Rating) -> Vote:
    """Return a rating as a vote."""
    if rating.source == Rating.Source.AUDIT or rating.label_import is None:
        name = f"rater:{rating.rater_name}"
    else:
        sheet = rating.label_import
        number = sheet.raters.index(rating.rater_name) if rating.rater_name in sheet.raters else 0
        name = f"sheet:{sheet.public_id}:{number + 1}"
    return Vote(
        rater=name,
        unit=rating.unit,
        grade=rating.grade,
        reason=rating.reason or None,
        weight=1.0,
        source=rating.source,
    )

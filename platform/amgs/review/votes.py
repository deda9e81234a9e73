"""Ratings as votes: those that count, under neutral names, and what a curator decided instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from amgs.repository.models import LabelImport, Rating, Version
from amgs.repository.services.labels import declares
from amgs.review.models import Adjudication
from curation.adjudication import SOURCE
from models.records import Vote

PERSON = "rater:"
"""Before the neutral name of somebody who rates here; other names belong to sheets."""
Votes = dict[int, list[Vote]]
"""Votes by frame (primary key)."""


def vote_of(rating: Rating) -> Vote:
    """Return a rating as a vote under a neutral name that stays the same everywhere."""
    if rating.source == Rating.Source.AUDIT or rating.label_import is None:
        name = f"{PERSON}{rating.rater_name}"
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


def blind_sheets(version: Version) -> list[int]:
    """Return the sheets (primary keys) of a version whose raters were blind, as they say."""
    return [
        row.pk
        for row in LabelImport.objects.filter(versions=version)
        if declares(row, version.metadata, "raters_blind") == "yes"
    ]


def votes_of(frames: Iterable[int], version: Version) -> Votes:
    """Return the votes that count, by frame (primary key); two queries.

    Grades given here count, and those of sheets declared blind.
    """
    blind = set(blind_sheets(version))
    found: Votes = defaultdict(list)
    for rating in (
        Rating.objects.of_version(version)
        .filter(frame__in=list(frames))
        .select_related("label_import")
        .order_by("pk")
    ):
        if rating.source == Rating.Source.AUDIT or rating.label_import_id in blind:
            found[rating.frame_id].append(vote_of(rating))
    return found


def adjudicated(votes: Votes) -> Votes:
    """Return the votes with one vote in place of all where a curator decided; one query."""
    kept = dict(votes)
    for row in Adjudication.objects.filter(frame__in=list(votes)).order_by("pk"):
        others = [vote for vote in kept[row.frame_id] if vote.unit != row.unit]
        decided = Vote(
            rater=SOURCE,
            unit=row.unit,
            grade=row.grade,
            reason=row.reason or None,
            weight=1.0,
            source=SOURCE,
        )
        kept[row.frame_id] = [*others, decided]
    return kept

"""From votes to the consensus that training reads, by a model of the raters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from django.utils import timezone

from amgs.repository.models import Rating, Version
from amgs.review.models import Consensus
from amgs.review.votes import PERSON, Votes, adjudicated, vote_of, votes_of
from models.records import to_json
from models.scale import load_scale

if TYPE_CHECKING:
    from curation.rater_model import RaterModel

MOST_FITTED = 4000
"""Frames that the model of the raters is fitted to; of a larger version evenly many are taken."""
MOST_ELSEWHERE = 2000
"""Published frames of other datasets that tell more of the same raters."""


def model_for(version: Version, frames: Sequence[int]) -> RaterModel:
    """Fit the model of the raters to frames (primary keys) of a version.

    What the same people said of published frames of other datasets is added: a bias or a noise
    shows in many frames only. Decisions of curators are no votes.
    """
    step = max(1, math.ceil(len(frames) / MOST_FITTED))
    votes = votes_of(frames[::step], version)
    return fitted(votes | _elsewhere(votes, frames))


def fitted(votes: Votes) -> RaterModel:
    """Fit the model of the raters to votes by frame (primary key)."""
    from curation.rater_model import fit_rater_model

    return fit_rater_model({str(frame): votes[frame] for frame in sorted(votes)}, load_scale())


def _elsewhere(votes: Votes, own: Sequence[int]) -> Votes:
    """Return the votes on published frames outside a version that its raters rated too."""
    names = {
        vote.rater.removeprefix(PERSON)
        for some in votes.values()
        for vote in some
        if vote.rater.startswith(PERSON)
    }
    given = Rating.objects.visible().filter(
        source=Rating.Source.AUDIT,
        frame__recording__versions__in=Version.objects.published(),
    )
    newest = given.filter(rater_name__in=names).order_by("-frame").values_list("frame", flat=True)
    frames = set(newest.distinct()[:MOST_ELSEWHERE]) - set(own)
    found: Votes = {}
    for rating in given.filter(frame__in=frames).order_by("pk").distinct():
        found.setdefault(rating.frame_id, []).append(vote_of(rating))
    return found


def rows(model: RaterModel, votes: Votes) -> list[Consensus]:
    """Return the consensus rows of frames, not yet written; what curators decided goes first."""
    from curation.rater_model import combine

    now = timezone.now()
    decided = {str(frame): some for frame, some in adjudicated(votes).items()}
    return [
        Consensus(
            frame_id=int(frame),
            unit=unit,
            probabilities=[_plain(share) for share in said.p],
            scorable=said.scorable,
            error=_plain(said.error),
            votes=[to_json(vote) for vote in decided[frame] if vote.unit == unit],
            updated_at=now,
        )
        for frame, units in combine(model, decided).items()
        for unit, said in units.items()
    ]


def keep(found: Sequence[Consensus]) -> list[Consensus]:
    """Write consensus rows over those of the same frames and units."""
    return Consensus.objects.bulk_create(
        found,
        update_conflicts=True,
        unique_fields=["frame", "unit"],
        update_fields=["probabilities", "scorable", "error", "votes", "updated_at"],
    )


def _plain(value: float) -> float | None:
    """Return a number; ``None`` for what is not known (databases' JSON has no NaN)."""
    return None if math.isnan(value) else value

"""Corrections by hand: a second column beside the model's grades, undone as easily as made.

They are rows of this app alone. Consensus, training, calibration and benchmark are made below it,
where they cannot be read. If the video is contributed, its corrected frames are to be rated blind
first: each row carries the marker ``blind_first``, which ``contributing`` reads. Of a correction
it takes the frame and nothing else.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from amgs.core import policy
from amgs.core.base import PUBLIC, Actor
from amgs.core.errors import NotFound, Refused
from amgs.core.ids import new_id
from amgs.files.storage import get_storage
from amgs.scoring.models import Correction, ToolRun

if TYPE_CHECKING:
    from models.corrections import ByHand

CORRECT = "scoring.correct_score"
NOT_SCORABLE = "ns:"
"""Before the key of a reason in what a form sends of a unit; else it is a grade."""
MOST = 20_000
UNNAMED = "somebody with the browser that asked for the score"


def correct(
    *, by: Actor, run: ToolRun, place: int, said: Mapping[str, str], asked_here: bool = False
) -> str:
    """Keep what a person says of the units of one frame; return the act, by which it is undone.

    ``place`` is the row of the frame in the files of the score; ``said`` maps units to a grade or
    to ``ns:REASON``, and those that agree with the model are kept, too. ``asked_here`` says that
    the score was asked for by this browser. Raises ``Refused`` with the field, ``NotAllowed`` and
    ``NotFound``.
    """
    require(by, run, asked_here)
    if not said:
        raise Refused("Choose a grade for at least one unit.", field="unit")
    if Correction.objects.filter(run=run).count() + len(said) > MOST:
        raise Refused(f"At most {MOST} corrections are kept of one score.")
    frame = frame_at(run, place)
    act = new_id()
    by_model = {grade.unit: grade.grade for grade in frame.grades}
    rows = []
    for unit, text in said.items():
        grade, reason = _said(unit, text)
        rows.append(
            Correction(
                run=run,
                pts=frame.key.pts,
                place=place,
                time_s=frame.time_s,
                unit=unit,
                grade=grade,
                reason=reason,
                model_grade=by_model.get(unit),
                user=by if getattr(by, "pk", None) else None,
                by_name=UNNAMED if by is PUBLIC else by.name,
                act=act,
            )
        )
    from amgs.scoring.contributing import frames_wait_in

    with transaction.atomic():
        Correction.objects.bulk_create(rows)
        frames_wait_in(run)
    return act


@transaction.atomic
def undo(*, by: Actor, run: ToolRun, act: str, asked_here: bool = False) -> int:
    """Take back what was said with one press; what was said before it counts again."""
    require(by, run, asked_here)
    rows = Correction.objects.filter(run=run, act=act, undone_at=None)
    count = rows.update(undone_at=timezone.now())
    if not count:
        raise NotFound("This correction is not there any more; it may have been undone already.")
    return count


def may_correct(actor: Actor, run: ToolRun, asked_here: bool = False) -> policy.Answer:
    """Return whether a person may correct this score."""
    return policy.may(actor, CORRECT, (run, asked_here))


def require(actor: Actor, run: ToolRun, asked_here: bool) -> None:
    """Raise ``NotAllowed`` unless a person may correct this score."""
    policy.require(actor, CORRECT, (run, asked_here))


def counted(run: ToolRun) -> dict[int, dict[str, ByHand]]:
    """Return what counts now: timestamp → unit → what was said last and not undone."""
    from models.corrections import ByHand

    found: dict[int, dict[str, ByHand]] = {}
    rows = Correction.objects.filter(run=run, undone_at=None).order_by("pk")
    for pts, unit, grade, reason in rows.values_list("pts", "unit", "grade", "reason"):
        found.setdefault(pts, {})[unit] = ByHand(grade, reason or None)
    return found


def acts(run: ToolRun) -> list[dict[str, Any]]:
    """Return what was corrected with each press of the button, newest first."""
    found: dict[str, dict[str, Any]] = {}
    rows = Correction.objects.filter(run=run, undone_at=None).order_by("-pk")
    for row in rows:
        one = found.setdefault(
            row.act,
            {
                "act": row.act,
                "place": row.place,
                "pts": row.pts,
                "time_s": row.time_s,
                "by": row.by_name,
                "at": row.created_at,
                "units": {},
            },
        )
        one["units"][row.unit] = {
            "grade": row.grade,
            "reason": row.reason or None,
            "model": row.model_grade,
        }
    return list(found.values())


def digest(run: ToolRun) -> str:
    """Return a digest of what counts now, empty where nothing was corrected."""
    found = counted(run)
    if not found:
        return ""
    told = sorted(
        (pts, unit, said.grade if said.grade is not None else -1, said.reason or "")
        for pts, units in found.items()
        for unit, said in units.items()
    )
    return hashlib.sha256(repr(told).encode()).hexdigest()


def frame_at(run: ToolRun, place: int) -> Any:
    """Return the prediction in one row of a score's files; raises ``NotFound``."""
    from models.exports import prediction_at

    key = run.outputs.get("predictions.parquet")
    if key is None:
        raise NotFound("This score has no frames that could be corrected.")
    with tempfile.TemporaryDirectory() as name:
        path = get_storage().download(key, Path(name) / "predictions.parquet")
        found = prediction_at(path, place)
    if found is None:
        raise NotFound(f"This score has no frame in row {place}.")
    return found


def waiting_for_blind_rating(run: ToolRun) -> list[int]:
    """Return the timestamps of frames that go to the blind queue first if the video is given.

    Those of other scores of the same bytes by the same person count as well.
    """
    of_run = Q(run=run)
    if run.user_id is not None and run.blob_id is not None:
        of_run |= Q(run__user=run.user_id, run__blob=run.blob_id)
    rows = Correction.objects.filter(of_run, undone_at=None, blind_first=True)
    return sorted(set(rows.values_list("pts", flat=True)))


def _said(unit: str, text: str) -> tuple[int | None, str]:
    from models.scale import ScaleError, load_scale

    scale = load_scale()
    try:
        known = scale.unit(unit)
        if text.startswith(NOT_SCORABLE):
            return None, scale.reason(text.removeprefix(NOT_SCORABLE)).key
    except ScaleError as problem:
        raise Refused(str(problem), field=unit) from problem
    if text not in {str(grade) for grade in range(known.top_grade + 1)}:
        raise Refused(
            f"{known.title} takes a grade from 0 to {known.top_grade}, or a reason why it cannot "
            f"be scored; “{text[:20]}” is neither.",
            field=unit,
        )
    return int(text), ""

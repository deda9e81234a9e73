"""Scores in every state that a page shows, without a worker."""

from __future__ import annotations

from datetime import timedelta
from typing import Any


def running_score(version: Any) -> str:
    """Make a score of which half is graded; return its token."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import Segment, ToolRun
    from models.growing import Growing
    from models.records import FrameKey, Grade, Prediction
    from models.scale import load_scale

    scale = load_scale()
    now = timezone.now()
    job = Job.objects.create(
        kind="scoring.score_video",
        queue="score",
        state="running",
        attempt=1,
        due_at=now,
        lease_until=now + timedelta(hours=1),
        progress=0.5,
        note="720 frames graded",
    )
    run = ToolRun.objects.create(name="cage 4, day 2.mp4", job=job)
    growing = Growing(scale, 1.0)
    for number in range(720):
        level = 0.3 + 0.4 * ((number // 60) % 3) / 2
        graded = number % 90 < 70
        growing.see(
            Prediction(
                key=FrameKey("a" * 64, 0, number, (1, 24)),
                index=number,
                time_s=number / 24,
                state=scale.graded_state.key,
                face=None,
                grades=tuple(
                    Grade(key, 1, None, (1 - level, level / 2, level / 2), 0.9)
                    for key in scale.unit_keys
                )
                if graded
                else (),
                image_score=1.5 * level if graded else None,
                reason=None if graded else scale.reason_because("absence").key,
            )
        )
    part = Segment.objects.create(
        run=run,
        number=0,
        length_s=60.0,
        model_version=version,
        job=job,
        attempt=1,
        progress=0.5,
        course=growing.to_json(),
    )
    Segment.objects.filter(pk=part.pk).update(created_at=now - timedelta(seconds=20))
    return str(run.token)


def score_list(tokens: list[str]) -> str:
    """Put scores into a list with one that runs and one that is gone; return its token."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import Batch, ToolRun

    batch = Batch.objects.create()
    ToolRun.objects.filter(token__in=tokens).update(batch=batch)
    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="failed", due_at=timezone.now()
    )
    Job.objects.filter(pk=job.pk).update(error="The file of this score is not there any more.")
    ToolRun.objects.create(name="cage 9.mp4", batch=batch, job=job)
    ToolRun.objects.create(name="", batch=batch, deleted_at=timezone.now())
    return str(batch.token)


def deleted_score() -> str:
    """Make a score that was deleted; return its token."""
    from django.utils import timezone

    from amgs.scoring.models import ToolRun

    return str(ToolRun.objects.create(name="", deleted_at=timezone.now()).token)

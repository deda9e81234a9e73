"""The probe: the version that serves scores a known clip every five minutes.

The first answer of a bundle to the clip is the reference, so that only what must not move can move:
the machine, the libraries, the files. A step beyond tolerance, or no answer, alarms the maintainers
once per change; rolling back is theirs to decide.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog
from django.db import transaction
from django.utils import timezone

from amgs.accounts import notices
from amgs.accounts.models import Notice
from amgs.core.jobs import Cancelled, Context, Finish, LeaseLost, job
from amgs.core.models import Job
from amgs.files.models import Blob
from amgs.files.services import local_copy, store_file
from amgs.registry import services as registry
from amgs.registry.models import ModelVersion
from amgs.scoring.engine import scorer_of
from amgs.scoring.models import ProbeClip, ProbeReading
from curation.roles import MAINTAINER

log = structlog.get_logger(__name__)

State = ProbeReading.State
EVERY = timedelta(minutes=5)
KEPT = timedelta(days=14)
"""How long readings are kept; the first answers stay."""
RECIPE = "phantom-1"
"""Names how the clip is rendered; another recipe makes another clip and new first answers."""
SEED, ANIMAL, SECONDS, FRAMES_PER_SECOND = 20_260, 910_001, 4.0, 10
WRONG = (State.MOVED, State.FAILED)


def clip() -> Blob:
    """Return the clip of this site, rendered and stored where it is not there yet."""
    row = ProbeClip.objects.select_related("blob").filter(recipe=RECIPE).first()
    if row is not None and row.blob.deleted_at is None:
        return row.blob
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "probe.mp4"
        _render(path)
        blob = store_file(path, "video/mp4")
    # Two workers at once: the clip whose row came first is the one that counts.
    row, _ = ProbeClip.objects.get_or_create(recipe=RECIPE, defaults={"blob": blob})
    return row.blob


def _render(path: Path) -> None:
    from models.phantom.clip import write_clip
    from models.phantom.look import Look
    from models.phantom.motion import ClipPlan
    from models.scale import load_scale

    scale = load_scale()
    plan = ClipPlan(
        coat=scale.coats[0],
        look=Look(),
        animal=ANIMAL,
        pain=0.5,
        duration_s=SECONDS,
        fps=FRAMES_PER_SECOND,
    )
    write_clip(path, plan, SEED, scale)


def _told(job: Job, sentence: str) -> None:
    """Keep a probe that ended without an answer (its process died, it stood still) as failed."""
    version = registry.serving()
    if version is not None and not job.cancel_asked:
        keep(version, State.FAILED, f"The probe gave no answer: {sentence}")


@job(queue="score", limit=timedelta(minutes=2), attempts=1, every=EVERY, on_failure=_told)
def probe(context: Context) -> Finish | Mapping[str, Any]:
    """Score the known clip with the version that serves, and hold it against the first answer."""
    version = registry.serving()
    if version is None:
        return {}
    context.progress(0.1, f"asking {version.identifier}")
    began = time.monotonic()
    sha256, answer, problem = "", {}, ""
    try:
        blob = clip()
        sha256 = blob.sha256
        answer = ask(version, local_copy(blob))
    except (LeaseLost, Cancelled):
        raise
    except Exception as error:  # whatever keeps it from answering is what the probe is for
        log.exception("the probe failed", model=version.identifier)
        problem = f"The probe failed: {type(error).__name__}: {error}"
    seconds = round(time.monotonic() - began, 3)

    def apply() -> None:
        if problem:
            keep(version, State.FAILED, problem, sha256=sha256, seconds=seconds)
        else:
            _hold(version, sha256, answer, seconds)

    return Finish(result={"model": version.identifier, "seconds": seconds}, apply=apply)


def ask(version: ModelVersion, path: Path) -> dict[str, Any]:
    """Return what a version says of a clip, as the public scorer would."""
    from models.result import summarise

    scorer = scorer_of(version)
    found = summarise(scorer.score(path), scorer.bundle.scale)
    return {
        "score": found.score,
        "score_ungated": found.score_ungated,
        "coverage": found.coverage,
        "frames": found.frames,
        "units": {key: told.mean for key, told in found.units.items()},
    }


def _hold(version: ModelVersion, sha256: str, answer: dict[str, Any], seconds: float) -> None:
    """Hold an answer against the first one of the same bundle to the same clip, and keep it."""
    from curation.watch import judge_probe

    first = reference(version, sha256)
    given: dict[str, Any] = {"sha256": sha256, "answer": answer, "seconds": seconds}
    if first is None:
        sentence = f"First answer of {version.identifier} to the clip; later ones are held to it."
        keep(version, State.REFERENCE, sentence, moved_by=0.0, **given)
        return
    found = judge_probe(first.answer, answer)
    state = State.MOVED if found.moved else State.FINE
    keep(version, state, found.sentence, moved_by=found.moved_by, **given)


def reference(version: ModelVersion, sha256: str) -> ProbeReading | None:
    """Return the first answer of a version's bundle to a clip, ``None`` before there is one."""
    return ProbeReading.objects.filter(
        bundle_digest=version.digest, clip_sha256=sha256, state=State.REFERENCE
    ).first()


@transaction.atomic
def keep(
    version: ModelVersion,
    state: str,
    sentence: str,
    *,
    sha256: str = "",
    answer: Mapping[str, Any] | None = None,
    moved_by: float | None = None,
    seconds: float | None = None,
) -> ProbeReading:
    """Keep a reading and tell the maintainers where the probe turned wrong, or right again."""
    before = ProbeReading.objects.order_by("-pk").first()
    row = ProbeReading.objects.create(
        model_version=version,
        bundle_digest=version.digest,
        clip_sha256=sha256,
        state=state,
        answer=dict(answer or {}),
        moved_by=moved_by,
        seconds=seconds,
        sentence=sentence[:500],
    )
    was = before.state if before is not None and before.model_version_id == version.pk else ""
    if state in WRONG and was != state:
        verb = "moved" if state == State.MOVED else "failed"
        _tell(row, f"The probe of {version.identifier} {verb}", f"{sentence} {ADVICE}")
    elif state not in WRONG and before is not None and before.state in WRONG:
        _tell(row, f"The probe of {version.identifier} is fine again", sentence)
    old = ProbeReading.objects.filter(created_at__lt=timezone.now() - KEPT)
    old.exclude(state=State.REFERENCE).delete()
    return row


ADVICE = (
    "The same bundle gave another answer to the same clip: look at what changed on the machine, "
    "and roll back on the page “Watch” if scores cannot be trusted."
)


def _tell(row: ProbeReading, title: str, text: str) -> None:
    kind = Notice.About.WAITS if row.state in WRONG else Notice.About.HAPPENED
    who = notices.people(roles=[MAINTAINER])
    notices.tell(who, title=title, text=text, about=row, kind=kind, key=f"probe-{row.public_id}")


def readings(version: ModelVersion, since: timedelta = timedelta(days=1)) -> list[ProbeReading]:
    """Return the readings of a version in the last hours, in order of time."""
    rows = ProbeReading.objects.filter(
        model_version=version, created_at__gte=timezone.now() - since
    )
    return list(rows.order_by("pk"))


def probe_json(version: ModelVersion | None) -> dict[str, Any]:
    """Return what the page and the API show of the probe of a version."""
    from curation.watch import PROBE_LATE_S, PROBE_TOLERANCE

    rows = readings(version) if version else []
    newest = (
        ProbeReading.objects.filter(model_version=version).order_by("-pk").first()
        if version
        else None
    )
    age = (timezone.now() - newest.created_at).total_seconds() if newest else None
    return {
        "model": version.identifier if version else None,
        "tolerance": PROBE_TOLERANCE,
        "every_s": EVERY.total_seconds(),
        "late": bool(age is not None and age > PROBE_LATE_S),
        "newest": reading_json(newest) if newest else None,
        "readings": [reading_json(row) for row in rows],
    }


def reading_json(row: ProbeReading) -> dict[str, Any]:
    """Return one reading."""
    return {
        "id": row.public_id,
        "at": row.created_at,
        "state": row.state,
        "wrong": row.state in WRONG,
        "moved_by": row.moved_by,
        "seconds": row.seconds,
        "score": row.answer.get("score"),
        "sentence": row.sentence,
    }

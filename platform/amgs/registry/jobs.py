"""Tell MLflow what our rows say. MLflow may be down: then it is told later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import structlog

from amgs.core.jobs import Context, job
from amgs.registry import mirror as mirroring

log = structlog.get_logger(__name__)

MIRROR_EVERY = timedelta(seconds=60)
# The key that the sweep gives to periodic kinds too, so that never two mirrors run at once:
# MLflow's SQLite store takes one writer.
MIRROR_KEY = "every:registry.mirror"


# Not on the train queue: a promotion must not wait there for hours of training before the alias
# follows it. MLflow lives in a child process, so the worker stays small.
@job(queue="quick", limit=timedelta(minutes=10), every=MIRROR_EVERY)
def mirror(context: Context) -> Mapping[str, Any]:
    """Bring MLflow up to date with every version whose state it does not know yet."""
    done: list[str] = []
    while waiting := mirroring.waiting():
        context.progress(0.1, f"telling MLflow about {len(waiting)} model versions")
        try:
            told = mirroring.tell(waiting)
        except mirroring.Unreachable as problem:
            # No failure of this job: the rows still say what waits, and the next beat asks again.
            log.warning("MLflow took no mirror", error=str(problem))
            return {"mirrored": done, "waiting": len(waiting), "problem": str(problem)[:300]}
        if not told:
            return {"mirrored": done, "waiting": len(waiting), "problem": "their bundles are gone"}
        done += told
    return {"mirrored": done, "waiting": 0}

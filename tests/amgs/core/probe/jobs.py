"""Work that takes a known time and leaves a trace of every start and every end."""

from __future__ import annotations

import os
import threading
from datetime import timedelta

from django.db.models.functions import Now

from amgs.core.jobs import Context, Finish, job
from amgs.core.models import Beat
from amgs.files.storage import get_storage


@job("score", limit=timedelta(seconds=30), attempts=20)
def walk(context: Context, label: str, steps: int, pause: float) -> Finish:
    """Take so many steps; write one object per attempt, and one row when it ends."""
    storage = get_storage()
    storage.put(f"probe/{label}/start-{context.attempt}-{os.getpid()}", b"started")
    pausing = threading.Event()
    for step in range(steps):
        context.progress(step / steps, f"step {step} of {steps}")
        pausing.wait(pause)
    key = context.key("result")
    storage.put(key, f"{label} by attempt {context.attempt}".encode())

    def apply() -> None:
        Beat.objects.create(kind=f"probe:{label}:{context.attempt}", last_at=Now())

    return Finish({"key": key}, apply)

"""A site with one result of 100,000 frames, for the chart: prints its address and serves."""

from __future__ import annotations

import os
import sys
from pathlib import Path

FPS = 25


def main(frames: int) -> None:
    """Fill a fresh database and serve until standard input closes."""
    import django

    django.setup()
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.management import call_command
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    token = _result(frames)

    class Silent(WSGIRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing: standard output is for the address."""

    server = ThreadedWSGIServer(("127.0.0.1", 0), Silent)
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    import threading

    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://127.0.0.1:{server.server_address[1]}/score/{token}/", flush=True)
    sys.stdin.read()


def _result(frames: int) -> str:
    import numpy as np
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.files.storage import get_storage
    from amgs.scoring.models import ToolRun
    from models.exports import write_columns
    from models.records import FrameKey, Grade, Prediction
    from models.result import summarise
    from models.scale import load_scale

    scale = load_scale()
    rng = np.random.default_rng(5)
    asleep = next(state for state in scale.states if not state.graded)
    pain = 0.5 + 0.4 * np.sin(np.arange(frames) / 4000) + 0.1 * rng.standard_normal(frames)
    said = []
    for place, level in enumerate(np.clip(pain, 0, 1)):
        rests = place % 9000 < 900
        odds = ((1 - level) ** 2, 2 * level * (1 - level), level**2)
        grades = tuple(
            Grade(unit.key, int(np.argmax(odds)), None, odds, 0.9) for unit in scale.units
        )
        said.append(
            Prediction(
                FrameKey("a" * 64, 0, place, (1, FPS)),
                place,
                place / FPS,
                asleep.key if rests else scale.graded_state.key,
                None,
                () if rests else grades,
                None if rests else 2 * level,
                asleep.reason if rests else None,
            )
        )
    path = Path(os.environ["AMGS_VAR"]) / "course.bin"
    write_columns(path, said)
    with path.open("rb") as stream:
        get_storage().put("bench/course.bin", stream, path.stat().st_size)
    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    run = ToolRun.objects.create(
        name="a long recording.mp4",
        job=job,
        result=summarise(said, scale, phantom=True).to_json() | {"best_frames": []},
        outputs={"course.bin": "bench/course.bin"},
        provenance={"model": "mouse-v1", "model_id": "0" * 26, "bundle_digest": "b" * 64}
        | {"snapshot": "", "phantom": True, "scored_at": "", "file_sha256": "a" * 64},
    )
    return run.token


if __name__ == "__main__":
    main(int(sys.argv[1]))

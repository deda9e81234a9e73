"""Writing films for tests leaves the test process as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.mark.parametrize("codec", ["libx264", "libsvtav1"])
def test_no_encoder_leaves_a_real_time_process_behind(tmp_path: Path, film, codec: str) -> None:
    before = os.sched_getscheduler(0)
    film(tmp_path / "film.mkv", range(0, 400, 40), codec, size=(64, 64))
    assert os.sched_getscheduler(0) == before
    threads = Path("/proc/self/task").iterdir()
    assert {os.sched_getscheduler(int(thread.name)) for thread in threads} == {before}

"""Memory that long work leaves behind is given back."""

from __future__ import annotations

import gc
import sys
import weakref

import psutil
import pytest

from amgs.core import celery_tasks, jobs, memory


class _Ring:
    """An object that refers to itself, as decoded pictures with side data do."""

    def __init__(self) -> None:
        self.me = self


def test_objects_that_refer_to_themselves_go() -> None:
    gc.disable()
    try:
        ring = weakref.ref(_Ring())
        assert ring() is not None
        memory.give_back()
        assert ring() is None
    finally:
        gc.enable()


@pytest.mark.skipif(memory._trim() is None, reason="only glibc can be asked to trim its heap")
def test_pages_between_what_lives_on_go_back_to_the_system() -> None:
    size, process = 64 << 10, psutil.Process()
    blocks = [bytearray(size) for _ in range(2000)]
    alive = blocks[::40]
    del blocks
    held = process.memory_info().rss
    memory.give_back()
    freed = (held - process.memory_info().rss) / 2**20
    assert freed > 60, f"only {freed:.0f} of 122 MiB"
    assert sum(map(len, alive)) == 50 * size


@pytest.mark.parametrize(("seconds", "times"), [(0.5, 0), (1.5, 1)])
def test_only_long_work_is_tidied_up_after(
    monkeypatch: pytest.MonkeyPatch, seconds: float, times: int
) -> None:
    clock, given = iter([10.0, 10.0 + seconds]), []
    monkeypatch.setattr(celery_tasks.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(jobs, "run", lambda *_, **__: True)
    monkeypatch.setattr(celery_tasks, "close_old_connections", lambda: None)
    monkeypatch.setattr(celery_tasks, "give_back", lambda: given.append(sys.argv))
    celery_tasks.run_job_task("01")
    assert len(given) == times

"""Events that a run tells, one line of JSON each, and its end when nobody listens any more."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from models.events import PARENT_GONE, Progress, Refused, printer, silent

ROOT = Path(__file__).parents[2]


def test_events_are_lines_of_json_with_their_letters() -> None:
    stream = io.StringIO()
    emit = printer(stream)
    emit({"event": "done", "sentence": "Größe κ"})
    emit({"event": "again"})
    first, second = stream.getvalue().splitlines()
    assert "Größe κ" in first
    assert json.loads(second) == {"event": "again"}
    silent({"event": "nobody hears it"})


def test_a_refusal_says_its_sentence() -> None:
    refusal = Refused("There is no manifest.")
    assert str(refusal) == refusal.sentence == "There is no manifest."


def test_progress_is_the_share_of_all_stages_by_their_weight() -> None:
    told: list[dict[str, Any]] = []
    progress = Progress(told.append, {"first": 3, "second": 1})
    progress.tell(0.5, "Nothing has begun.")
    assert told == []
    progress.enter("first", "One.")
    progress.tell(0.2, "Too soon to tell again.")
    progress.tell(1.0, "One is done.")
    progress.enter("second", "Two.")
    progress.tell(2.0, "More than all.")
    progress.leave()
    assert [(row["stage"], row["fraction"]) for row in told] == [
        ("first", 0.0), ("first", 0.75), ("second", 0.75), ("second", 1.0),
    ]  # fmt: skip
    assert set(progress.seconds) == {"first", "second"}
    assert told[0]["seconds_left"] is None
    assert told[-1]["seconds_left"] == 0.0


def test_a_process_ends_at_once_when_its_parent_lets_go() -> None:
    code = (
        "from models.events import watch_parent; import time; watch_parent();"
        "print('up', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with child:
        assert child.stdout is not None
        assert child.stdin is not None
        assert child.stdout.readline() == b"up\n"
        child.stdin.close()
        assert child.wait(30) == PARENT_GONE

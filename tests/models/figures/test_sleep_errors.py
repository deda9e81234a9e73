"""Both directions of the error about sleep, by the word of the raters."""

from __future__ import annotations

import json

import pandas as pd

from models.figures.states import sleep_errors
from models.scale import load_scale

SCALE = load_scale()
ASLEEP = SCALE.reason_because("sleep").key
STATE = next(state.key for state in SCALE.states if state.reason == ASLEEP)
AWAKE = SCALE.graded_state.key
UNIT = SCALE.unit_keys[0]


def votes(*reasons: str | None) -> str:
    """One vote of each rater: a reason, or a grade."""
    return json.dumps(
        [
            {"rater": f"r{n}", "unit": UNIT, "grade": None if reason else 2, "reason": reason}
            for n, reason in enumerate(reasons)
        ]
    )


def test_sleep_is_what_most_raters_say_and_pain_what_they_grade():
    none = float("nan")
    table = pd.DataFrame(
        [
            ("a", votes(ASLEEP, ASLEEP), none, 1.4, AWAKE),  # sleeps, and got a high score
            ("b", votes(ASLEEP, ASLEEP, None), none, 0.2, AWAKE),  # sleeps, graded low
            ("c", votes(ASLEEP, None), none, 1.4, AWAKE),  # the raters disagree
            ("d", votes(None, None), 1.5, none, STATE),  # in pain, taken for asleep
            ("e", votes(None, None), 1.5, 1.5, AWAKE),
            ("f", "", 0.1, none, STATE),
        ],
        columns=["animal", "votes", "truth", "score", "state"],
    )
    found = sleep_errors(table, SCALE)
    high, taken = found["asleep_graded_high"], found["pain_taken_for_asleep"]
    assert (high["share"], high["n"], high["n_animals"]) == (0.5, 2, 2)
    assert (taken["share"], taken["n"]) == (0.5, 2)

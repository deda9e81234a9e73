import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from models.figures import ablation_figures
from models.phantom.manifest import _blinks
from models.scale import Scale


@pytest.fixture
def both(table: Callable[..., pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The same frames with context, and without: worse, and in another order."""
    ours = table()
    rng = np.random.default_rng(3)
    theirs = ours.copy()
    theirs["score"] = theirs["score"] + rng.normal(0, 0.4, len(theirs))
    return ours, theirs.sample(frac=1, random_state=1)


def test_context_that_helps_shows_with_its_interval(both, scale: Scale) -> None:
    found = ablation_figures(*both, scale)["kinds"]["all"]
    score = found["score"]
    assert score["with"] < score["without"]
    assert score["difference"] == pytest.approx(score["with"] - score["without"])
    assert score["interval"][0] < score["difference"] < score["interval"][1] < 0
    assert found["n"] == len(both[0])
    assert found["n_animals"] == 12
    assert found["graded"]["difference"] == 0
    assert found["units"][scale.unit_keys[0]]["difference"] == 0


def test_the_same_answers_differ_by_nothing(both, scale: Scale) -> None:
    ours, _ = both
    for kind in ablation_figures(ours, ours, scale)["kinds"].values():
        for name in ("score", "ungated", "graded", "graded_needlessly", "state_right"):
            assert kind[name]["difference"] in (0, None)


def test_kinds_are_near_a_blink_blurred_and_every_state_that_is_not_graded(
    both, scale: Scale
) -> None:
    ours, theirs = both
    blink = np.full(len(ours), np.nan)
    blink[:9] = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 2.0, np.nan]
    reason = scale.reason_because("blur").key
    cells = ours["evaluation_votes"].tolist()
    for row, share in ((3, 4), (4, 5), (5, 8)):
        votes = json.loads(cells[row])
        for vote in votes:
            if vote["rater"] in {f"e{n}" for n in range(share)}:
                vote |= {"grade": None, "reason": reason}
        cells[row] = json.dumps(votes)
    cells[6] = json.dumps(
        [
            vote | ({"reason": reason, "grade": None} if vote["rater"] == "e0" else {})
            for vote in json.loads(cells[6])
        ]
    )
    known = ours.assign(true_blink_s=blink, evaluation_votes=cells)
    kinds = ablation_figures(known, theirs, scale)["kinds"]
    assert kinds["near_blink"]["n"] == 6
    assert kinds["blurred"]["n"] == 3
    film = known["animal"] + known["observation"]
    held = film.isin(film[[3, 4, 5]]).sum()
    assert kinds["recordings_with_blurred"]["n"] == held > 3
    states = known["true_state"].value_counts()
    for state in scale.states:
        assert (state.key in kinds) == (not state.graded and state.key in states)
        if state.key in kinds:
            assert kinds[state.key]["n"] == states[state.key]
    asleep = kinds[next(key for key in kinds if key in states)]
    # Raters gave no score to frames in other states: what was scored there was so needlessly.
    assert asleep["graded"]["n"] == 0
    assert asleep["graded_needlessly"]["n"] == asleep["n"]
    assert 0 < asleep["state_right"]["with"] <= 1


def test_tables_of_different_frames_are_not_compared(both, scale: Scale) -> None:
    ours, theirs = both
    with pytest.raises(ValueError, match="different frames"):
        ablation_figures(ours, theirs.iloc[1:], scale)
    renamed = theirs.assign(frame=["x", *theirs["frame"].iloc[1:]])
    with pytest.raises(ValueError, match="different frames"):
        ablation_figures(ours, renamed, scale)


def test_the_figures_are_plain_json(both, scale: Scale) -> None:
    json.dumps(ablation_figures(*both, scale), allow_nan=False)


def test_a_blink_is_where_the_eyes_alone_cannot_be_scored(scale: Scale) -> None:
    eyes, *others = scale.unit_keys

    def row(time: float, state: str, shut: bool, hidden: int) -> dict[str, str]:
        cells = {f"{key}_scorable": str(int(n >= hidden)) for n, key in enumerate(others)}
        return {
            "time_s": str(time),
            "state": state,
            f"{eyes}_scorable": str(int(not shut)),
            **cells,
        }

    awake = scale.graded_state.key
    asleep = next(state.key for state in scale.states if not state.graded)
    truth = {
        ("a", "0"): row(0.0, awake, False, 0),
        ("a", "1"): row(0.1, awake, True, 0),
        ("a", "2"): row(0.2, awake, True, 2),
        ("a", "3"): row(0.3, awake, True, len(others)),  # turned away
        ("b", "0"): row(0.0, asleep, True, 0),
    }
    assert _blinks(truth, scale) == {"a": [0.1, 0.2]}

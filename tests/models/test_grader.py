"""What may be said of a frame: states, their probabilities, and the grade nearest to the mean."""

import numpy as np
import pytest

from models.grader import Looked, state_probabilities, told_states
from models.scale import Scale


def test_the_unknown_state_is_the_one_whose_reason_names_nothing(scale: Scale) -> None:
    state = scale.unknown_state
    assert not state.graded
    assert state.reason == scale.reason_because("unnamed").key


def test_states_that_were_not_learnt_are_never_named_but_the_graded_one_always(
    scale: Scale,
) -> None:
    told = told_states(scale, [scale.state_keys[-1]])
    named = {key for key, may in zip(scale.state_keys, told, strict=True) if may}
    assert named == {scale.graded_state.key, scale.state_keys[-1]}


def test_probabilities_of_states_are_shared_by_those_that_may_be_named() -> None:
    logits = np.array([[0.0, np.log(3), 50.0], [800.0, 0.0, 0.0]])
    likely = state_probabilities(logits, np.array([True, True, False]))
    assert likely[0] == pytest.approx([0.25, 0.75, 0.0])
    assert likely[1] == pytest.approx([1.0, 0.0, 0.0]), "large logits do not overflow"


def test_a_whole_grade_begins_at_the_cuts_of_its_unit() -> None:
    one = np.array([[0.6, 0.3, 0.1], [0.1, 0.4, 0.5]])
    cuts = [np.array([0.5, 1.5]), np.array([0.6, 1.2])]
    looked = Looked([one, one[::-1]], np.ones((2, 2)), np.ones((2, 1)), np.zeros(2), cuts)
    assert looked.expected == pytest.approx(np.array([[0.5, 1.4], [1.4, 0.5]]))
    assert looked.whole.tolist() == [[1, 2], [1, 0]], "an expected grade at a cut has reached it"

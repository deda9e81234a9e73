"""Which seconds of a recording an answer rests on, and faces between two that were found."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from models.context import REACH, TICK_S
from models.looker import CHUNK, blend, moved, one_behind, reading_span
from models.media import Unreadable
from models.records import Face
from models.sequences import WHOLE_S, answered, spans


def face(x: float, confidence: float, **landmarks: tuple[float, float]) -> Face:
    return Face((x, 0, x + 10, 10), landmarks, confidence, "frontal", sharpness=x)


@pytest.mark.parametrize("time", [0.0, 3.2, 100.0, 1234.5])
def test_what_is_read_for_a_frame_reaches_as_far_as_the_context_on_both_sides(
    time: float,
) -> None:
    start, end = reading_span((time, time))
    assert start <= time - REACH * TICK_S
    assert end >= time + REACH * TICK_S
    # Every frame of one stretch asks for the same seconds, so that answers do not depend on whom
    # they were read with.
    length = CHUNK * TICK_S
    inside = np.floor(time / length) * length
    assert reading_span((inside, inside)) == (start, end)


def test_stretches_that_meet_are_one_and_those_far_apart_are_not() -> None:
    far = 10 * (WHOLE_S + CHUNK * TICK_S + 2 * REACH * TICK_S + 2)
    found = spans(np.array([far, 1.0, 2.0]))
    assert len(found) == 2
    assert found[0] == reading_span((1.0, 2.0))
    assert found[1] == reading_span((far, far))
    assert spans(np.array([])) == []


def test_nothing_is_answered_where_nothing_was_seen() -> None:
    said = answered([], None)
    assert len(said.rows) == len(said.grades) == 0
    assert said.rows.dtype == np.int64


def test_a_face_between_two_lies_between_them_and_is_as_sure_as_the_less_certain() -> None:
    one, two = face(0, 0.9, nose=(5, 5), left_eye=(1, 1)), face(10, 0.6, nose=(15, 5))
    quarter = blend(one, two, 0.25)
    assert quarter.box == (2.5, 0, 12.5, 10)
    assert quarter.landmarks == {"nose": (7.5, 5)}, "what only one of them has is not made up"
    assert quarter.confidence == 0.6
    assert quarter.sharpness == 2.5


def test_a_face_of_a_region_takes_its_place_in_the_whole_picture() -> None:
    found = moved(face(0, 0.9, nose=(5, 5)), 100, 50)
    assert found.box == (100, 50, 110, 60)
    assert found.landmarks == {"nose": (105, 55)}


def test_works_are_done_one_behind_in_their_order() -> None:
    prepared: list[int] = []

    def works() -> Iterator[Callable[[], int]]:
        for number in range(5):
            prepared.append(number)
            yield lambda number=number: number * number

    found = []
    for result in one_behind(works()):
        found.append(result)
        assert len(prepared) <= len(found) + 1
    assert found == [0, 1, 4, 9, 16]
    assert list(one_behind(iter(()))) == []


@pytest.mark.parametrize("whole", [0, 1, 3])
def test_an_error_of_preparing_comes_behind_the_results_before_it(whole: int) -> None:
    def works() -> Iterator[Callable[[], int]]:
        for number in range(whole):
            yield lambda number=number: number
        raise Unreadable("The film ends here.")

    found: list[int] = []
    with pytest.raises(Unreadable, match="ends here"):
        found.extend(one_behind(works()))
    assert found == list(range(whole))


def test_an_error_of_a_work_ends_the_results_and_closing_ends_the_preparing() -> None:
    closed = threading.Event()

    def works() -> Iterator[Callable[[], float]]:
        try:
            for number in (1, 0, 2):
                yield lambda number=number: 1 / number
        finally:
            closed.set()

    found: list[float] = []
    with pytest.raises(ZeroDivisionError):
        found.extend(one_behind(works()))
    assert found == [1.0]
    closed.clear()
    with contextlib.closing(works()) as prepared, contextlib.closing(one_behind(prepared)) as some:
        assert next(some) == 1.0
    assert closed.is_set()

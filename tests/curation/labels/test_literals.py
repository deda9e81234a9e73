"""Names read out of pickles as data."""

from __future__ import annotations

import pickle
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.labels.literals import NoLiteral, read_literals

LITERALS = st.recursive(
    st.one_of(st.text(max_size=5), st.integers(-(2**40), 2**40), st.none(), st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple)),
)


@given(LITERALS, st.integers(1, 5))
def test_literals_come_back_from_every_protocol(value: object, protocol: int) -> None:
    assert read_literals(pickle.dumps(value, protocol=protocol)) == value


@pytest.mark.parametrize("value", [OrderedDict(), {1}, print, ValueError("x"), object()])
def test_anything_else_is_refused(value: object) -> None:
    for protocol in range(2, 6):
        with pytest.raises(NoLiteral):
            read_literals(pickle.dumps(value, protocol=protocol))


@given(st.binary(max_size=60))
def test_any_bytes_are_literals_or_refused(data: bytes) -> None:
    try:
        read_literals(data)
    except NoLiteral:
        return

"""What the investigator confirmed can be stored and is checked when it comes back."""

from __future__ import annotations

import pytest

from curation.labels import Mapping, UnknownFormat


def test_a_mapping_comes_back_from_json_and_defaults_are_left_out() -> None:
    mapping = Mapping({"Bild": "file"}, {"x": "missing"}, conversion="0-9:equal", frames_from=1)
    assert Mapping.from_json(mapping.to_json()) == mapping
    assert Mapping().to_json() == {}


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {"other": 1}, {"columns": []}, {"cells": {"a": 1}}, {"file": 3}),
        *({"frames_from": 2}, {"frames_from": True}, {"frames_from": "1"}),
    ],
)
def test_what_is_no_mapping_is_refused(data) -> None:
    with pytest.raises(UnknownFormat):
        Mapping.from_json(data)

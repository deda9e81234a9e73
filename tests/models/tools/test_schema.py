"""From a dataclass to a JSON schema, and from what people gave to an instance of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tools import WrongParameter, json_schema, listed_tools, option, parse
from models.tools.schema import as_given, options


@dataclass(frozen=True)
class Params:
    """All kinds of fields."""

    label: str = option(help="What it is called.", least=2, most=8)
    width: int = option(3, help="How wide.", least=1, most=9, unit="pixels")
    share: float = option(0.5, title="Share of all", help="How much.", least=0)
    way: Literal["up", "down"] = option("up", help="Which way.")
    quick: bool = False
    """Whether it hurries."""
    until: float | None = field(default=None, metadata={"help": "When to end."})


def test_the_schema_says_types_defaults_bounds_choices_and_help():
    schema = json_schema(Params, "Try")
    jsonschema.Draft202012Validator.check_schema(schema)
    said = schema["properties"]
    assert said["width"] == {
        "type": "integer",
        "title": "Width",
        "description": "How wide.",
        "x-unit": "pixels",
        "default": 3,
        "minimum": 1,
        "maximum": 9,
    }
    assert said["way"]["enum"] == ["up", "down"]
    assert said["share"]["title"] == "Share of all"
    assert said["quick"]["description"] == "Whether it hurries."
    assert said["until"]["type"] == ["number", "null"]
    assert (said["label"]["minLength"], said["label"]["maxLength"]) == (2, 8)
    assert schema["required"] == ["label"]
    assert not schema["additionalProperties"]


def test_texts_of_a_form_and_values_of_json_mean_the_same():
    texts = {"label": "cage", "width": "4", "share": "0.25", "quick": "on", "until": ""}
    values = {"label": "cage", "width": 4, "share": 0.25, "quick": True, "until": None}
    assert parse(Params, texts) == parse(Params, values) == Params("cage", 4, 0.25, "up", True)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({}, "“Label” must be given: What it is called."),
        ({"label": "x"}, "“Label” has 2 to 8 characters, not 1."),
        ({"label": [1]}, "“Label” is a text."),
        ({"label": "a\0b"}, "“Label” holds signs that nobody can read."),
        ({"label": "ab", "width": 10**400}, "“Width” is a whole number"),
        ({"label": "ab", "\ud800": 1}, "There is no parameter “?”"),
        ({"label": "ab", "width": 3.5}, "“Width” is a whole number, not “3.5”."),
        ({"label": "ab", "width": True}, "“Width” is a whole number, not “True”."),
        ({"label": "ab", "width": 10}, "“Width” is between 1 and 9 pixels, not 10."),
        ({"label": "ab", "share": "-1"}, "“Share of all” is at least 0, not -1."),
        ({"label": "ab", "share": "nan"}, "“Share of all” is a number, not “nan”."),
        ({"label": "ab", "way": "left"}, "“Way” is one of up, down, not “left”."),
        ({"label": "ab", "quick": "perhaps"}, "“Quick” is yes or no, not “perhaps”."),
        ({"label": "ab", "depth": 1}, "There is no parameter “depth”"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence_and_the_name(wrong, sentence):
    with pytest.raises(WrongParameter) as refused:
        parse(Params, wrong)
    assert refused.value.sentence.startswith(sentence)
    assert refused.value.parameter in {*Params.__dataclass_fields__, "depth", "\ud800"}


def test_params_that_nobody_could_fill_in_are_refused():
    @dataclass
    class Mute:
        width: int = 3

    @dataclass
    class Odd:
        width: list[int] = field(default_factory=list, metadata={"help": "Widths."})

    with pytest.raises(TypeError, match="says nowhere what it means"):
        options(Mute)
    with pytest.raises(TypeError, match="use int, float, bool, str"):
        options(Odd)
    with pytest.raises(TypeError, match="no dataclass"):
        options(int)


@given(
    st.dictionaries(
        st.sampled_from(["width", "share", "way", "quick", "label"]),
        st.one_of(
            st.none(), st.booleans(), st.integers(), st.floats(), st.text("ab1.-n ", max_size=12)
        ),
    )
)
def test_whatever_is_given_becomes_valid_params_or_a_sentence(values):
    schema = json_schema(Params)
    try:
        found = parse(Params, values)
    except WrongParameter:
        return
    jsonschema.validate(as_given(found), schema)


@pytest.mark.parametrize("row", listed_tools(), ids=lambda row: row.name)
def test_the_defaults_of_every_tool_are_what_its_schema_allows(row):
    schema = json_schema(row.tool.Params, row.tool.title)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(as_given(parse(row.tool.Params, {})), schema)

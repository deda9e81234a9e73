"""From a dataclass `Params` to its JSON schema, and from what people gave to an instance.

Fields are of the types `int`, `float`, `bool`, `str` or a `Literal` of strings, each with a default
or without one; a number may also be None. What a field means stands in `metadata["help"]` (see
`option`) or, as a docstring line, under the field. `least` and `most` of the metadata bound numbers
and lengths of texts.
"""

from __future__ import annotations

import ast
import inspect
import math
import textwrap
import types
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from itertools import pairwise
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from models.events import Refused

YES, NO = ("yes", "true", "on", "1"), ("no", "false", "off", "0", "")
MOST_CHARACTERS = 400
TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}


class WrongParameter(Refused):
    """A parameter cannot be that; `parameter` is its name."""

    def __init__(self, parameter: str, sentence: str) -> None:
        super().__init__(sentence)
        self.parameter = parameter


@dataclass(frozen=True)
class Option:
    """One field of a `Params`: what forms, schema, command line and reference are made of.

    `kind` is `integer`, `number`, `boolean` or `string`; `default` is None where one must be given.
    """

    name: str
    title: str
    help: str
    kind: str
    default: Any
    needed: bool
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None
    unit: str = ""


def option(
    default: Any = MISSING,
    *,
    help: str,
    title: str = "",
    least: float | None = None,
    most: float | None = None,
    unit: str = "",
) -> Any:
    """A dataclass field with what people need to know of it; without a default it must be given."""
    metadata = {"help": help, "title": title, "least": least, "most": most, "unit": unit}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def options(params: type) -> list[Option]:
    """The fields of a `Params` in their order; raises TypeError for one that cannot be asked for.

    `params` is a dataclass whose fields have types of the module's list.
    """
    if not (isinstance(params, type) and is_dataclass(params)):
        raise TypeError("Params is no dataclass.")
    hints, written = get_type_hints(params), _lines(params)
    found = []
    for one in fields(params):
        hint, told = _without_none(hints[one.name]), one.metadata
        choices: tuple[str, ...] = ()
        if get_origin(hint) is Literal:
            choices = tuple(str(value) for value in get_args(hint))
            hint = str
        if hint not in TYPES:
            raise TypeError(
                f"Params.{one.name} has the type {hint!r}; use int, float, bool, str or a Literal "
                "of strings."
            )
        meant = told.get("help") or written.get(one.name, "")
        if not meant:
            raise TypeError(f"Params.{one.name} says nowhere what it means.")
        default = one.default
        if default is MISSING and one.default_factory is not MISSING:
            default = one.default_factory()
        found.append(
            Option(
                name=one.name,
                title=told.get("title") or one.name.replace("_", " ").capitalize(),
                help=" ".join(meant.split()),
                kind=TYPES[hint],
                default=None if default is MISSING else default,
                needed=default is MISSING,
                choices=choices,
                least=told.get("least"),
                most=told.get("most"),
                unit=told.get("unit") or "",
            )
        )
    return found


def json_schema(params: type, title: str = "") -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a `Params`."""
    properties: dict[str, Any] = {}
    rows = options(params)
    for one in rows:
        about: dict[str, Any] = {"type": one.kind, "title": one.title, "description": one.help}
        if one.unit:
            about["x-unit"] = one.unit
        if not one.needed:
            about["default"] = one.default
            if one.default is None:
                about["type"] = [one.kind, "null"]
        if one.choices:
            about["enum"] = list(one.choices)
        low, high = ("minLength", "maxLength") if one.kind == "string" else ("minimum", "maximum")
        for key, bound in ((low, one.least), (high, one.most)):
            if bound is not None:
                about[key] = bound
        if one.kind == "string" and not one.choices:
            about.setdefault("maxLength", MOST_CHARACTERS)
        properties[one.name] = about
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "properties": properties,
        "required": [one.name for one in rows if one.needed],
        "additionalProperties": False,
    }


def parse(params: type, given: Mapping[str, Any]) -> Any:
    """The instance of `params` that was asked for, from JSON values or texts of a form.

    An empty text stands for the default, except where the field is itself a text. Raises
    WrongParameter with a sentence.
    """
    known = {one.name: one for one in options(params)}
    for name in given:
        if name not in known:
            choice = ", ".join(known) or "none"
            raise WrongParameter(
                str(name),
                f"There is no parameter “{_shown(name)}”; the parameters are: {choice}.",
            )
    values = {}
    for one in known.values():
        value = given.get(one.name)
        absent = value is None or (
            isinstance(value, str) and not value.strip() and (one.kind != "string" or one.choices)
        )
        if absent and one.kind != "boolean":
            if one.needed:
                raise WrongParameter(one.name, f"“{one.title}” must be given: {one.help}")
            continue
        if value is None:
            continue
        values[one.name] = _value(one, value)
    return params(**values)


def as_given(params: Any) -> dict[str, Any]:
    """The fields of an instance by name, as JSON takes them."""
    return {one.name: getattr(params, one.name) for one in fields(params)}


def _shown(value: Any) -> str:
    """The beginning of what was given, as a sentence can hold it."""
    return "".join(sign if sign.isprintable() else "?" for sign in str(value)[:40])


def _without_none(hint: Any) -> Any:
    """The type of a field that may also be None."""
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return kinds[0] if len(kinds) == 1 and kinds[0] in (int, float) else hint
    return hint


def _value(one: Option, value: Any) -> Any:
    if one.kind == "boolean":
        if isinstance(value, bool):
            return value
        text = str(value).strip().lower()
        if text in YES:
            return True
        if text in NO:
            return False
        raise WrongParameter(one.name, f"“{one.title}” is yes or no, not “{_shown(text)}”.")
    if one.kind == "string":
        text = str(value).strip() if isinstance(value, str | int | float) else ""
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise WrongParameter(one.name, f"“{one.title}” is a text.")
        if not text.isprintable():
            raise WrongParameter(one.name, f"“{one.title}” holds signs that nobody can read.")
        if one.choices and text not in one.choices:
            raise WrongParameter(
                one.name,
                f"“{one.title}” is one of {', '.join(one.choices)}, not “{_shown(text)}”.",
            )
        least, most = one.least or 0, one.most or MOST_CHARACTERS
        if not one.choices and not least <= len(text) <= most:
            raise WrongParameter(
                one.name, f"“{one.title}” has {least:g} to {most:g} characters, not {len(text)}."
            )
        return text
    return _number(one, value)


def _number(one: Option, value: Any) -> int | float:
    whole = one.kind == "integer"
    kind = "a whole number" if whole else "a number"
    number: float | None
    try:
        number = float(value) if not isinstance(value, bool) else None
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or not math.isfinite(number) or (whole and number != int(number)):
        raise WrongParameter(one.name, f"“{one.title}” is {kind}, not “{_shown(value)}”.")
    low, high = one.least, one.most
    if (low is not None and number < low) or (high is not None and number > high):
        if low is not None and high is not None:
            bounds = f"between {low:g} and {high:g}"
        else:
            bounds = f"at least {low:g}" if low is not None else f"at most {high:g}"
        unit = f" {one.unit}" if one.unit else ""
        raise WrongParameter(one.name, f"“{one.title}” is {bounds}{unit}, not {number:g}.")
    return int(number) if whole else number


def _lines(params: type) -> dict[str, str]:
    """The docstring lines under the fields of a class, where its source can be read."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(params)))
    except (OSError, TypeError, SyntaxError):
        return {}
    body = next((node.body for node in tree.body if isinstance(node, ast.ClassDef)), [])
    told = {}
    for one, after in pairwise(body):
        if (
            isinstance(one, ast.AnnAssign)
            and isinstance(one.target, ast.Name)
            and isinstance(after, ast.Expr)
            and isinstance(after.value, ast.Constant)
            and isinstance(after.value.value, str)
        ):
            told[one.target.id] = after.value.value
    return told

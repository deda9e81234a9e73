"""Lists, tuples, texts and numbers read out of a pickle as data, without unpickling anything.

PyTables keeps the column names of a pandas table as a pickle. `pickletools` lists its instructions
and runs none; here those that build literals are followed, and any other (a class, a call) ends the
reading.
"""

from __future__ import annotations

import pickletools
from typing import Any

MOST_BYTES = 1_000_000
_MARK = object()
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NOTHING = {"PROTO", "FRAME", "STOP"}
_VALUES = {
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "STRING", "BINSTRING", "SHORT_BINSTRING"),
}


class NoLiteral(Exception):
    """The pickle is damaged or holds more than literals."""


def read_literals(data: bytes) -> Any:
    """Return the lists, tuples, texts and numbers that a pickle spells; raises `NoLiteral`."""
    if len(data) > MOST_BYTES:
        raise NoLiteral
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(data):
            _follow(opcode.name, argument, stack, memo)
    except NoLiteral:
        raise
    except Exception:  # pickletools raises ValueError and more for damaged pickles
        raise NoLiteral from None
    if len(stack) != 1 or stack[0] is _MARK:
        raise NoLiteral
    return stack[0]


def _follow(name: str, argument: Any, stack: list[Any], memo: dict[int, Any]) -> None:
    if name in _NOTHING:
        return
    if name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _VALUES:
        stack.append(argument)
    elif name == "MARK":
        stack.append(_MARK)
    elif name == "EMPTY_LIST":
        stack.append([])
    elif name == "EMPTY_TUPLE":
        stack.append(())
    elif name == "LIST":
        stack.append(_since_mark(stack))
    elif name == "TUPLE":
        stack.append(tuple(_since_mark(stack)))
    elif name in ("TUPLE1", "TUPLE2", "TUPLE3"):
        count = int(name[-1])
        stack[-count:] = [tuple(stack[-count:])]
    elif name == "APPEND":
        item = stack.pop()
        _list(stack).append(item)
    elif name == "APPENDS":
        items = _since_mark(stack)
        _list(stack).extend(items)
    elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
        memo[int(argument)] = stack[-1]
    elif name == "MEMOIZE":
        memo[len(memo)] = stack[-1]
    elif name in ("GET", "BINGET", "LONG_BINGET"):
        stack.append(memo[int(argument)])
    else:
        raise NoLiteral


def _since_mark(stack: list[Any]) -> list[Any]:
    items: list[Any] = []
    while (item := stack.pop()) is not _MARK:
        items.append(item)
    return items[::-1]


def _list(stack: list[Any]) -> list[Any]:
    if not isinstance(stack[-1], list):
        raise NoLiteral
    return stack[-1]

"""Queries that are asked with every request, put into SQL once instead of every time.

Building the SQL of a query costs more than sending it. Only queries whose shape never changes are
worth it: who holds this token, the next page of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

_FIRST = 2_100_000_000
"""Placeholder numbers begin here; they fit into every column of whole numbers but small ones."""


@dataclass(frozen=True)
class _Statement:
    sql: str
    given: tuple[Any, ...]
    places: tuple[tuple[int, str], ...]
    converters: tuple[tuple[int, list[Any], Any], ...]


class Prepared:
    """A query by its shape, to be asked with other values again and again.

    ``make(shape, values)`` returns a queryset of ``values_list``, in which every value is used as
    it is given; those whose names begin with ``spare`` may be left out in some shapes. Values are
    texts and keys; whatever else differs (a limit, a filter) is part of the shape.
    """

    def __init__(
        self,
        make: Callable[[Mapping[str, Any], Mapping[str, Any]], QuerySet[Any, Any]],
        spare: str = "",
    ) -> None:
        self._make = make
        self._spare = spare
        self._made: dict[tuple[Any, ...], _Statement] = {}

    def __call__(
        self, values: Mapping[str, str | int], **shape: bool | int | str
    ) -> list[tuple[Any, ...]]:
        """Return the rows, each value as the queryset would give it."""
        key = (connection.vendor, *sorted(shape.items()), *sorted(values))
        statement = self._made.get(key)
        if statement is None:
            statement = self._made[key] = self._prepare(values, shape)
        given = list(statement.given)
        for place, name in statement.places:
            given[place] = values[name]
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, given)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        if not statement.converters:
            return rows
        return [_converted(row, statement.converters) for row in rows]

    def _prepare(self, values: Mapping[str, Any], shape: Mapping[str, Any]) -> _Statement:
        stands_for = {
            name: _FIRST + number if isinstance(value, int) else f"\ue000{name}"
            for number, (name, value) in enumerate(values.items())
        }
        rows = self._make(shape, stands_for)
        compiler = rows.query.get_compiler(using=rows.db)
        sql, given = compiler.as_sql()
        names = {placeholder: name for name, placeholder in stands_for.items()}
        places = tuple(
            (place, names[value])
            for place, value in enumerate(given)
            if isinstance(value, str | int) and value in names
        )
        missing = set(values) - {name for _, name in places}
        if any(not self._spare or not name.startswith(self._spare) for name in missing):
            raise RuntimeError(f"not every one of {sorted(values)} is in the query as it is")
        selected = [column for column, *_ in compiler.select[: compiler.col_count]]
        converters = tuple(
            (place, list(functions), expression)
            for place, (functions, expression) in compiler.get_converters(selected).items()
        )
        return _Statement(sql, tuple(given), places, converters)


def _converted(
    row: tuple[Any, ...], converters: tuple[tuple[int, list[Any], Any], ...]
) -> tuple[Any, ...]:
    found = list(row)
    for place, functions, expression in converters:
        for function in functions:
            found[place] = function(found[place], expression, connection)
    return tuple(found)

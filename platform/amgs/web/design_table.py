"""The design of an experiment as pasted tables: one row per line, columns by tab or comma."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from amgs.core.errors import Refused
from curation.metadata import BY_KEY, fields_at, validate
from curation.problems import Problem

Row = dict[str, Any]

GROUP_FIELDS = tuple(field.key for field in fields_at("group"))
ANIMAL_FIELDS = tuple(field.key for field in fields_at("animal"))
OBSERVATION_FIELDS = tuple(field.key for field in fields_at("observation"))


def value(key: str, text: str) -> Any:
    """Return a cell as its field's kind; what is no number stays text for the check to name."""
    field = BY_KEY.get(key)
    if field is not None and field.kind == "number":
        try:
            return float(text)
        except ValueError:
            return text
    return text


def read(text: str, table: str, title: str, columns: Sequence[str]) -> list[Row]:
    """Return the rows of a pasted table as dicts without empty cells.

    The first line names the columns. Raises ``Refused`` that names line and column.
    """
    return [row for _, row in read_lines(text, table, title, columns)]


def read_lines(text: str, table: str, title: str, columns: Sequence[str]) -> list[tuple[int, Row]]:
    """Return (line, row) as ``read`` does; the first line is 1."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        return []
    delimiter = "\t" if "\t" in text else ","
    rows = list(csv.reader((line for _, line in lines), delimiter=delimiter))
    head = [cell.strip().lower().replace(" ", "_") for cell in rows[0]]
    for name in head:
        if name not in columns:
            raise Refused(
                f"{title} has a column “{name}”, which is not known; use {', '.join(columns)}.",
                field=table,
            )
    if len(set(head)) != len(head):
        raise Refused(f"{title} names a column twice in its first line.", field=table)
    found = []
    for (number, _), cells in zip(lines[1:], rows[1:], strict=True):
        if len(cells) > len(head):
            raise Refused(
                f"{title}, line {number} has {len(cells)} cells but only {len(head)} columns "
                "are named in its first line.",
                field=table,
            )
        row = {
            name: value(name, cell.strip())
            for name, cell in zip(head, cells, strict=False)
            if cell.strip()
        }
        if row:
            found.append((number, row))
    return found


def problems(given: Mapping[str, str]) -> list[Problem]:
    """Return all that is wrong with the three tables as texts, row by row.

    Raises ``Refused`` where a table cannot be read at all.
    """
    lines = {
        name: read_lines(given.get(name, ""), name, f"The table of {title.lower()}", columns)
        for name, (title, columns) in TABLES.items()
    }
    names = {
        name: [str(row.get("name", "")).strip() for _, row in rows] for name, rows in lines.items()
    }
    return [
        Problem(sentence, TABLES[name][0], number, column)
        for name, rows in lines.items()
        for place, (number, row) in enumerate(rows)
        for column, sentence in _wrong(name, row, names, place)
    ]


def _wrong(
    table: str, row: Row, names: Mapping[str, Sequence[str]], place: int
) -> Iterator[tuple[str, str]]:
    """Yield (column, sentence) for every fault of a row."""
    name = names[table][place]
    if not name:
        yield "name", "The name is missing."
    elif table != "observations" and name in names[table][:place]:
        yield "name", f"“{name}” is named twice; every name stands once."
    for column, known in (("group", "groups"), ("animal", "animals")):
        said = str(row.get(column, ""))
        if said and said not in names[known]:
            yield column, f"“{said}” is not among the {known}."
    fields = {key: value for key, value in row.items() if key in BY_KEY}
    for problem in validate(table.removesuffix("s"), fields):
        yield problem.field or "", problem.sentence


TABLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "animals": ("Animals", ("name", "group", "cage", *ANIMAL_FIELDS)),
    "observations": ("Time points", ("animal", "name", *OBSERVATION_FIELDS)),
    "groups": ("Groups", ("name", *GROUP_FIELDS)),
}
"""Table → (title, columns), in the order of the template's worksheets."""


def groups(text: str) -> list[Row]:
    """Return pasted groups as ``set_design`` wants them."""
    rows = read(text, "groups", "The table of groups", ("name", *GROUP_FIELDS))
    return [
        {
            "name": row.get("name", ""),
            "treatment": {key: value for key, value in row.items() if key != "name"},
        }
        for row in rows
    ]


def animals(text: str) -> list[Row]:
    """Return pasted animals as ``set_design`` wants them."""
    return read(text, "animals", "The table of animals", ("name", "group", "cage", *ANIMAL_FIELDS))


def observations(text: str, of: Sequence[Row]) -> list[Row]:
    """Return pasted time points as ``set_design`` wants them.

    Without a column ``animal`` every animal has every time point.
    """
    rows = read(
        text, "observations", "The table of time points", ("animal", "name", *OBSERVATION_FIELDS)
    )
    if any("animal" in row for row in rows):
        return rows
    return [{"animal": animal.get("name", ""), **row} for animal in of for row in rows]


def write(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Return rows as a table that ``read`` understands, without columns that are empty."""
    used = [name for name in columns if any(row.get(name) not in (None, "") for row in rows)]
    if not used:
        return ""
    lines = ["\t".join(used)]
    for row in rows:
        lines.append("\t".join(_cell(row.get(name)) for name in used))
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def texts(design: Mapping[str, Any]) -> dict[str, str]:
    """Return the three tables of a design (``repository.queries.design``) as text."""
    group_rows = [{"name": row["name"], **row["treatment"]} for row in design["groups"]]
    animal_rows = [
        {"name": row["name"], "group": row["group"], "cage": row["cage"], **row["metadata"]}
        for row in design["animals"]
    ]
    return {
        "groups": write(group_rows, ("name", *GROUP_FIELDS)),
        "animals": write(animal_rows, ("name", "group", "cage", *ANIMAL_FIELDS)),
        "observations": _observations_text(design),
    }


def _observations_text(design: Mapping[str, Any]) -> str:
    """Return the time points once where all animals share them, else one line per animal."""
    by_animal: dict[str, list[Row]] = {row["name"]: [] for row in design["animals"]}
    for row in design["observations"]:
        by_animal[row["animal"]].append({"name": row["name"], **row["metadata"]})
    series = list(by_animal.values())
    if series and all(rows == series[0] for rows in series):
        return write(series[0], ("name", *OBSERVATION_FIELDS))
    rows = [{"animal": name, **row} for name, rows in by_animal.items() for row in rows]
    return write(rows, ("animal", "name", *OBSERVATION_FIELDS))

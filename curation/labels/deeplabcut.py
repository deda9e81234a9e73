"""DeepLabCut landmarks: CSV with three or four header rows, or a pandas table in HDF5.

Nothing is unpickled: of the HDF5 file only arrays are read, and column names as literals.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.labels.cells import to_number
from curation.labels.hdf5 import Hdf5, opened, texts
from curation.labels.literals import NoLiteral, read_literals
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.points import eye_points
from curation.labels.reading import Reading
from curation.labels.rows import Labels, Landmarks, UnknownFormat
from curation.labels.sheet import Sheet
from curation.labels.source import Source

KEY, TITLE = "deeplabcut", "Landmarks of DeepLabCut"
LEVELS = ("scorer", "individuals", "bodyparts", "coords")
COORDS = ("x", "y", "likelihood")
MOST_COLUMNS = 10_000


@dataclass(frozen=True)
class _Table:
    """A DeepLabCut table: columns as (scorer, animal, point, coordinate), rows by file or frame."""

    columns: tuple[tuple[str, str, str, str], ...]
    index: tuple[str, ...]
    values: NDArray[np.float64]
    rows: tuple[int, ...]


def recognises(source: Source, mapping: Mapping) -> Guess | None:
    """Whether the first rows, or the HDF5 groups, are those that DeepLabCut writes."""
    if source.kind == "hdf5":
        with opened(source.path, source.name) as file:
            if _group(file) is None:
                return None
            table = _from_hdf5(file, source.name)
        columns, index, certainty = table.columns, table.index, 0.9
    elif source.is_table:
        sheet = source.sheet(mapping.worksheet)
        if _header_rows(sheet) is None:
            return None
        columns, index, _ = _headers(sheet)
        certainty = 0.95
    else:
        return None
    proposed = dataclasses.replace(mapping, format=KEY)
    questions: tuple[Question, ...] = ()
    if not mapping.file and _counts_frames(index):
        name = _recording(source.stem)
        proposed = dataclasses.replace(proposed, file=name)
        sentence = f"Which recording do the frames belong to? Unless told, it is called “{name}”."
        questions = (Question("file", sentence, blocking=False),)
    points = tuple(dict.fromkeys(point for _, _, point, _ in columns))
    recognised = [(point, "landmark") for point in points]
    for eye, four in eye_points(points).items():
        recognised.append((", ".join(four), f"eye opening ({eye})"))
    return Guess(KEY, TITLE, certainty, proposed, tuple(recognised), questions)


def read(source: Source, mapping: Mapping) -> Labels:
    """Read landmarks; a cell that is no number is a problem and leaves its point missing."""
    reading = Reading(source.name, mapping, source.scale)
    if source.kind == "hdf5":
        with opened(source.path, source.name) as file:
            table = _from_hdf5(file, source.name)
    else:
        table = _from_sheet(source.sheet(mapping.worksheet), reading)
    reading.notes.append(
        "DeepLabCut counts frames from 0, in the order in which a player shows them."
    )
    found = _landmarks(table, mapping.file or _recording(source.stem), reading)
    return reading.labels(KEY, landmarks=tuple(found))


def _landmarks(table: _Table, recording: str, reading: Reading) -> Iterator[Landmarks]:
    counted = _counts_frames(table.index)
    places: list[tuple[int, str, int | None]] = []
    seen: set[tuple[str, int | None]] = set()
    for at, (name, row) in enumerate(zip(table.index, table.rows, strict=True)):
        file = recording if counted else reading.place(name, row)
        frame = int(float(name)) if counted else None
        if file is None:
            continue
        if (file, frame) in seen:
            reading.problem("The frame is named in an earlier row already; it was kept.", row)
            continue
        seen.add((file, frame))
        places.append((at, file, frame))
    kept = [at for at, _, _ in places]
    for scorer, animal in dict.fromkeys((column[0], column[1]) for column in table.columns):
        own = {
            (point, coord): at
            for at, (who, which, point, coord) in enumerate(table.columns)
            if (who, which) == (scorer, animal)
        }
        points = tuple(
            point
            for point in dict.fromkeys(point for point, _ in own)
            if (point, "x") in own and (point, "y") in own
        )
        if not points:
            continue
        xy = np.stack(
            [table.values[kept][:, [own[point, "x"], own[point, "y"]]] for point in points], axis=1
        )
        likelihood = np.full(xy.shape[:2], np.nan)
        for place, point in enumerate(points):
            if (point, "likelihood") in own:
                likelihood[:, place] = table.values[kept, own[point, "likelihood"]]
        # Half a point is none.
        xy[~np.isfinite(xy).all(axis=2)] = np.nan
        yield Landmarks(
            animal=animal,
            rater=scorer,
            by_program=any(coord == "likelihood" for _, coord in own),
            points=points,
            files=tuple(file for _, file, _ in places),
            frames=tuple(frame for _, _, frame in places),
            xy=xy,
            likelihood=likelihood,
        )


def _counts_frames(index: tuple[str, ...]) -> bool:
    return bool(index) and all(re.fullmatch(r"[0-9]{1,9}(\.0)?", name) for name in index)


def _recording(stem: str) -> str:
    """The recording by the name of its analysis: `m1DLC_resnet50_…` → `m1`."""
    return re.split(r"DLC[_A-Z]", stem, maxsplit=1)[0] or stem


def _header_rows(sheet: Sheet) -> int | None:
    """How many rows below the header belong to it, None where it is no DeepLabCut table."""
    first = [sheet.header[0].casefold(), *(cells[0].casefold() for _, cells in sheet.rows[:3])]
    if tuple(first) == LEVELS:
        return 3
    return 2 if tuple(first[:3]) == ("scorer", "bodyparts", "coords") else None


def _headers(
    sheet: Sheet,
) -> tuple[tuple[tuple[str, str, str, str], ...], tuple[str, ...], int]:
    """Return the columns, the names of the rows, and where the values begin."""
    below = _header_rows(sheet)
    if below is None:
        raise UnknownFormat(f"{sheet.name} has no header of DeepLabCut any more; send it again.")
    heads = [sheet.header, *(cells for _, cells in sheet.rows[:below])]
    width = min(max(len(head) for head in heads), MOST_COLUMNS)
    heads = [head + ("",) * (width - len(head)) for head in heads]
    # Newer versions split the path of a picture into several unnamed columns.
    first = next((at for at in range(1, width) if any(head[at] for head in heads)), width)
    columns = []
    for at in range(first, width):
        names = [head[at] for head in heads]
        scorer, animal = names[0], names[1] if below == 3 else ""
        columns.append((scorer, animal, names[-2], names[-1].casefold()))
    _check(columns, sheet.name)
    rows = sheet.rows[below:]
    index = tuple("/".join(part for part in cells[:first] if part) for _, cells in rows)
    return tuple(columns), index, first


def _from_sheet(sheet: Sheet, reading: Reading) -> _Table:
    columns, index, first = _headers(sheet)
    rows = sheet.rows[len(sheet.rows) - len(index) :]
    values = np.full((len(rows), len(columns)), np.nan)
    for place, (number, cells) in enumerate(rows):
        for at, text in enumerate(cells[first : first + len(columns)]):
            length = to_number(text)
            if length is not None:
                values[place, at] = length
            elif text and text.casefold() != "nan":
                reading.problem(
                    f"“{text[:40]}” is no coordinate; the point is left out.",
                    number,
                    " ".join(columns[at][2:]),
                )
    return _Table(columns, index, values, tuple(number for number, _ in rows))


def _group(file: Hdf5) -> str | None:
    for name in ("df_with_missing", *file.names()):
        kind = file.attribute(name, "pandas_type")
        if kind in (b"frame", b"frame_table", "frame", "frame_table"):
            return name
    return None


def _from_hdf5(file: Hdf5, name: str) -> _Table:
    group = _group(file)
    if group is None:
        raise UnknownFormat(f"{name} holds no table of DeepLabCut.")
    kind = file.attribute(group, "pandas_type")
    in_rows = kind in (b"frame_table", "frame_table")
    raw, index, values = (_appendable if in_rows else _fixed)(file, group, name)
    if values.ndim != 2 or values.shape != (len(index), len(raw)) or len(raw) > MOST_COLUMNS:
        raise UnknownFormat(f"{name} is damaged: its table does not fit its headers.")
    columns = []
    for levels in raw:
        if len(levels) not in (3, 4):
            raise UnknownFormat(f"{name} is a pandas table, but none of DeepLabCut.")
        animal = levels[1] if len(levels) == 4 else ""
        columns.append((levels[0], animal, levels[-2], levels[-1].casefold()))
    _check(columns, name)
    return _Table(tuple(columns), tuple(index), values, tuple(range(1, len(index) + 1)))


def _appendable(
    file: Hdf5, group: str, name: str
) -> tuple[list[tuple[str, ...]], list[str], NDArray[np.float64]]:
    """Read the kind that analysis writes: rows of (index, values)."""
    spelled = file.attribute(group, "non_index_axes")
    table = file.array(f"{group}/table")
    try:
        axes = read_literals(spelled if isinstance(spelled, bytes) else b"")
        columns = [tuple(str(level) for level in column) for column in axes[0][1]]
    except (NoLiteral, TypeError, IndexError, KeyError):
        raise UnknownFormat(
            f"{name} does not spell its columns as plain text; export it as CSV."
        ) from None
    fields = table.dtype.names if table is not None else None
    if table is None or not fields or "index" not in fields or "values_block_0" not in fields:
        raise UnknownFormat(f"{name} is a pandas table of a kind not known here; export it as CSV.")
    values = table["values_block_0"]
    return columns, texts(table["index"]), _numbers(values.reshape(len(table), -1), name)


def _fixed(
    file: Hdf5, group: str, name: str
) -> tuple[list[tuple[str, ...]], list[str], NDArray[np.float64]]:
    """Read the kind that labelling writes: one block of values and its axes."""
    values = file.array(f"{group}/block0_values")
    if values is None or file.attribute(group, "nblocks") != 1:
        raise UnknownFormat(f"{name} is a pandas table of a kind not known here; export it as CSV.")
    columns = _axis(file, group, "block0_items", name)
    index = ["/".join(levels) for levels in _axis(file, group, "axis1", name)]
    return columns, index, _numbers(values, name)


def _axis(file: Hdf5, group: str, axis: str, name: str) -> list[tuple[str, ...]]:
    damaged = UnknownFormat(f"{name} is damaged: the names of its rows or columns are missing.")
    plain = file.array(f"{group}/{axis}")
    if plain is not None:
        if plain.dtype.kind not in "SUiuf":
            raise UnknownFormat(f"{name} keeps its names as Python objects; export it as CSV.")
        return [(text,) for text in texts(plain)]
    levels = []
    for number in range(4):
        words = file.array(f"{group}/{axis}_level{number}")
        labels = file.array(f"{group}/{axis}_label{number}")
        if words is None or labels is None:
            break
        if words.dtype.kind not in "SUiuf" or labels.dtype.kind not in "iu" or labels.ndim != 1:
            raise UnknownFormat(f"{name} keeps its names as Python objects; export it as CSV.")
        known = texts(words)
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < len(known):
            raise damaged
        levels.append([known[label] for label in labels.tolist()])
    if not levels or len({len(level) for level in levels}) != 1:
        raise damaged
    return list(zip(*levels, strict=True))


def _numbers(values: NDArray[np.generic], name: str) -> NDArray[np.float64]:
    if values.dtype.kind not in "iuf":
        raise UnknownFormat(f"{name} holds something else than numbers in its table.")
    found = values.astype(np.float64)
    found[~np.isfinite(found)] = np.nan
    return found


def _check(columns: list[tuple[str, str, str, str]], name: str) -> None:
    if not columns:
        raise UnknownFormat(f"{name} has headers of DeepLabCut and no landmarks below them.")
    for column in columns:
        if column[3] not in COORDS:
            raise UnknownFormat(
                f"{name} has a column “{column[3][:40]}” where DeepLabCut has x, y or likelihood."
            )
    if len(set(columns)) != len(columns):
        raise UnknownFormat(f"{name} names a landmark twice; delete one of the columns.")


FORMAT = Format(KEY, TITLE, recognises, read)

"""A look at a label file before anything of it is kept: what it is, what it asks, its first rows.

A look is plain JSON, kept on the import and shown by pages and API alike (``label_queries``):

``refusal``     why nothing may be read yet; empty where it may
``known``       whether a format knows the file at all
``format``, ``title``, ``formats``   the format, in words, and all that the file may be
``recognised``  pairs: what the file calls something, what it was taken for
``headers``     what the columns are called, of a table
``mapping``     what is proposed, and would be confirmed
``questions``   ``{field, sentence, choices, blocking}``
``counts``, ``notes``, ``problems``   what would be read
``names``       per kind of name (files, animals, time_points): how many are found, and those not
``lines``       the first ten rows, each with the picture it is about
``answers``     the digest of the answers it was looked at with
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amgs.core.jobs import Context
from amgs.files.storage import get_storage
from amgs.repository import media_files
from amgs.repository.models import Frame, Recording
from amgs.repository.places import LEFT_OUT, Places
from amgs.repository.reading import notes_of, observed, problems_json

if TYPE_CHECKING:
    from curation import labels as reader
    from curation.labels import Guess, Labels, Preview, PreviewLine

MOST_NAMES = 200
"""Names that are not found; more are counted."""
MOST_DECODED = 20_000
"""Frames of a film that a look goes through for its pictures; later ones show the poster."""
Json = dict[str, Any]


def look(context: Context, path: Path, name: str, mapping: reader.Mapping, places: Places) -> Json:
    """Return what a file would be read as, with these answers."""
    from curation.labels import UnknownFormat, headers, preview, sniff

    context.progress(0.05, "recognising the file")
    columns = list(headers(path, mapping, name=name))
    try:
        shown = preview(path, mapping, name=name, pictures=places.sizes)
    except UnknownFormat as refused:
        return {
            "known": False,
            "refusal": refused.sentence,
            "headers": columns,
            "mapping": mapping.to_json(),
            "questions": [_question(row) for row in refused.questions],
            "lines": [],
        }
    told = shown.guess.mapping
    found: Json = _of_guess(shown.guess) | {
        "known": True,
        "refusal": shown.refusal,
        "headers": columns,
        "mapping": told.to_json(),
        "formats": [
            [guess.format, guess.title] for guess in sniff(path, name=name, pictures=places.sizes)
        ],
        "counts": {},
        "notes": [],
        "problems": [],
        "names": {},
    }
    if shown.labels is not None:
        context.progress(0.4, "looking for the recordings it names")
        found |= {
            "counts": shown.labels.counts,
            "notes": notes_of(shown.labels),
            "names": _names(shown.labels, places),
        }
        _place_numbers(shown.labels, places)
        found["problems"] = problems_json([*shown.labels.problems, *places.problems])
    context.progress(0.6, "looking for the pictures")
    found["lines"] = _lines(context, shown, places)
    return found


def _of_guess(guess: Guess) -> Json:
    return {
        "format": guess.format,
        "title": guess.title,
        "recognised": [list(pair) for pair in guess.recognised],
        "questions": [_question(row) for row in guess.questions],
    }


def _question(row: Any) -> Json:
    return {
        "field": row.field,
        "sentence": row.sentence,
        "choices": [list(pair) for pair in row.choices],
        "blocking": row.blocking,
    }


def _names(labels: Labels, places: Places) -> Json:
    """Return how many names were found here, and which were not, with the sentence."""
    by_observation = [
        (row.file, *observed(labels, row.file, row.animal, row.observation))
        for row in labels.observations
    ]
    of_files = {file for file, animal, _ in by_observation if not animal}
    told = places.told
    result: Json = {}
    files = [name for name in labels.files if not by_observation or name in of_files]
    answers = {name: places.recording(name) for name in files}
    result["files"] = _found(
        files,
        {name: row for name, row in answers.items() if isinstance(row, str)},
        told.files,
    )
    lost: dict[str, dict[str, str]] = {"animals": {}, "time_points": {}}
    for _, animal, when in dict.fromkeys(by_observation):
        if animal and places.observation(animal, when, "", None) is None:
            known = places.knows_animal(animal)
            kind, missing = ("time_points", when) if known else ("animals", animal)
            sentence = next((row.sentence for row in reversed(places.problems)), "")
            lost[kind].setdefault(missing, sentence)
    for place, kind in ((1, "animals"), (2, "time_points")):
        named = list(dict.fromkeys(row[place] for row in by_observation if row[1]))
        result[kind] = _found(named, lost[kind], getattr(told, kind))
    return {kind: row for kind, row in result.items() if row["named"]}


def _found(names: list[str], lost: Mapping[str, str], told: Mapping[str, str]) -> Json:
    left_out = [name for name in names if told.get(name) == LEFT_OUT]
    missing = [name for name in names if name in lost and name not in left_out]
    return {
        "named": len(names),
        "found": len(names) - len(missing) - len(left_out),
        "left_out": len(left_out),
        "missing": [[name, lost[name]] for name in missing[:MOST_NAMES]],
    }


def _place_numbers(labels: Labels, places: Places) -> None:
    """Look for every frame that is named by number; times would need the whole film decoded."""
    for row in (*labels.rows, *labels.program_rows):
        if row.time_s is None:
            places.frame(row.file, row.frame, None, row.row)
    for box in labels.boxes:
        places.frame(box.file, None, None, box.row)
    for one in labels.classes:
        places.frame(one.file, None, None, None)
    for table in labels.landmarks:
        for file, frame in zip(table.files, table.frames, strict=True):
            places.frame(file, frame, None, None)


# The first rows, on their pictures ----------------------------------------------------------


def _lines(context: Context, shown: Preview, places: Places) -> list[Json]:
    lines = []
    wanted: dict[int, list[tuple[Json, int | None, float | None]]] = defaultdict(list)
    for line in shown.lines:
        row: Json = {
            "row": line.row,
            "file": line.file,
            "frame": line.frame,
            "time_s": line.time_s,
            "raw": [list(pair) for pair in line.raw],
            "meaning": [list(pair) for pair in line.meaning],
            "recording": None,
            "number": None,
            "picture": "",
            "exact": False,
            "marks": None,
        }
        found = places.recording(line.file) if line.file else ""
        if not isinstance(found, str):
            recording, taken_out = found
            row |= {"recording": recording.name, "picture": recording.poster_key}
            row["marks"] = _marks(line, shown.labels, recording)
            frame = line.frame if line.frame is not None else taken_out
            if frame is None and line.time_s is None:
                frame = 0
            wanted[recording.pk].append((row, frame, line.time_s))
        lines.append(row)
    by_key = {row.pk: row for row in places.recordings}
    for pk, rows in wanted.items():
        if any(name := row.get("file") for row, _, _ in rows) and shown.labels is not None:
            context.progress(0.6, f"pictures of {name}")
            _find_pictures(context, by_key[pk], rows)
    return lines


def _find_pictures(
    context: Context, recording: Recording, rows: list[tuple[Json, int | None, float | None]]
) -> None:
    """Give each row the still of its frame; where it has none, decode the film up to it."""
    held = {
        row.number: row for row in Frame.objects.filter(recording=recording).exclude(still_key="")
    }
    open_rows = []
    for row, number, time_s in rows:
        if number in held:
            row |= {"number": number, "picture": held[number].still_key, "exact": True}
        else:
            open_rows.append((row, number, time_s))
    if not open_rows:
        return
    from models.media import Unreadable, open_media

    try:
        with (
            media_files.named_copy(recording.blob, recording.name) as path,
            open_media(path) as media,
        ):
            before = None
            for frame in islice(media, MOST_DECODED):
                still_open = []
                for row, number, time_s in open_rows:
                    if number is not None and frame.index == number:
                        _take(context, row, frame)
                    elif number is None and before is not None and frame.time_s > time_s + 1e-6:
                        _take(context, row, before)
                    else:
                        still_open.append((row, number, time_s))
                open_rows, before = still_open, frame
                if not open_rows:
                    break
                if frame.index % 100 == 0:
                    context.check()
            else:
                # The last frame stays on the screen to the end.
                length = float(recording.media.get("duration_s", 0.0))
                for row, number, time_s in open_rows:
                    if number is None and before is not None and time_s < length:
                        _take(context, row, before)
    except Unreadable:
        return  # the poster stands for it


def _take(context: Context, row: Json, frame: Any) -> None:
    key = context.key(f"row-{row['row']}-{frame.index}.jpg")
    get_storage().put(key, media_files.jpeg(frame.image, media_files.POSTER_LONGEST))
    row |= {"number": frame.index, "picture": key, "exact": True}


def _marks(line: PreviewLine, labels: Labels | None, recording: Recording) -> Json | None:
    """Return points and boxes of a row, and the size of the picture they lie in, in pixels."""
    width, height = recording.media.get("width"), recording.media.get("height")
    if labels is None or not width or not height:
        return None
    boxes = [
        list(box.corners) for box in labels.boxes if (box.file, box.row) == (line.file, line.row)
    ]
    points = []
    if labels.landmarks:
        for _, text in line.meaning:
            numbers = text.split(", ")
            if len(numbers) == 2:
                points.append([float(number) for number in numbers])
    if not boxes and not points:
        return None
    return {"width": width, "height": height, "boxes": boxes, "points": points}

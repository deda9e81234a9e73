"""Labels in the formats labs have: sniff, preview, confirm, read.

`sniff(path)` says what a file may be, `preview(path, mapping)` what its first ten lines would be
read as, `read(path, mapping)` gives rows and problems; `mapping` is what the investigator confirmed
in between. One module per format, a stranger's too (`registry.py`). Nothing here knows which
recordings exist: matching file names to recordings is the caller's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator
from collections.abc import Mapping as Sizes
from pathlib import Path

from curation.labels.archive import unpacked
from curation.labels.conversion import Conversion, conversion
from curation.labels.declaration import Declaration
from curation.labels.mapping import Format, Guess, Mapping, Question
from curation.labels.names import parts_of_names
from curation.labels.preview import Preview, PreviewLine, preview_of
from curation.labels.registry import formats, guess_of, read_by, refused_plugins
from curation.labels.rows import (
    FaceBox,
    LabelRow,
    Labels,
    Landmarks,
    ObservationScore,
    PictureClass,
    Skipped,
    UnknownFormat,
)
from curation.labels.source import Source
from curation.labels.unknown import what_was_recognised
from curation.problems import Problem
from curation.sentences import listing
from models.scale import Scale

__all__ = [
    "Conversion",
    "Declaration",
    "FaceBox",
    "Format",
    "Guess",
    "LabelRow",
    "Labels",
    "Landmarks",
    "Mapping",
    "ObservationScore",
    "PictureClass",
    "Preview",
    "PreviewLine",
    "Question",
    "Skipped",
    "Source",
    "UnknownFormat",
    "conversion",
    "formats",
    "headers",
    "import_key",
    "opened",
    "preview",
    "read",
    "refused_plugins",
    "sniff",
]


def sniff(
    path: Path | str,
    mapping: Mapping | None = None,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    pictures: Sizes[str, tuple[int, int]] | None = None,
) -> tuple[Guess, ...]:
    """Return what a file may be, the likeliest first; nothing where no format knows it.

    `name` is what the investigator calls the file where it is stored under another name; `pictures`
    the (width, height) in pixels of pictures by name, for boxes. Never raises for bad content.
    """
    try:
        with opened(path, name=name, scale=scale, pictures=pictures) as source:
            return _guesses(source, mapping or Mapping())
    except UnknownFormat:
        return ()


def read(
    path: Path | str,
    mapping: Mapping | None = None,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    pictures: Sizes[str, tuple[int, int]] | None = None,
) -> Labels:
    """Read a label file into rows and problems.

    `mapping` is what the investigator confirmed; without one, only what is beyond doubt is read.
    Raises `UnknownFormat` with a sentence when the file is no label file, or with its `questions`
    when something must be confirmed first, such as the rule for another scale. Single bad cells are
    problems and block nothing but themselves.
    """
    told = mapping or Mapping()
    with opened(path, name=name, scale=scale, pictures=pictures) as source:
        guess = _best(source, told)
        if guess.open_questions:
            sentence = " ".join(question.sentence for question in guess.open_questions)
            raise UnknownFormat(sentence, guess.open_questions)
        return _read(source, told, guess)


def preview(
    path: Path | str,
    mapping: Mapping | None = None,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    pictures: Sizes[str, tuple[int, int]] | None = None,
) -> Preview:
    """Return what would be read, and the first ten lines beside the cells they came from.

    Raises `UnknownFormat` only for a file that no format knows; what must be confirmed first is the
    preview's `refusal`.
    """
    told = mapping or Mapping()
    with opened(path, name=name, scale=scale, pictures=pictures) as source:
        guess = _best(source, told)
        labels, refusal = None, " ".join(question.sentence for question in guess.open_questions)
        if not refusal:
            try:
                labels = _read(source, told, guess)
            except UnknownFormat as refused:
                refusal = refused.sentence
        return preview_of(source, guess, labels, refusal)


def headers(
    path: Path | str, mapping: Mapping | None = None, *, name: str | None = None
) -> tuple[str, ...]:
    """Return what the columns of a table are called; nothing of a file that is no table.

    For files that no format knows before somebody says what their columns are.
    """
    try:
        with opened(path, name=name) as source:
            return source.sheet((mapping or Mapping()).worksheet).header if source.is_table else ()
    except UnknownFormat:
        return ()


@contextlib.contextmanager
def opened(
    path: Path | str,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    pictures: Sizes[str, tuple[int, int]] | None = None,
) -> Iterator[Source]:
    """Give a file, or the folder of pictures in a zip archive, as a `Source`.

    Raises `UnknownFormat` for what no reader could ever take.
    """
    path = Path(path)
    with unpacked(path, name or path.name) as place:
        yield Source(place, name or path.name, scale, pictures)


def import_key(path: Path | str, mapping: Mapping | None = None) -> str:
    """Return a digest (SHA-256, hex) of a file and what was confirmed about it.

    The same key means the same rows, so an import that is named by it can be repeated and undone as
    a whole. A folder counts by the names and sizes of its files. Raises `UnknownFormat`.
    """
    path = Path(path)
    digest = hashlib.sha256(json.dumps((mapping or Mapping()).to_json(), sort_keys=True).encode())
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                if file.is_file():
                    line = f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\n"
                    digest.update(line.encode("utf-8", errors="surrogateescape"))
        else:
            with path.open("rb") as opened:
                digest.update(hashlib.file_digest(opened, "sha256").digest())
    except OSError as error:
        raise UnknownFormat(
            f"{path.name} cannot be opened ({error.strerror}); send it again."
        ) from None
    return digest.hexdigest()


def _guesses(source: Source, mapping: Mapping) -> tuple[Guess, ...]:
    asked = [form for form in formats() if mapping.format in ("", form.key)]
    if not asked:
        known = ", ".join(form.key for form in formats())
        raise UnknownFormat(f"There is no format “{mapping.format[:40]}”; there are {known}.")
    found = [guess for form in asked if (guess := guess_of(form, source, mapping)) is not None]
    if source.kind == "excel":
        # Named, so that what is proposed means the same once another worksheet is filled.
        sheet = source.sheet(mapping.worksheet).worksheet
        found = [
            dataclasses.replace(guess, mapping=dataclasses.replace(guess.mapping, worksheet=sheet))
            for guess in found
        ]
    return tuple(sorted(found, key=lambda guess: -guess.certainty))


def _best(source: Source, mapping: Mapping) -> Guess:
    found = _guesses(source, mapping)
    if not found:
        raise UnknownFormat(what_was_recognised(source, mapping))
    return found[0]


def _read(source: Source, mapping: Mapping, guess: Guess) -> Labels:
    form = next(form for form in formats() if form.key == guess.format)
    # What the file does not say and the guess proposes, such as its recording, holds unless told.
    told = dataclasses.replace(mapping, file=mapping.file or guess.mapping.file)
    labels = read_by(form, source, told)
    if not mapping.names:
        return labels
    named = parts_of_names(mapping.names, labels.files)
    strangers = [file for file in labels.files if file not in named]
    if strangers:
        sentence = f"The names of {listing(strangers)} do not fit the pattern {mapping.names}."
        problems = (*labels.problems, Problem(sentence, file=source.name))
        labels = dataclasses.replace(labels, problems=problems)
    return dataclasses.replace(labels, named=named)

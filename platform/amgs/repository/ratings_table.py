"""The ratings of a version as one table, streamed as CSV or Parquet in flat memory."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.spreadsheets import plain_cell
from amgs.repository.exclusions import without_left_out
from amgs.repository.frozen import places_of
from amgs.repository.models import LabelImport, Rating, Version
from amgs.repository.rules import PUBLIC_STATES, is_of_own_lab
from amgs.repository.services.labels import declares
from curation.citing import Cited, sentence

ROWS = 20_000
"""Rows held in memory at a time; also a row group of the Parquet file."""
COLUMNS: dict[str, tuple[str, str]] = {
    "version": ("text", "identifier of the version"),
    "licence": ("text", "SPDX identifier of the licence"),
    "phantom": ("boolean", "whether the data are rendered and show no animal"),
    "recording": ("text", "id of the recording"),
    "file": ("text", "name of the recording"),
    "animal": ("text", "the animal: the lab's name for the lab, a pseudonym for others"),
    "observation": ("text", "time point of the animal"),
    "frame": ("integer", "number of the frame in presentation order, from 0"),
    "pts": ("integer", "presentation timestamp in units of the time base"),
    "time_base": ("text", "seconds per unit of pts, as a fraction"),
    "time_s": ("number", "time of the frame in seconds"),
    "unit": ("text", "action unit"),
    "grade": ("integer", "grade, empty where not scorable"),
    "reason": ("text", "why it is not scorable, empty where graded"),
    "rater": ("text", "the rater: the name for the lab, a pseudonym for others"),
    "source": ("text", "sheet: came with the dataset; audit: rated blind on the site"),
    "blind": ("text", "whether the rater was blind to group and time: yes, no or unknown"),
    "random_share": ("boolean", "whether the frame was drawn at random, not chosen"),
}
"""Column → (text, integer, number or boolean; what it means)."""
_ARROW = {"text": "string", "integer": "int64", "number": "float64", "boolean": "bool"}
_FIELDS = (
    "frame__recording__public_id",
    "frame__recording__name",
    "frame__recording__observation__animal__{name}",
    "frame__recording__observation__name",
    "frame__number",
    "frame__pts",
    "frame__tb_num",
    "frame__tb_den",
    "frame__time_s",
    "unit",
    "grade",
    "reason",
    "rater_name",
    "source",
    "label_import_id",
    "random_share",
)


class Pieces(io.RawIOBase):
    """A file that is only written to; ``take`` returns what came since it was last asked."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        """Pieces are written."""
        return True

    def write(self, data: Any) -> int:
        """Take a piece."""
        piece = bytes(data)
        self._held.append(piece)
        self._at += len(piece)
        return len(piece)

    def tell(self) -> int:
        """How many bytes were written."""
        return self._at

    def take(self) -> bytes:
        """Return the bytes that were written since it was last asked."""
        data = b"".join(self._held)
        self._held.clear()
        return data


@dataclass(frozen=True)
class _Reader:
    """Turns rows of the database into rows of the table, for one person."""

    version: Version
    names: bool
    blind: Mapping[int, str]
    places: Mapping[str, tuple[str, str]] | None
    """Recording → animal and time point as the version keeps them; where None, the rows tell."""

    def row(self, found: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return a row in the order of ``COLUMNS``."""
        (recording, file, animal, observation, frame, pts, num, den, time_s) = found[:9]
        (unit, grade, reason, rater, source, sheet, random_share) = found[9:]
        if self.places is not None:
            animal, observation = self.places.get(recording, (None, None))
        blind = "yes" if source == Rating.Source.AUDIT else self.blind.get(sheet, "unknown")
        return (
            self.version.identifier,
            self.version.licence,
            self.version.dataset.phantom,
            recording,
            file,
            animal,
            observation,
            frame,
            pts,
            f"{num}/{den}",
            time_s,
            unit,
            grade,
            reason or None,
            rater if self.names else self.pseudonym(rater),
            source,
            blind,
            random_share,
        )

    def pseudonym(self, rater: str) -> str:
        """Return a name for a rater that is the same in every export of the dataset."""
        key = f"{self.version.dataset.public_id}:{rater}"
        return f"r-{salted_hmac('amgs.rater', key).hexdigest()[:8]}"


def ratings_of(version: Version) -> QuerySet[Rating]:
    """Return the ratings of a version: before it is published, those that came with it."""
    rows = Rating.objects.of_version(version)
    rows = without_left_out(rows, version, frame="frame_id", recording="frame__recording_id")
    # An audit must stay unseen while it goes on, by the lab too.
    return rows if version.state in PUBLIC_STATES else rows.filter(source=Rating.Source.SHEET)


def table(actor: Actor, version: Version) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the ratings of a version in blocks of rows in the order of ``COLUMNS``.

    They come through a cursor of the server, so that memory stays flat however many there are.
    """
    own = is_of_own_lab(actor, version)
    sheets = LabelImport.objects.filter(versions=version)
    reader = _Reader(
        version,
        names=bool(policy.may(actor, "see_ratings", version)),
        blind={
            row.pk: declares(row, version.metadata, "raters_blind") or "unknown" for row in sheets
        },
        places=places_of(version, own),
    )
    fields = [field.format(name="name" if own else "pseudonym") for field in _FIELDS]
    rows = (
        ratings_of(version)
        .order_by("frame__recording_id", "frame_id", "pk")
        .values_list(*fields)
        .iterator(chunk_size=ROWS)
    )
    # Inside a transaction PostgreSQL sends rows as they are found; outside it would put all of
    # them aside first. SQLite would keep all others from writing.
    streaming = transaction.atomic() if connection.vendor == "postgresql" else _nothing()
    # Who goes away in the middle ends the cursor first, and then its transaction.
    with streaming, contextlib.closing(rows):
        block: list[tuple[Any, ...]] = []
        for found in rows:
            block.append(reader.row(found))
            if len(block) == ROWS:
                yield block
                block = []
        if block:
            yield block


def _nothing() -> contextlib.AbstractContextManager[None]:
    return contextlib.nullcontext()


def as_csv(actor: Actor, version: Version) -> Iterator[bytes]:
    """Yield the table as CSV (RFC 4180, UTF-8); booleans are ``true`` and ``false``."""
    text = io.StringIO()
    writer = csv.writer(text)

    def taken() -> bytes:
        data = text.getvalue().encode()
        text.seek(0)
        text.truncate()
        return data

    writer.writerow(COLUMNS)
    yield taken()
    for block in table(actor, version):
        for row in block:
            writer.writerow([_csv_cell(value) for value in row])
        yield taken()


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return plain_cell(value)


def as_parquet(actor: Actor, version: Version, cited: Cited) -> Iterator[bytes]:
    """Yield the table as Parquet; the metadata key ``amgs`` holds licence, version and citation."""
    import pyarrow as pa  # a process of the site that exports nothing does without
    import pyarrow.parquet as pq

    told = {
        "version": version.identifier,
        "licence": version.licence,
        "phantom": version.dataset.phantom,
        "state": version.state,
        "citation": sentence(cited),
        "notes": list(cited.notes),
    }
    schema = pa.schema(
        [
            pa.field(name, pa.type_for_alias(_ARROW[kind]), metadata={"meaning": text})
            for name, (kind, text) in COLUMNS.items()
        ],
        metadata={"amgs": json.dumps(told, ensure_ascii=False)},
    )
    sink = Pieces()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for block in table(actor, version):
            columns = [
                pa.array(column, type=field.type)
                for column, field in zip(zip(*block, strict=True), schema, strict=True)
            ]
            writer.write_batch(pa.record_batch(columns, schema=schema))
            yield sink.take()
    yield sink.take()

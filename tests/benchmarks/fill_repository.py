"""Fill a migrated PostgreSQL with frames and ratings by the million, for figures about lists.

Run with the settings of a site: ``python fill_repository.py FRAMES RATINGS EXPORTED``. Prints JSON:
a token, the version to page through and the one to export, and where its last page begins.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import django
from django.db import connection, transaction

PER_RECORDING = 100
CHUNK = 500_000
MEDIA = {"frame_count": 4000, "duration_s": 160.0}


def main(frames: int, ratings: int, exported: int) -> dict[str, Any]:
    """Make two published versions of a lab; the second holds the ratings to be exported."""
    from amgs.accounts.models import Lab, Membership, User
    from amgs.accounts.services import create_token

    alice = User.objects.create_user("alice@example.org", full_name="Alice Arber")
    lab = Lab.objects.create(name="Harbour")
    Membership.objects.create(user=alice, lab=lab, is_head=True)
    token = create_token(user=alice, name="figures", scopes=["read"])[1]
    per_frame = max(1, ratings // frames)
    small = max(PER_RECORDING, exported // per_frame)
    big = _version(alice, lab, "A million frames", frames - small, per_frame)
    _version(alice, lab, "A million ratings", small, per_frame)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return {"token": token, "after_last": big}


def _version(alice: Any, lab: Any, title: str, frames: int, per_frame: int) -> str:
    """Make a published version; return where its last hundred frames begin."""
    from django.utils import timezone

    from amgs.core import vocabulary
    from amgs.repository.frozen import freeze
    from amgs.repository.models import (
        Animal,
        Frame,
        LabelImport,
        Observation,
        Permission,
        Rating,
        Recording,
        Version,
    )
    from amgs.repository.services import create_dataset

    version = create_dataset(by=alice, lab=lab, title=title, licence="CC0-1.0", phantom=True)
    dataset = version.dataset
    Permission.objects.create(version=version, kind="download", text_version="1", signer_name="A")
    count = -(-frames // PER_RECORDING)
    animals = Animal.objects.bulk_create(
        Animal(dataset=dataset, name=f"m{number}", pseudonym=f"M{number:03d}")
        for number in range(max(1, count // 50))
    )
    times = Observation.objects.bulk_create(
        Observation(animal=animal, name=name) for animal in animals for name in ("before", "after")
    )
    recordings = Recording.objects.bulk_create(
        (
            Recording(
                dataset=dataset,
                observation=times[number % len(times)],
                name=f"r{number:06d}.mp4",
                status="ready",
                media=MEDIA,
            )
            for number in range(count)
        ),
        batch_size=1000,
    )
    Recording.versions.through.objects.bulk_create(
        (
            Recording.versions.through(recording_id=row.pk, version_id=version.pk)
            for row in recordings
        ),
        batch_size=5000,
    )
    sheet = LabelImport.objects.create(
        dataset=dataset, name="scores.csv", status="done", frames_matched=frames
    )
    first = _fill(
        Frame,
        frames,
        public_id=f"substr(md5('{version.public_id}' || g), 1, 26)",
        recording_id=f"{recordings[0].pk} + g / {PER_RECORDING}",
        pts=f"(g % {PER_RECORDING}) * 40",
        tb_num="1",
        tb_den="1000",
        number=f"g % {PER_RECORDING}",
        time_s=f"(g % {PER_RECORDING}) * 0.04",
        still_key="'stills/' || substr(md5(g::text), 1, 2) || '/' || md5(g::text) || '.jpg'",
    )
    units = ", ".join(f"'{unit}'" for unit in vocabulary.unit_keys())
    number = len(vocabulary.unit_keys())
    _fill(
        Rating,
        frames * per_frame,
        public_id=f"substr(md5('{sheet.public_id}' || g), 1, 26)",
        frame_id=f"{first} + g / {per_frame}",
        unit=f"(ARRAY[{units}])[1 + (g % {per_frame}) % {number}]",
        grade="g % 3",
        rater_name=f"'rater ' || (g % {per_frame}) / {number}",
        source="'sheet'",
        label_import_id=str(sheet.pk),
    )
    Version.objects.filter(pk=version.pk).update(
        state="published", published_at=timezone.now(), design=freeze(version)
    )
    last = Frame.objects.filter(pk=first + max(0, frames - PER_RECORDING - 1))
    return "{}.{}".format(*last.values_list("recording_id", "pk")[0])


def _fill(model: Any, count: int, **expressions: str) -> int:
    """Insert rows numbered ``g`` from 0, other columns by default; return the first key.

    Columns are read off the model, so that a new one with a default needs nothing here.
    """
    names, values, given = [], [], []
    for field in model._meta.concrete_fields:
        if field.primary_key:
            continue
        names.append(connection.ops.quote_name(field.column))
        if field.attname in expressions:
            values.append(expressions[field.attname])
        elif getattr(field, "auto_now_add", False):
            values.append("now()")
        else:
            values.append("%s")
            given.append(field.get_db_prep_save(field.get_default(), connection))
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"INSERT INTO {table} ({', '.join(names)}) SELECT {', '.join(values)} "
    statement = statement.replace("% ", "%% ")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT coalesce(max(id), 0) FROM {table}")  # noqa: S608
        before = cursor.fetchone()[0]
        for start in range(0, count, CHUNK):
            with transaction.atomic():
                cursor.execute(
                    statement + "FROM generate_series(%s, %s) AS g ORDER BY g",
                    [*given, start, min(start + CHUNK, count) - 1],
                )
        cursor.execute(f"SELECT min(id) FROM {table} WHERE id > %s", [before])  # noqa: S608
        return int(cursor.fetchone()[0])


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(*map(int, sys.argv[1:4]))))

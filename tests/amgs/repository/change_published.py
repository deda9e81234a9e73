"""Publish on a site that was just made, then try to change what was published; print JSON.

A program of its own: migrations and triggers need a database that is in no test's transaction.
"""

from __future__ import annotations

import datetime
import json
import os
import sys

ROOT = sys.argv[1]
sys.path[:0] = [ROOT, f"{ROOT}/platform"]
os.environ["DJANGO_SETTINGS_MODULE"] = "amgs.settings.testing"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import DatabaseError, transaction  # noqa: E402

from amgs.accounts.models import Lab  # noqa: E402
from amgs.repository.models import (  # noqa: E402
    Animal,
    Dataset,
    Exclusion,
    Frame,
    LabelImport,
    Observation,
    Permission,
    Recording,
    Version,
)

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
OTHER = {
    "number": 9,
    "title": "New",
    "description": "New",
    "ethics": "New",
    "funder": "New",
    "metadata": {"assay": "other_assay"},
    "contributors": [{"name": "New", "orcid": "", "role": "author"}],
    "embargo_until": datetime.date(2099, 1, 1),
    "submitted_at": NOW,
    "published_at": NOW,
    "facts": {"new": True},
    "design": {"new": True},
    "licence": "CC-BY-4.0",
    "state": "draft",
    "deleted_at": NOW,
}


def publish() -> Version:
    """Write a published version straight into the tables."""
    dataset = Dataset.objects.create(number=1, lab=Lab.objects.create(name="Harbour"))
    version = Version.objects.create(dataset=dataset, title="A study", licence="CC0-1.0")
    animal = Animal.objects.create(dataset=dataset, name="m1", pseudonym="M001")
    observation = Observation.objects.create(animal=animal, name="baseline")
    recording = Recording.objects.create(dataset=dataset, name="a.mp4", observation=observation)
    recording.versions.add(version)
    Frame.objects.create(recording=recording, pts=0, tb_num=1, tb_den=25, number=0, time_s=0.0)
    sheet = LabelImport.objects.create(dataset=dataset, name="s.csv", status="done")
    sheet.versions.add(version)
    Permission.objects.create(version=version, kind="train", text_version="2026-1")
    Version.objects.filter(pk=version.pk).update(
        state="published", published_at=datetime.datetime.now(datetime.UTC)
    )
    return version


def refused(write) -> bool:
    """Return whether the database refuses a write."""
    try:
        with transaction.atomic():
            write()
    except DatabaseError as error:
        return "does not change" in str(error)
    return False


def main() -> None:
    """Publish, and try every write."""
    call_command("migrate", verbosity=0)
    version = publish()
    found: dict[str, object] = {}
    row = Version.objects.filter(pk=version.pk)
    other = Recording.objects.create(dataset=version.dataset, name="b.mp4")
    writes = {
        name: (lambda name=name, value=value: row.update(**{name: value}))
        for name, value in OTHER.items()
    } | {
        "delete": row.delete,
        "add a recording": lambda: version.recordings.add(other),
        "remove a recording": lambda: version.recordings.clear(),
        "remove a sheet": lambda: version.sheets.clear(),
        "exclude a frame": lambda: Exclusion.objects.create(
            version=version, frame=Frame.objects.get(), reason="No."
        ),
    }
    found["changed"] = sorted(name for name, write in writes.items() if not refused(write))
    row.update(state="withdrawn", files_deleted_at=NOW)
    found["left"] = Version.objects.get().state
    call_command("flush", interactive=False, verbosity=0)
    found["flushed"] = Version.objects.count() == 0
    publish()
    found["guarded"] = refused(lambda: Version.objects.update(title="New"))
    print(json.dumps(found))


main()

"""Promote two versions at one moment, again and again; print how each round ended.

A program of its own: the database of the test session is SQLite, this one wants PostgreSQL.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid

ROOT, ROUNDS = sys.argv[1], int(sys.argv[2])
sys.path[:0] = [ROOT, f"{ROOT}/platform"]
os.environ["DJANGO_SETTINGS_MODULE"] = "amgs.settings.testing"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from amgs.accounts.models import Grant, User  # noqa: E402
from amgs.core.errors import Problem  # noqa: E402
from amgs.registry import services  # noqa: E402
from amgs.registry.models import ModelVersion  # noqa: E402


def approved(person: User) -> ModelVersion:
    """Return a new approved version."""
    version = services.register_version(
        bundle_key="k", bundle_sha256="b" * 64, digest="d" * 64, info={}, report={}
    )
    services.record_verdicts(version=version, verdicts=[], refused_by=[], comparison={})
    services.decide_model(by=person, version=version, action="approve", why="for the test")
    return version


def main() -> None:
    """Run the rounds."""
    call_command("migrate", verbosity=0)
    person = User.objects.create_user(f"{uuid.uuid4().hex}@example.org", full_name="Mia Moreau")
    Grant.objects.create(user=person, role="maintainer")
    rounds = []
    for number in range(ROUNDS):
        if number % 2:  # every second round begins with none serving
            for row in ModelVersion.objects.filter(state="serving"):
                services.decide_model(by=person, version=row, action="retire", why="for the test")
        versions = [approved(person), approved(person)]
        barrier = threading.Barrier(2)
        ended: list[str] = []

        def promote(
            version: ModelVersion,
            barrier: threading.Barrier = barrier,
            ended: list[str] = ended,
        ) -> None:
            barrier.wait()
            try:
                services.decide_model(by=person, version=version, action="promote", why="now")
                ended.append("promoted")
            except Problem as problem:
                ended.append(type(problem).__name__)
            finally:
                connection.close()

        threads = [threading.Thread(target=promote, args=(version,)) for version in versions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        serving = ModelVersion.objects.filter(state="serving").count()
        rounds.append({"ended": sorted(ended), "serving": serving})
    print(json.dumps(rounds))


main()

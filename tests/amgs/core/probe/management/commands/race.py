"""Let threads with connections of their own decide at the same time; say what came of it."""

from __future__ import annotations

import json
import threading
from typing import Any

from django.core.management.base import BaseCommand
from django.db import connection, transaction

from amgs.accounts.models import Lab, Membership, User
from amgs.core.decisions import broken_links, decide, record
from amgs.core.errors import Conflict
from amgs.core.idempotency import once
from amgs.core.ids import new_id
from amgs.core.models import Decision
from amgs.repository.models import Dataset, Version

WRITERS = 4
EACH = 25


class Command(BaseCommand):
    """``race``: four remark at once, four decide on the same, two decide crosswise on two.

    And four send the same requests with the same keys.
    """

    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        lab = Lab.objects.create(name="Race")
        user = User.objects.create(email="race@example.org", full_name="Racer")
        Membership.objects.create(user=user, lab=lab)
        dataset = Dataset.objects.create(number=1, lab=lab)
        versions = [
            Version.objects.create(dataset=dataset, number=n, title=f"v{n}") for n in (1, 2, 3)
        ]

        def remark() -> None:
            for number in range(EACH):
                record(versions[0], "remark", by=user, why=f"remark {number}")

        errors = _at_once([remark] * WRITERS)
        conflicts: list[str] = []

        def submit() -> None:
            stale = Version.objects.get(pk=versions[0].pk)
            barrier.wait()
            try:
                decide(stale, "submit", by=user)
            except Conflict as conflict:
                conflicts.append(conflict.sentence)

        barrier = threading.Barrier(WRITERS)
        errors += _at_once([submit] * WRITERS)

        def both(first: Version, second: Version) -> None:
            fresh = [Version.objects.get(pk=version.pk) for version in (first, second)]
            crossing.wait()
            with transaction.atomic():
                for version in fresh:
                    try:
                        decide(version, "submit", by=user)
                    except Conflict as conflict:
                        conflicts.append(conflict.sentence)

        crossing = threading.Barrier(2)
        errors += _at_once(
            [lambda: both(versions[1], versions[2]), lambda: both(versions[2], versions[1])]
        )
        made: list[str] = []

        def ask() -> None:
            for number in range(EACH):
                key = f"key-{number}"
                found, new = once(
                    who=user.public_id,
                    act="lab",
                    key=key,
                    body={"name": key},
                    make=lambda key=key: Lab.objects.create(name=f"{key} {new_id()}"),
                    find=lambda public_id: Lab.objects.filter(public_id=public_id).first(),
                )
                if new:
                    made.append(found.public_id)

        errors += _at_once([ask] * WRITERS)
        self.stdout.write(
            json.dumps(
                {
                    "errors": errors,
                    "made": len(made),
                    "labs": Lab.objects.filter(name__startswith="key-").count(),
                    "conflicts": len(conflicts),
                    "decisions": Decision.objects.count(),
                    "broken": list(broken_links()),
                    "states": sorted(Version.objects.values_list("state", flat=True)),
                }
            )
        )


def _at_once(works: list[Any]) -> list[str]:
    errors: list[str] = []

    def run(work: Any) -> None:
        try:
            work()
        except Exception as error:
            errors.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors

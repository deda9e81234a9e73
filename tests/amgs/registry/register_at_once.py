"""Register the shipped bundle from two threads at one moment, again and again; print the rounds.

A program of its own: the database of the test session is inside a transaction, this one is not.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

ROOT, FOLDER, ROUNDS = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
sys.path[:0] = [ROOT, f"{ROOT}/platform"]
os.environ["DJANGO_SETTINGS_MODULE"] = "amgs.settings.testing"

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from amgs.registry.models import ModelVersion  # noqa: E402
from amgs.registry.shipped import register_shipped  # noqa: E402


def main() -> None:
    """Run the rounds, each on a site that has no version."""
    call_command("migrate", verbosity=0)
    rounds = []
    for _ in range(ROUNDS):
        ModelVersion.objects.all().delete()
        barrier = threading.Barrier(2)
        ended: list[str] = []

        def register(barrier: threading.Barrier = barrier, ended: list[str] = ended) -> None:
            barrier.wait()
            try:
                version = register_shipped(FOLDER)
                ended.append("nothing" if version is None else version.state)
            except Exception as error:
                ended.append(repr(error))
            finally:
                connection.close()

        threads = [threading.Thread(target=register) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        there = list(ModelVersion.objects.values_list("number", "state"))
        rounds.append({"ended": sorted(ended), "there": there})
    print(json.dumps(rounds))


main()

"""Put every frame of a filled PostgreSQL before the raters and time “next frame”.

Run with the settings of a site, after ``fill_repository.py``: ``python next_frame.py TIMES``. It
prints JSON: how many frames waited, and the seconds of every next frame, each taken by one of a few
raters who commit it before they ask again.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

import django
from django.db import connection

RATERS = 8
SEEN = 40
"""Datasets whose pages each rater has opened."""


def main(times: int) -> dict[str, Any]:
    """Fill the queue and take frames from it."""
    from amgs.review.models import Task
    from amgs.review.services import next_assignment, rate
    from models.scale import load_scale

    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO review_task (frame_id, lab_id, dataset_id, kind, purpose, why, clip_key,"
            " priority, wanted, taken, finished, closed, units)"
            " SELECT f.id, d.lab_id, d.id, 'units', 'random', '', '', random(), 2, 0, 0, false,"
            " '[]'"
            " FROM repository_frame f JOIN repository_recording r ON r.id = f.recording_id"
            " JOIN repository_dataset d ON d.id = r.dataset_id"
        )
        cursor.execute("ANALYZE")
    raters = _raters()
    grades = dict.fromkeys(load_scale().unit_keys, 1)
    chance = random.Random(1)
    seconds = []
    for _ in range(times):
        rater = chance.choice(raters)
        begun = time.perf_counter()
        found = next_assignment(rater=rater)
        seconds.append(time.perf_counter() - begun)
        if found is None:
            raise RuntimeError("nothing waits")
        rate(assignment=found, by=rater, grades=grades, seconds=1.0)
    return {"waiting": Task.objects.count(), "seconds": seconds}


def _raters() -> list[Any]:
    """Make raters of no lab who have opened the pages of other datasets."""
    from amgs.accounts.models import Grant, Lab, User
    from amgs.repository.models import Dataset
    from amgs.review.models import Seen

    lab = Lab.objects.first()
    others = Dataset.objects.bulk_create(
        Dataset(number=1000 + number, lab=lab) for number in range(SEEN)
    )
    raters = []
    for number in range(RATERS):
        user = User.objects.create_user(f"rater{number}@example.org", full_name=f"Rater {number}")
        Grant.objects.create(user=user, role="rater")
        Seen.objects.bulk_create(Seen(user=user, dataset=row) for row in others)
        raters.append(user)
    return raters


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main(int(sys.argv[1]))))

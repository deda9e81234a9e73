"""Raters who work at the same moment: no frame too often, no rating lost, no lock error."""

from __future__ import annotations

import threading
import time
from collections import Counter

import pytest
from django.db import connection

from amgs.accounts.models import Grant, User
from amgs.repository.models import (
    Dataset,
    Frame,
    LabelImport,
    Permission,
    Rating,
    Recording,
    Version,
)
from amgs.review.models import Assignment, Task
from amgs.review.services import next_assignment, rate, start_audit
from models.scale import load_scale

RATERS = 6
FRAMES = 20


@pytest.fixture
def audited(transactional_db, lab):
    """An audit of frames without pictures, and raters of no lab."""
    dataset = Dataset.objects.create(number=1, lab=lab("Harbour"))
    version = Version.objects.create(dataset=dataset, title="At once")
    Permission.objects.create(version=version, kind="outside_raters", signer_name="A")
    recording = Recording.objects.create(dataset=dataset, name="r1.mp4")
    recording.versions.add(version)
    frames = Frame.objects.bulk_create(
        Frame(
            recording=recording,
            pts=number,
            tb_num=1,
            tb_den=25,
            number=number,
            time_s=number / 25,
            still_key=f"stills/{number}.jpg",
        )
        for number in range(FRAMES)
    )
    row = LabelImport.objects.create(dataset=dataset, name="s.csv", status="done")
    unit = load_scale().unit_keys[0]
    Rating.objects.bulk_create(
        Rating(frame=frame, unit=unit, grade=0, rater_name="1", source="sheet", label_import=row)
        for frame in frames
    )
    start_audit(version=version)
    users = []
    for number in range(RATERS):
        user = User.objects.create_user(f"rater{number}@example.org", full_name=f"Rater {number}")
        Grant.objects.create(user=user, role="rater")
        users.append(user)
    return users


def test_raters_at_once_never_get_a_frame_too_often_and_lose_nothing(audited):
    grades = dict.fromkeys(load_scale().unit_keys, 1)
    errors: list[BaseException] = []
    seconds: list[float] = []
    done: Counter = Counter()

    def work(user) -> None:
        try:
            while True:
                began = time.monotonic()
                found = next_assignment(rater=user)
                if found is None:
                    return
                rate(assignment=found, by=user, grades=grades, seconds=1.0)
                seconds.append(time.monotonic() - began)
                done[found.task_id] += 1
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in audited]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert set(done.values()) == {2}
    assert len(done) == FRAMES
    assert not Task.objects.filter(kind="units").exclude(taken=2, finished=2).exists()
    assert Rating.objects.filter(source="audit").count() == FRAMES * 2 * len(grades)
    assert Assignment.objects.filter(rated_at=None).count() == 0
    # Next frame and commit together, six raters at once on a shared machine.
    assert sorted(seconds)[int(0.95 * len(seconds))] < 2.0

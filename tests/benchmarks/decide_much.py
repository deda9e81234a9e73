"""Make large versions on a migrated database and decide on them; prints JSON with seconds.

Run with the settings of a site: ``python decide_much.py``.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

import django

RECORDINGS, REJECTED, FRAMES, TIMES = 500, 12, 10, 5
AUDIT_FRAMES = 60


def main() -> dict[str, float]:
    """Measure; every acceptance has a version of its own, the first one warms up."""
    from django.test import Client
    from rest_framework.test import APIClient

    from amgs.accounts.models import Grant, Lab, User
    from amgs.accounts.services import create_token

    lab = Lab.objects.create(name="Harbour")
    cora = User.objects.create_user("cora@example.org", full_name="Cora Costa")
    Grant.objects.create(user=cora, role="curator")
    api = APIClient()
    token = create_token(user=cora, name="figures", scopes=["read", "curate"])[1]
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    versions = [_version(lab, number) for number in range(TIMES + 1)]
    browser = Client(headers={"host": "127.0.0.1"})
    browser.force_login(cora)
    name = versions[0].identifier.replace("/", ".")
    pages = [_timed(lambda: browser.get(f"/review/{name}/"), 200) for _ in range(3)]
    accepted = [_timed(lambda row=row: _accept(api, row), 200) for row in versions]
    agreement = _agreement(versions[0])
    return {
        "accept_500_s": statistics.median(accepted[1:]),
        "review_page_500_s": statistics.median(pages[1:]),
        "agreement_now_s": agreement,
    }


def _timed(ask: Any, status: int) -> float:
    begun = time.perf_counter()
    answer = ask()
    took = time.perf_counter() - begun
    if answer.status_code != status:
        raise RuntimeError(f"{answer.status_code}: {answer.content[:1000]!r}")
    return took


def _accept(api: Any, version: Any) -> Any:
    from amgs.repository.models import Recording

    rows = Recording.objects.filter(versions=version).order_by("pk")
    rejected = [
        {"recording": row, "reason": "blurred", "why": "out of focus to the end"}
        for row in rows.values_list("public_id", flat=True)[:REJECTED]
    ]
    address = f"/api/versions/{version.identifier.replace('/', '.')}/actions/accept"
    body = {"why": "All but twelve are fine.", "without_audit": True, "rejected": rejected}
    return api.post(address, body, format="json", headers={"host": "127.0.0.1"})


def _version(lab: Any, number: int) -> Any:
    """Make a version in review: animals at five times, frames, and two raters of a blind sheet."""
    from django.utils import timezone

    from amgs.core import vocabulary
    from amgs.repository.models import (
        Animal,
        Dataset,
        Frame,
        LabelImport,
        Observation,
        Permission,
        Rating,
        Recording,
        Version,
    )
    from amgs.review.models import Screening
    from amgs.review.services import start_audit

    dataset = Dataset.objects.create(number=number + 1, lab=lab, phantom=True)
    version = Version.objects.create(
        dataset=dataset,
        title=f"Five hundred films, {number}",
        state="in_review",
        metadata={"assay": "post_surgical", "raters_blind": "yes"},
        submitted_at=timezone.now(),
    )
    Permission.objects.create(
        version=version, kind="outside_raters", text_version="1", signer_name="A"
    )
    Screening.objects.create(version=version, facts={}, passed=True)
    sheet = LabelImport.objects.create(
        dataset=dataset, name="scores.csv", status="done", raters=["1", "2"]
    )
    animals = Animal.objects.bulk_create(
        Animal(dataset=dataset, name=f"m{place}", pseudonym=f"M{place:03d}")
        for place in range(RECORDINGS // 5)
    )
    times = Observation.objects.bulk_create(
        Observation(animal=animal, name=f"{hours} h", metadata={"hours_after_procedure": hours})
        for animal in animals
        for hours in range(5)
    )
    recordings = Recording.objects.bulk_create(
        Recording(dataset=dataset, observation=row, name=f"r{place:04d}.mp4", status="ready")
        for place, row in enumerate(times)
    )
    link = Recording.versions.through
    link.objects.bulk_create(link(recording_id=row.pk, version_id=version.pk) for row in recordings)
    frames = Frame.objects.bulk_create(
        (
            Frame(
                recording=row,
                pts=place * 40,
                tb_num=1,
                tb_den=1000,
                number=place,
                time_s=place / 25,
            )
            for row in recordings
            for place in range(FRAMES)
        ),
        batch_size=5000,
    )
    Rating.objects.bulk_create(
        (
            Rating(
                frame=frame,
                unit=unit,
                grade=(place + rater) % 3,
                rater_name=str(rater),
                source="sheet",
                label_import=sheet,
            )
            for place, frame in enumerate(frames)
            for unit in vocabulary.unit_keys()
            for rater in (1, 2)
        ),
        batch_size=5000,
    )
    start_audit(version=version)
    return Version.objects.select_related("dataset__lab").get(pk=version.pk)


def _agreement(version: Any) -> float:
    """Rate the whole audit twice and time the plain figures; the second time in a warm process."""
    from amgs.core import vocabulary
    from amgs.repository.models import Rating
    from amgs.review.agreeing import agreement_now
    from amgs.review.models import Audit, Task

    audit = Audit.objects.select_related("version").get(version=version)
    tasks = list(Task.objects.filter(audit=audit, kind="units"))
    if len(tasks) != AUDIT_FRAMES:
        raise RuntimeError(f"{len(tasks)} frames are in the audit")
    took = []
    for rater in ("first", "second"):
        Rating.objects.bulk_create(
            Rating(
                frame_id=task.frame_id,
                unit=unit,
                grade=(place + len(rater)) % 3,
                rater_name=rater,
                source="audit",
            )
            for place, task in enumerate(tasks)
            for unit in vocabulary.unit_keys()
        )
        Task.objects.filter(audit=audit, kind="units").update(taken=2, finished=1)
        begun = time.perf_counter()
        told = agreement_now(audit)
        took.append(time.perf_counter() - begun)
        if not told["intervals_follow"] or not told["units"]:
            raise RuntimeError("the figures were not computed")
    return took[-1]


if __name__ == "__main__":
    django.setup()
    print(json.dumps(main()))

"""Who is told of which step: the lab, curators of other labs, maintainers, whoever reviews."""

from __future__ import annotations

from amgs.accounts.models import Notice
from amgs.core import jobs
from amgs.core.base import SYSTEM
from amgs.repository.models import Rating
from amgs.repository.services import decide_version, reply
from amgs.repository.services.pins import pin_remarks
from amgs.review.models import Audit, Task
from amgs.review.queries import what_waits
from amgs.review.services import start_audit
from models.scale import load_scale


def _told(user) -> list[tuple[str, str]]:
    rows = Notice.objects.filter(user=user).order_by("pk")
    return [(row.about, row.title.partition("/1 ")[2]) for row in rows]


def test_a_screened_version_waits_for_curators_of_other_labs(rows_of, cora, carl, alice):
    version = rows_of("submitted")
    decide_version(by=SYSTEM, version=version, action="screen")
    assert _told(cora) == [("waits", "waits for a curator")]
    assert _told(carl) == _told(alice) == []
    assert [row["what"] for row in what_waits(cora)] == ["Waits for a curator"]
    assert what_waits(carl) == []


def test_the_lab_is_told_of_every_step_of_a_curator_and_who_took_it_is_not(rows_of, cora, alice):
    version = rows_of("screened")
    decide_version(by=cora, version=version, action="start_review")
    assert [row["what"] for row in what_waits(cora)] == ["Your review"]
    decide_version(by=cora, version=version, action="request_changes", why="no coat")
    assert _told(alice) == [("happened", "has begun"), ("waits", "needs changes")]
    assert "Cora Costa: no coat" in Notice.objects.filter(user=alice).last().text
    assert _told(cora) == []
    assert [row["what"] for row in what_waits(alice)] == ["Changes are asked for"]


def test_publication_is_told_to_maintainers_once(rows_of, cora, mia, alice):
    version = rows_of("accepted", votes=())
    decide_version(by=cora, version=version, action="publish")
    assert _told(mia) == [("happened", "is published")]
    assert _told(alice) == [("happened", "is published")]


def test_a_reply_is_told_to_whoever_reviews_and_not_to_whoever_wrote_it(rows_of, cora, alice):
    version = rows_of("screened")
    decide_version(by=cora, version=version, action="start_review")
    film = version.recordings.first().public_id
    (remark,) = pin_remarks(
        by=cora, version=version, remarks=[{"recording": film, "text": "Whose hand is it?"}]
    )
    Notice.objects.all().delete()
    reply(by=alice, version=version, number=remark.number, text="Mine.")
    (row,) = Notice.objects.all()
    assert row.user == cora
    assert row.text == "Mine.\n"


def test_whoever_reviews_is_told_once_that_all_ratings_are_in(rows_of, cora, run_jobs):
    version = rows_of("screened", animals=1, frames=1)
    decide_version(by=cora, version=version, action="start_review")
    audit = Audit.objects.get(version=version)
    tasks = Task.objects.filter(audit=audit, kind="units")

    def rated_by(name: str, finished: int) -> None:
        Rating.objects.bulk_create(
            Rating(frame=task.frame, unit=unit, grade=1, rater_name=name, source="audit")
            for task in tasks
            for unit in load_scale().unit_keys
        )
        tasks.update(taken=finished, finished=finished)
        jobs.enqueue("review.update_agreement", audit=audit.public_id)
        run_jobs()

    rated_by("first", 1)
    assert _told(cora) == []
    rated_by("second", 2)
    jobs.enqueue("review.update_agreement", audit=audit.public_id)
    run_jobs()
    (row,) = Notice.objects.filter(user=cora)
    assert row.title == f"All ratings of {version.identifier} are in"
    assert start_audit(version=version) == audit

"""Long work of review: run the checks, compute agreement, combine votes to a consensus."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from amgs.core.base import SYSTEM
from amgs.core.jobs import Context, Finish, enqueue, job
from amgs.files.storage import get_storage
from amgs.repository.exclusions import frames_left_out, without_left_out
from amgs.repository.models import Frame, Version
from amgs.repository.services import decide_version
from amgs.repository.services.embargo import ask_to_lift, ended_today
from amgs.review import combining, opinions, training_queue
from amgs.review.agreeing import agreement_lines, plain
from amgs.review.clips import clip_of
from amgs.review.facts import gather_facts
from amgs.review.leaving import needs_consensus, tell_of_the_end
from amgs.review.models import Audit, CheckResult, Consensus, Screening, Standing, Task
from amgs.review.services.audits import ratings_of
from amgs.review.services.checks import CHECKED_STATES, facts_digest
from amgs.review.services.rating import ask_for_agreement
from amgs.review.standing import measure, raters_to_measure
from amgs.review.telling import tell_of_full_audit
from amgs.review.votes import votes_of
from curation import embargo
from curation.asking import STATE, UNITS
from curation.checks import CheckOutcome, run_checks
from curation.dataset_version import ACCEPTED, IN_REVIEW, SCREENED, SUBMITTED

# Frames whose consensus is written in one transaction: one row per unit each, under 1,000 rows.
FRAMES_AT_ONCE = 100
# So long models may be asked about frames to rate, before people who wait for a score have a turn.
ASKING_S = 60.0
BOOTSTRAP_DRAWS = 200


@job("quick", limit=timedelta(minutes=5))
def screen_version(context: Context, version: str) -> Finish:
    """Run every check over the facts of a version, keep what they say, and act on it.

    A submitted version goes on or back to its lab; one that was screened goes back where something
    blocks now; of a draft and of one under review the outcomes are shown, no more.
    """
    row = Version.objects.select_related("dataset__lab").get(public_id=version)
    if row.state not in CHECKED_STATES or row.deleted_at is not None:
        return Finish({"state": row.state})
    digest, outcomes, blocking, store = _screening(context, row)

    def apply() -> None:
        held = Version.objects.select_for_update().select_related("dataset__lab").get(pk=row.pk)
        if held.state not in CHECKED_STATES or held.deleted_at is not None:
            return
        if held.state != row.state or facts_digest(gather_facts(held).to_json()) != digest:
            # Something changed while the checks ran; without a key, a new job in any case.
            enqueue(screen_version, subject=held, version=held.public_id)
            return
        screening = store()
        action = _what_follows(held.state, bool(blocking))
        if action:
            decide_version(
                by=SYSTEM,
                version=held,
                action=action,
                why="\n".join(_sentence(outcome) for outcome in blocking),
                facts={
                    "screening": screening.public_id,
                    "blocking": [outcome.check for outcome in blocking],
                    "warnings": [
                        outcome.check
                        for outcome in outcomes
                        if not outcome.passed and not outcome.blocks and outcome.audience == "all"
                    ],
                },
            )

    return Finish({"passed": not blocking, "checks": len(outcomes)}, apply)


def _what_follows(state: str, blocks: bool) -> str:
    if state == SUBMITTED:
        return "request_changes" if blocks else "screen"
    return "request_changes" if state == SCREENED and blocks else ""


Outcomes = list[CheckOutcome]


def _screening(
    context: Context, row: Version
) -> tuple[str, Outcomes, Outcomes, Callable[[], Screening]]:
    """Run the checks over a version.

    Returns the digest of the facts, all outcomes, those that block, and how to store them.
    """
    facts = gather_facts(row)
    plain, state = facts.to_json(), row.state
    digest = facts_digest(plain)
    context.progress(0.3, "running the checks")
    outcomes = list(run_checks(facts))
    blocking = [outcome for outcome in outcomes if outcome.blocks]

    # Answers to warnings stay, as long as the warning says the same.
    def store() -> Screening:
        # Read here, so that what is typed while the checks run is kept too.
        answers = _answers(row)
        screening = Screening.objects.create(
            version=row,
            facts=plain,
            facts_sha256=digest,
            state=state,
            passed=not blocking,
        )
        CheckResult.objects.bulk_create(
            CheckResult(
                screening=screening,
                check_name=outcome.check,
                title=outcome.title,
                severity=outcome.severity,
                passed=outcome.passed,
                sentence=outcome.sentence[:1000],
                where=list(outcome.where),
                shown=[list(one) for one in outcome.shown],
                audience=outcome.audience,
                **answers.get((outcome.check, outcome.sentence[:1000]), {}),
            )
            for outcome in outcomes
        )
        return screening

    return digest, outcomes, blocking, store


def _answers(version: Version) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the latest answer to every sentence; one that was taken back is none."""
    rows = CheckResult.objects.filter(screening__version=version).exclude(
        answer="", answered_at=None
    )
    return {
        (row.check_name, row.sentence): {
            "answer": row.answer,
            "answered_by": row.answered_by,
            "answered_at": row.answered_at,
        }
        for row in rows.order_by("pk")
    }


@job("quick", limit=timedelta(minutes=5), every=timedelta(hours=1))
def end_embargoes(context: Context) -> Mapping[str, int]:
    """Ask for the last checks of every accepted version whose embargo has come to its day."""
    ended = ended_today()
    for row in ended:
        with transaction.atomic():
            ask_to_lift(row, SYSTEM)
    return {"ended": len(ended)}


@job("quick", limit=timedelta(minutes=5))
def lift_embargo(context: Context, version: str) -> Finish:
    """Run the checks once more and publish; where they block, ask the lab for changes.

    The lab is told either way. A day that was moved on meanwhile ends nothing.
    """
    row = Version.objects.select_related("dataset__lab").get(public_id=version)
    if (
        row.state != ACCEPTED
        or row.deleted_at is not None
        or not embargo.is_over(row.embargo_until, timezone.localdate())
    ):
        return Finish({"state": row.state, "until": str(row.embargo_until or "")})
    _, outcomes, blocking, store = _screening(context, row)

    def apply() -> None:
        held = Version.objects.select_for_update().get(pk=row.pk)
        if not embargo.is_over(held.embargo_until, timezone.localdate()):
            return  # extended while the checks ran
        screening = store()
        facts = {
            "screening": screening.public_id,
            "blocking": [outcome.check for outcome in blocking],
            "embargo_until": str(held.embargo_until or ""),
        }
        why = "\n".join(_sentence(outcome) for outcome in blocking)
        if blocking:
            decide_version(by=SYSTEM, version=held, action="request_changes", why=why, facts=facts)
        elif needs_consensus(held):
            # Grades that were held back are combined now; that job publishes.
            enqueue(update_consensus, subject=held, key=held.public_id, version=held.public_id)
            return
        else:
            decide_version(
                by=SYSTEM, version=held, action="publish", why="The embargo has ended.", facts=facts
            )
        tell_of_the_end(held, why)

    return Finish({"published": not blocking, "checks": len(outcomes)}, apply)


def _sentence(outcome: CheckOutcome) -> str:
    places = ", ".join(outcome.where[:5]) + (" …" if len(outcome.where) > 5 else "")
    return f"{outcome.sentence} ({places})" if places else outcome.sentence


@job("quick", limit=timedelta(minutes=5))
def update_agreement(context: Context, audit: str) -> Finish:
    """Compute how well the raters of an audit agree with each other and with the sheet.

    Grades of a sheet declared blind count as raters; otherwise a second report shows them.
    """
    import pandas as pd

    from curation.agreement import COLUMNS, report

    row = Audit.objects.select_related("version").get(public_id=audit)
    lines, own = agreement_lines(row)
    context.progress(0.2, "computing agreement")
    counted = pd.DataFrame([line for blind, line in lines if blind], columns=list(COLUMNS))
    agreement = report(counted, draws=BOOTSTRAP_DRAWS, seed=row.seed % 2**32)
    if len(counted) < len(lines):
        context.progress(0.6, "computing agreement with grades not given blind")
        shown = pd.DataFrame([line for _, line in lines], columns=list(COLUMNS))
        agreement["with_not_blind"] = report(shown, draws=0)
    agreement = plain(agreement)

    def apply() -> None:
        # Locked against raters: a rating is either counted here or asks for another turn.
        locked = Audit.objects.select_for_update().get(pk=row.pk)
        Audit.objects.filter(pk=row.pk).update(
            agreement=agreement, agreement_at=timezone.now(), agreement_ratings=own
        )
        if ratings_of(locked).count() != own:
            ask_for_agreement(locked)
        elif own and not locked.tasks.filter(kind=UNITS, finished__lt=F("wanted")).exists():
            tell_of_full_audit(Audit.objects.select_related("version__dataset").get(pk=row.pk))

    return Finish({"ratings": own}, apply)


@job("ingest", limit=timedelta(hours=1))
def cut_clips(context: Context, audit: str) -> dict[str, int]:
    """Cut the silent films of an audit's state tasks and open these, one after the other."""
    rows = list(
        Task.objects.filter(audit__public_id=audit, kind=STATE, clip_key="")
        .select_related("frame__recording__blob", "audit__version")
        .order_by("frame__recording_id", "pk")
    )
    cut = 0
    whole: dict[int, str] = {}
    for number, task in enumerate(rows):
        context.progress(number / len(rows), "cutting clips")
        key = clip_of(context, task.frame, whole)
        if key is None:
            continue
        with transaction.atomic():
            context.save_progress()
            open_now = task.audit is not None and task.audit.version.state == IN_REVIEW
            Task.objects.filter(pk=task.pk).update(clip_key=key, closed=not open_now)
        cut += 1
    return {"clips": cut, "unreadable": len(rows) - cut}


@job("quick", limit=timedelta(minutes=30), every=timedelta(hours=12))
def measure_raters(context: Context) -> dict[str, int]:
    """Compute the own figures of every rater who has rated since."""
    users = raters_to_measure()
    for number, user in enumerate(users):
        context.progress(number / len(users), "measuring raters")
        figures = measure(user)
        with transaction.atomic():
            context.save_progress()
            Standing.objects.update_or_create(rater=user, defaults={"figures": figures})
    return {"raters": len(users)}


@job("quick", limit=timedelta(minutes=10), attempts=8)
def clear_clips(context: Context, version: str) -> dict[str, int]:
    """Delete the films that were cut for the raters of a version that left."""
    rows = Task.objects.filter(audit__version__public_id=version).exclude(clip_key="")
    count = 0
    for row in rows.order_by("pk"):
        get_storage().delete(row.clip_key)
        Task.objects.filter(pk=row.pk).update(clip_key="", closed=True, taken=F("finished"))
        count += 1
    return {"clips": count}


@job("quick", limit=timedelta(minutes=10))
def update_consensus(context: Context, version: str) -> Finish:
    """Combine all votes that count into one distribution per frame and unit, by a rater model.

    Counted are grades given here and those of sheets declared blind. Publication waits for it.
    """
    row = Version.objects.select_related("dataset").get(public_id=version)
    rows_of = Frame.objects.filter(recording__versions=row, ratings__isnull=False)
    rows_of = without_left_out(rows_of, row)
    whole = rows_of.distinct().count()
    if not embargo.is_over(row.embargo_until, timezone.localdate()):
        # Grades under embargo must not reach what an earlier version has made public.
        rows_of = rows_of.exclude(recording__versions__in=Version.objects.published())
    frames = list(rows_of.distinct().order_by("pk").values_list("pk", flat=True))
    context.progress(0.0, "fitting the model of the raters")
    model = combining.model_for(row, frames)
    units = votes = 0
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        context.progress(start / len(frames), "combining votes")
        chunk = frames[start : start + FRAMES_AT_ONCE]
        rows = combining.rows(model, votes_of(chunk, row))
        with transaction.atomic():
            context.save_progress()
            kept = combining.keep(rows)
            held = {(entry.frame_id, entry.unit) for entry in kept}
            stale = [
                pk
                for pk, frame, unit in Consensus.objects.filter(frame__in=chunk).values_list(
                    "pk", "frame_id", "unit"
                )
                if (frame, unit) not in held
            ]
            Consensus.objects.filter(pk__in=stale).delete()
        units += len(rows)
        votes += sum(len(entry.votes) for entry in rows)

    def apply() -> None:
        _forget_left_out(row)
        # The end of an embargo waits for this.
        if row in ended_today():
            ask_to_lift(row, SYSTEM)

    held_back = whole - len(frames)
    done = {"frames": len(frames), "units": units, "votes": votes, "held_back": held_back}
    return Finish(done, apply)


def _forget_left_out(version: Version) -> None:
    """Delete the consensus of what is left out of a version, where no published one holds it."""
    gone = Consensus.objects.filter(frame__in=frames_left_out([version]))
    gone.exclude(frame__recording__versions__in=Version.objects.published()).delete()


@job("score", limit=timedelta(minutes=10), every=timedelta(minutes=15))
def ask_models(context: Context) -> dict[str, int]:
    """Have the serving model and its challenger grade frames that raters could be asked about."""
    models = opinions.asked_models()
    forgotten = opinions.forget_others(models)
    frames = training_queue.could_be_asked(training_queue.open_versions()) if models else []
    groups = training_queue.groups_of(frames)
    end = time.monotonic() + ASKING_S
    done = {}

    def go_on(share: float) -> bool:
        context.progress(share, f"{model.identifier} grades frames that could be rated")
        context.save_progress()
        return time.monotonic() < end

    for model in models:
        done[model.identifier] = opinions.ask(model, frames, groups, go_on)
    return done | {"forgotten": forgotten}


@job("quick", limit=timedelta(minutes=30), every=timedelta(hours=1))
def fill_queue(context: Context) -> dict[str, int]:
    """Ask again where chosen frames are not exact enough, combine their votes, and fill up."""
    told = training_queue.ask_again()
    context.progress(0.5, "combining votes")
    votes = training_queue.votes_in_queue()
    frames, model = sorted(votes), combining.fitted(votes)
    for start in range(0, len(frames), FRAMES_AT_ONCE):
        chunk = frames[start : start + FRAMES_AT_ONCE]
        rows = combining.rows(model, {frame: votes[frame] for frame in chunk})
        with transaction.atomic():
            context.save_progress()
            combining.keep(rows)
    context.progress(0.8, "choosing frames")
    return told | {"combined": len(frames), "filled": training_queue.fill(context.job.public_id)}

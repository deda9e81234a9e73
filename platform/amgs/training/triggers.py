"""Is it time to retrain? The policy's questions, answered with a reason either way.

New frames, a new lab or coat, a schedule, and data retracted as wrong start a run. Drift of what
people score never does: old labels do not cure it, it calls for new data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from amgs.core.base import SYSTEM
from amgs.core.models import Job
from amgs.repository.models import Frame, Version
from amgs.training import services
from amgs.training.freeze import trainable_versions
from amgs.training.independence import coats_by_lab, independent_labs
from amgs.training.leaving import serving_on_retracted
from amgs.training.models import Policy, Run, Trigger
from amgs.training.schedule import next_time

ACTIVE = (Job.State.QUEUED, Job.State.RUNNING)
NEW_FRAMES = "new_frames"
NEW_LAB_OR_COAT = "new_lab_or_coat"
SCHEDULE = "schedule"
RETRACTION = "retraction"


@dataclass(frozen=True)
class Answer:
    """Whether to retrain now, by which of the policy's rules, and why or why not."""

    fires: bool
    reason: str
    facts: dict[str, Any] = field(default_factory=dict)
    name: str = NEW_FRAMES


def _after_retraction(versions: list[Version]) -> Answer | None:
    """Answer where a model serves that learned from data which were retracted as wrong.

    Fires once for each retracted version: without the cause mended, the next run fails alike.
    """
    serving, retracted = serving_on_retracted()
    asked: set[int] = set()
    if serving:
        for facts in Trigger.objects.filter(fired=True, name=RETRACTION).values_list(
            "facts", flat=True
        ):
            asked.update(facts.get("retracted_keys", []))
    fresh = [row for row in retracted if row.pk not in asked]
    if not fresh:
        return None
    names = sorted(row.identifier for row in fresh)
    models = [row.identifier for row in serving]
    facts = {"retracted": names, "retracted_keys": [row.pk for row in fresh], "models": models}
    why = f"{_listed(names)} was retracted, and {_listed(models)} that serves learned from it"
    if not versions:
        return Answer(
            False, f"{why}; no other published version lets training use it.", facts, RETRACTION
        )
    return Answer(True, f"{why}; a model is trained without it.", facts, RETRACTION)


def answer(policy: Policy) -> Answer:
    """Ask whether to retrain now; about eight indexed queries where nothing is new."""
    if not policy.enabled:
        return Answer(False, "Automatic retraining is switched off.")
    if (busy := _under_way()) is not None:
        return Answer(False, busy)
    versions = trainable_versions()
    if (retraction := _after_retraction(versions)) is not None:
        return retraction
    due = policy.scheduled_for is not None and policy.scheduled_for <= timezone.now()
    if not versions:
        return _not_yet(due, "No published version lets training use its frames yet.")
    used, apart = _used_versions(), independent_labs()
    fresh = [row for row in versions if row.pk not in used and row.dataset.lab_id not in apart]
    if not fresh:
        return _not_yet(
            due, "Every published version that training may use has been used in a run."
        )
    count = (
        Frame.objects.filter(recording__versions__in=fresh, consensus__isnull=False)
        .exclude(recording__versions__in=used)
        .distinct()
        .count()
    )
    names = sorted(row.identifier for row in fresh)
    facts = {
        "new_frames": count,
        "min_new_frames": policy.min_new_frames,
        "versions": names,
        "version_keys": sorted(row.pk for row in fresh),
    }
    told = f"{count} new graded frames in {_listed(names)}"
    if count >= policy.min_new_frames:
        return Answer(True, f"{told}; the policy asks for {policy.min_new_frames}.", facts)
    if count and policy.new_lab_or_coat and (new := _new_kinds(fresh, used)):
        facts |= {"new": new}
        return Answer(True, f"{told}, the first of {_listed(new)}.", facts, NEW_LAB_OR_COAT)
    if count and due:
        return Answer(True, f"{told}; the schedule {policy.schedule} asks now.", facts, SCHEDULE)
    return _not_yet(
        due,
        f"{count} new graded frames since the last run; the policy asks for "
        f"{policy.min_new_frames}.",
        facts,
    )


def _not_yet(due: bool, reason: str, facts: dict[str, Any] | None = None) -> Answer:
    """Return that nothing begins; a schedule whose time has come gets an answer of its own."""
    return Answer(
        False,
        f"The schedule asked: {reason[:1].lower()}{reason[1:]}" if due else reason,
        facts or {},
        SCHEDULE if due else NEW_FRAMES,
    )


def _under_way() -> str | None:
    """Return the sentence that says which run is waited for, ``None`` where none is.

    A run that still waits with a snapshot of its own holds nothing up: a newer one takes its place.
    """
    active = Run.objects.filter(job__state__in=ACTIVE, negative_control=False)
    if active.filter(Q(job__state=Job.State.RUNNING) | Q(job__attempt__gt=0)).exists():
        return "A training run is under way; the next one waits for its end."
    if active.filter(snapshot=None).exists():
        return "A training run waits for its turn and will learn from what is new until then."
    return None


def _new_kinds(fresh: list[Version], used: set[int]) -> list[str]:
    """Return the labs and coats that no run has learned from; nothing before the first run."""
    before = coats_by_lab(Version.objects.filter(pk__in=used).select_related("dataset"))
    if not before:
        return []
    now = coats_by_lab(fresh)
    coats = {coat for held in before.values() for coat in held}
    labs = sorted(lab for lab in now if lab not in before)
    return labs + sorted({coat for held in now.values() for coat in held} - coats)


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


def _used_versions() -> set[int]:
    """Return the versions that a run has seen, or that already made the policy fire once.

    A run that failed counts too: without new data the next one would fail alike, every few
    seconds. Somebody who mended the cause retries the job or starts a run by hand. A negative
    control learned nothing, and does not count.
    """
    used = set(
        Run.objects.filter(negative_control=False, snapshot__isnull=False)
        .exclude(job__state=Job.State.CANCELLED)
        .values_list("snapshot__versions", flat=True)
    )
    for facts in Trigger.objects.filter(fired=True).values_list("facts", flat=True):
        used.update(facts.get("version_keys", []))
    used.discard(None)
    return used


@transaction.atomic
def evaluate(species: str = "mouse") -> Trigger | None:
    """Answer the policy's question and start a run where it fires.

    Returns the row that was written: when it fires, and when the reason for not firing is
    another than last time; ``None`` where nothing changed.
    """
    policy = services.get_policy(species)
    # Two beats at once must not start two runs: the row's lock lets one ask after the other.
    policy = Policy.objects.select_for_update().get(pk=policy.pk)
    said = answer(policy)
    if policy.scheduled_for is not None and said.name == SCHEDULE:
        # This time is answered, whatever the answer; one missed while a run went on still waits.
        policy.scheduled_for = next_time(policy.schedule, timezone.now())
        policy.save(update_fields=["scheduled_for"])
    if not said.fires:
        last = Trigger.objects.exclude(name=SCHEDULE, fired=False).order_by("-pk").first()
        known = last is not None and not last.fired and last.reason == said.reason[:500]
        if known and said.name != SCHEDULE:
            return None
        return Trigger.objects.create(
            fired=False, name=said.name, reason=said.reason[:500], facts=said.facts
        )
    run = services.start_run(
        by=SYSTEM,
        recipe=policy.recipe,
        profile=policy.profile,
        # What it began with it could not unlearn.
        warm_start=policy.warm_start and not serving_on_retracted()[0],
        why=said.reason,
    )
    return Trigger.objects.create(
        fired=True, name=said.name, reason=said.reason[:500], facts=said.facts, run=run
    )

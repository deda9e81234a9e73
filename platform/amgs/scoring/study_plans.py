"""The plan of a study: written, locked, and never unlocked.

No result by group is shown before a plan is locked, so whoever locks it has not seen which
outcome or cut-off would look best. A lock is a decision: it holds the whole plan with its digest,
who locked it and when, in the log that only grows. A change later is locked as a next version
with a reason, and every report names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from amgs.core import policy
from amgs.core.base import Actor
from amgs.core.decisions import history, is_as_written, record
from amgs.core.errors import Conflict, Refused
from amgs.scoring.models import Study
from amgs.scoring.studies import digest, open_study, results_were_seen, seen_elsewhere

LOCK = "lock_plan"
FROM_LOG = {"locked_on": "", "changes": []}
"""Fields of a plan that nobody writes: they are read off the log when the plan is followed."""
NAMED = {"control": "control group", "vehicle": "vehicle group", "drug": "drug group"}
"""Fields of a plan that name groups of the table."""


@dataclass(frozen=True)
class Locked:
    """One locked version of a plan, as the log has it."""

    number: int
    plan: dict[str, Any]
    digest: str
    at: datetime
    by: str
    why: str
    after_results: bool
    decision: int
    """Its number in the log."""


def checked(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan as it is kept; raises ``Refused`` where it cannot be one."""
    from models.events import Refused as NoPlan
    from models.scale import load_scale
    from models.study import StudyPlan

    try:
        # When it was locked, and what was changed since, is said by the log alone.
        found = StudyPlan.from_json({**plan, **FROM_LOG})
        found.check(load_scale())
        return dict(found.to_json())
    except NoPlan as refusal:
        raise Refused(refusal.sentence, field="plan") from refusal
    except (TypeError, ValueError, KeyError) as error:
        raise Refused(
            f"This cannot be a plan: {str(error)[:200]}. Look at its fields again.", field="plan"
        ) from error


def set_plan(*, by: Actor, study: Study, plan: Mapping[str, Any]) -> dict[str, Any]:
    """Keep a draft of the plan; nothing is locked, and nothing that was locked changes."""
    policy.require(by, "scoring.edit_study", study)
    study.plan = checked(plan)
    study.save(update_fields=["plan"])
    return study.plan


def locks(study: Study) -> list[Locked]:
    """Return the locked versions of the plan, oldest first."""
    return [
        Locked(
            number=row.facts["number"],
            plan=row.facts["plan"],
            digest=row.facts["digest"],
            at=row.at,
            by=row.actor_name,
            why=row.why,
            after_results=row.facts["after_results"],
            decision=row.number,
        )
        for row in history(study).filter(action=LOCK)
    ]


def lock_of(study: Study) -> Locked | None:
    """Return the version of the plan that holds, ``None`` before the first lock."""
    found = locks(study)
    return found[-1] if found else None


def is_open(study: Study) -> bool:
    """Whether figures may be shown: the plan was locked once."""
    return history(study).filter(action=LOCK).exists()


def differs(study: Study, locked: Locked | None) -> bool:
    """Whether the draft says something else than the locked version."""
    return locked is not None and bool(study.plan) and digest(study.plan) != locked.digest


@transaction.atomic
def lock_plan(*, by: Actor, study: Study, why: str = "", seen: str = "") -> Locked:
    """Lock the draft; there is no way back, only a next version with a reason.

    ``seen`` is the digest of the draft that was shown to the person: a draft that was changed
    meanwhile is not locked (``Conflict``).
    """
    study = open_study(by, study)
    before = locks(study)
    if not study.plan:
        raise Refused("Fill in the plan and save it first.", field="plan")
    plan = checked(study.plan)
    if seen and seen != digest(plan):
        raise Conflict("The plan was changed meanwhile; read it again before you lock it.")
    _require_groups(study, plan)
    if before and before[-1].digest == digest(plan):
        raise Refused("This plan is locked already; nothing in it was changed.", field="plan")
    if before and not why.strip():
        raise Refused("Please say why the locked plan is changed.", field="why")
    elsewhere = seen_elsewhere(study)
    facts = {
        "number": len(before) + 1,
        "plan": plan,
        "digest": digest(plan),
        "after_results": results_were_seen(study) or elsewhere > 0,
        "seen_elsewhere": elsewhere,
        "rows": study.entries.count(),
    }
    record(study, LOCK, by=by, why=why.strip()[:1000], facts=facts)
    return locks(study)[-1]


def _require_groups(study: Study, plan: Mapping[str, Any]) -> None:
    names = sorted(set(study.entries.exclude(group="").values_list("group", flat=True)))
    if not names:
        raise Refused(
            "No row of the table has a group yet; a plan is locked once the groups are entered.",
            field="table",
        )
    for key, title in NAMED.items():
        said = plan.get(key)
        if said and said not in names:
            raise Refused(
                f"The {title} of the plan is “{said}”, and no row of the table is in it; the "
                f"groups are {', '.join(names)}.",
                field=key,
            )


def require_sound(study: Study, locked: Locked) -> None:
    """Raise ``Refused`` where what the log holds of a lock is not what was written."""
    entry = history(study).filter(action=LOCK, number=locked.decision).first()
    if entry is None or not is_as_written(entry) or digest(locked.plan) != locked.digest:
        raise Refused(
            "The record of the locked plan was changed after it was written, so nothing is "
            "analysed by it; tell the maintainers of this site."
        )


def changes_after_results(study: Study) -> list[dict[str, Any]]:
    """Return what was changed after results had been seen, oldest first: the report names it."""
    told = []
    for row in history(study):
        if not row.facts.get("after_results"):
            continue
        told.append(
            {
                "action": row.action,
                "at": row.at.isoformat(timespec="seconds"),
                "by": row.actor_name,
                "why": row.why,
                "sentence": _sentence(row.action, row.facts),
            }
        )
    return told


def _sentence(action: str, facts: Mapping[str, Any]) -> str:
    if action == LOCK:
        if count := facts.get("seen_elsewhere"):
            had = "1 recording had" if count == 1 else f"{count} recordings had"
            return (
                f"Version {facts['number']} of the plan was locked after {had} been analysed in "
                "another study of the same owner."
            )
        return f"The plan was changed after results were seen (version {facts['number']})."
    if action == "edit_table":
        count = len(facts["after"])
        keys = sorted({key for row in facts["before"] for key in row if key != "id"})
        rows = "1 row" if count == 1 else f"{count} rows"
        return (
            f"{rows} of the table {'was' if count == 1 else 'were'} changed after results were "
            f"seen ({', '.join(key.replace('_h', '').replace('_', ' ') for key in keys)})."
        )
    count = len(facts.get("removed") or facts.get("restored") or ())
    rows = "1 row was" if count == 1 else f"{count} rows were"
    verb = "taken out of" if action == "remove_rows" else "put back into"
    return f"{rows} {verb} the table after results were seen."

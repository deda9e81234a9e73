"""Read model versions: for pages, the API and the commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import NotFound
from amgs.core.models import Decision
from amgs.registry.models import ModelVersion
from curation.model_version import APPROVED, IN_REVIEW, LIFECYCLE, RETIRED, SERVING, WITHDRAWN

KIND = "registry.modelversion"
# A version with one of these states waits for the maintainers: MLflow calls it the challenger.
CHALLENGING = (IN_REVIEW, APPROVED)


def versions(species: str = "mouse") -> QuerySet[ModelVersion]:
    """Return all versions of a species, newest first, without what only one page shows."""
    return (
        ModelVersion.objects.filter(species=species)
        .select_related("measured_against")
        .defer("card", "comparison", "curves")
        .order_by("-pk")
    )


def version(name: str) -> ModelVersion:
    """Return a version by public id or identifier (``mouse-v3``); raises ``NotFound``."""
    rows = ModelVersion.objects.select_related("measured_against")
    species, mark, number = name.rpartition("-v")
    wanted = Q(public_id=name)
    if mark and number.isdecimal():
        wanted |= Q(species=species, number=int(number))
    found = rows.filter(wanted).first()
    if found is None:
        raise NotFound(f"There is no model version '{name}'.")
    return found


def serving(species: str = "mouse") -> ModelVersion | None:
    """Return the version that serves, or ``None``."""
    return (
        ModelVersion.objects.select_related("measured_against")
        .filter(species=species, state=SERVING)
        .defer("curves")
        .first()
    )


def challenger(species: str = "mouse") -> ModelVersion | None:
    """Return the newest version that waits for the maintainers, or ``None``."""
    return (
        ModelVersion.objects.filter(species=species, state__in=CHALLENGING).order_by("-pk").first()
    )


def _ledger(species: str) -> QuerySet[Decision]:
    ids = ModelVersion.objects.filter(species=species).values("public_id")
    return Decision.objects.filter(subject_kind=KIND, subject__in=ids)


def serving_at(when: datetime, species: str = "mouse") -> tuple[ModelVersion, Decision] | None:
    """Return the version that served at a moment and the decision that let it, or ``None``.

    Read from the decision log alone: the last decision up to then that let a version serve,
    unless a later one up to then ended it.
    """
    ledger = _ledger(species).filter(at__lte=when)
    began = ledger.filter(to_state=SERVING).order_by("-number").first()
    if began is None:
        return None
    ended = ledger.filter(subject=began.subject, from_state=SERVING, number__gt=began.number)
    if ended.exists():
        return None
    return ModelVersion.objects.get(public_id=began.subject), began


def served_before(species: str = "mouse") -> ModelVersion | None:
    """Return the retired version that served last, or ``None``."""
    retired = ModelVersion.objects.filter(species=species, state=RETIRED)
    last = (
        Decision.objects.filter(
            subject_kind=KIND, from_state=SERVING, subject__in=retired.values("public_id")
        )
        .order_by("-number")
        .first()
    )
    return None if last is None else retired.filter(public_id=last.subject).first()


def actions(row: ModelVersion, actor: Actor) -> list[dict[str, Any]]:
    """Return what may follow from a version's state, and whether this actor may do it."""
    found = []
    for step in LIFECYCLE.transitions:
        if step.source != row.state or step.roles == {"system"}:
            continue
        answer = policy.may(actor, f"{KIND}.{step.action}", row)
        found.append(
            {
                "action": step.action,
                "title": step.title,
                "allowed": answer.allowed,
                "reason": answer.reason,
                "needs_reason": step.needs_reason,
            }
        )
    return found


def summary(row: ModelVersion) -> dict[str, Any]:
    """Return what lists show of a version."""
    score = row.report.get("image_score") or {}
    against = row.measured_against
    return {
        "id": row.public_id,
        "identifier": row.identifier,
        "species": row.species,
        "number": row.number,
        "state": row.state,
        "phantom": row.phantom,
        "negative_control": row.negative_control,
        "created_at": row.created_at,
        "digest": row.digest,
        "profile": row.profile,
        "run": row.run,
        "snapshot": row.snapshot,
        "image_score": {
            name: score.get(name) for name in ("rmse", "r", "mae", "constant_rmse", "human_rmse")
        },
        "measured_against": against.identifier if against else None,
        "refused_by": [
            verdict["gate"] for verdict in row.verdicts if verdict.get("passed") is False
        ],
        "mlflow": {
            "run": row.mlflow_run_id,
            "version": row.mlflow_version,
            "alias": row.mlflow_alias,
        },
    }


def detail(row: ModelVersion, actor: Actor) -> dict[str, Any]:
    """Return what the page of one version shows."""
    return summary(row) | {
        "report": row.report,
        "verdicts": row.verdicts,
        "comparison": row.comparison,
        "card": row.card,
        "info": row.info,
        "actions": actions(row, actor),
        "fault": fault(row),
    }


def side_by_side(row: ModelVersion) -> dict[str, Any]:
    """Return a version beside the one it was measured against, for page and API.

    ``champion`` is ``None`` where nothing served: then only the version's own figures are there.
    """
    from dataclasses import asdict

    from curation import side_by_side as beside

    ours, theirs = row.report, row.comparison.get("champion") or {}
    against = row.measured_against
    return {
        "challenger": row.identifier,
        "champion": against.identifier if against else None,
        "benchmark": ours.get("benchmark_digest") or "",
        "figures": [
            asdict(line) | {"improved": line.improved}
            for line in beside.figures(ours, theirs, row.comparison)
        ],
        "units": [
            asdict(line) | {"unit": unit, "improved": line.improved}
            for unit, line in beside.units(ours, theirs)
        ],
        "worst_groups": list(beside.worst_groups(row.comparison)),
        "verdicts": beside.grouped(row.verdicts),
        "rescored": (row.comparison.get("replacement") or {}).get("rescored"),
        "cost": (row.comparison.get("replacement") or {}).get("cost"),
        "differ": row.comparison.get("differ") or [],
    }


def fault(row: ModelVersion) -> str:
    """Return the sentence that stands on all that a withdrawn version gave, else nothing."""
    if row.state != WITHDRAWN:
        return ""
    last = decisions.history(row).filter(to_state=WITHDRAWN).last()
    why = last.why if last else "not stated"
    return (
        f"{row.identifier} was withdrawn for a fault, so do not rely on what it gave: {why} Score "
        "the recording again with another version."
    )


def history(row: ModelVersion) -> list[dict[str, Any]]:
    """Return every decision on a version, oldest first."""
    return [decision_row(entry) for entry in decisions.history(row)]


def decision_row(entry: Decision) -> dict[str, Any]:
    """Return a decision as pages and the API show it."""
    return {
        "number": entry.number,
        "at": entry.at,
        "action": entry.action,
        "from": entry.from_state,
        "to": entry.to_state,
        "by": entry.actor_name,
        "why": entry.why,
        "facts": entry.facts,
        "digest": entry.digest,
        "as_written": decisions.is_as_written(entry),
    }


def bundle_address(row: ModelVersion) -> str:
    """Return a signed address of a version's bundle, a tar file."""
    from django.conf import settings

    from amgs.files.storage import get_storage

    return get_storage().sign_get(
        row.bundle_key,
        settings.STORAGE_ADDRESS_SECONDS,
        filename=f"{row.identifier}.tar",
        media_type="application/x-tar",
    )

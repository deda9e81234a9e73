"""Register model versions, decide on them, and say which one serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max

from amgs.core import decisions, jobs, policy
from amgs.core.base import SYSTEM, Actor
from amgs.core.errors import Conflict, Refused
from amgs.registry import queries
from amgs.registry.models import ModelVersion

PROMOTING = ("promote", "rollback")
NUMBER_TRIES = 5


@transaction.atomic
def register_version(
    *,
    bundle_key: str,
    bundle_sha256: str,
    digest: str,
    info: Mapping[str, Any],
    report: Mapping[str, Any],
    report_key: str = "",
    card: str = "",
    curves: Sequence[Mapping[str, Any]] = (),
    run: str = "",
    snapshot: str = "",
    negative_control: bool = False,
    profile: str = "",
    measured_against: ModelVersion | None = None,
    species: str = "mouse",
) -> ModelVersion:
    """Register a bundle that lies in storage as the next version of its species.

    Its number is one more than the highest; of two registrations at once the slower one takes
    the next number.
    """
    given = {
        "species": species,
        "bundle_key": bundle_key,
        "bundle_sha256": bundle_sha256,
        "digest": digest,
        "info": dict(info),
        "report": dict(report),
        "report_key": report_key,
        "card": card,
        "curves": list(curves),
        # A bundle that does not say what it rests on is not taken for a validated one.
        "phantom": bool(info.get("phantom", True)),
        "run": run,
        "snapshot": snapshot,
        "negative_control": negative_control,
        "profile": profile,
        "measured_against": measured_against,
    }
    version = _numbered(species, given)
    decisions.record(
        version,
        "register",
        by=SYSTEM,
        facts={"digest": digest, "run": run, "snapshot": snapshot, "phantom": version.phantom},
    )
    return version


def _numbered(species: str, given: Mapping[str, Any]) -> ModelVersion:
    for _ in range(NUMBER_TRIES):
        most = ModelVersion.objects.filter(species=species).aggregate(most=Max("number"))["most"]
        try:
            with transaction.atomic():
                return ModelVersion.objects.create(number=(most or 0) + 1, **given)
        except IntegrityError:
            continue  # somebody took that number meanwhile
    raise Conflict("Other model versions were registered at the same moment; try again.")


@transaction.atomic
def record_verdicts(
    *,
    version: ModelVersion,
    verdicts: Sequence[Mapping[str, Any]],
    refused_by: Sequence[str],
    comparison: Mapping[str, Any],
) -> None:
    """Keep what the gates said of a candidate and move it on: refused, or to the maintainers.

    ``refused_by`` names the gates that were not passed; they are named in the decision.
    """
    version.verdicts = [dict(verdict) for verdict in verdicts]
    version.comparison = dict(comparison)
    version.save(update_fields=["verdicts", "comparison"])
    against = version.measured_against
    facts = {
        "verdicts": version.verdicts,
        "profile": version.profile,
        "measured_against": against.identifier if against else "constant baseline",
    }
    decisions.decide(version, "evaluate", by=SYSTEM, facts=facts)
    if refused_by:
        titles = {row["gate"]: row.get("title") or row["gate"] for row in version.verdicts}
        named = ", ".join(titles.get(gate, gate) for gate in refused_by)
        decisions.decide(
            version,
            "refuse",
            by=SYSTEM,
            why=f"Refused by the gates: {named}.",
            facts={"refused_by": list(refused_by)},
        )
    else:
        decisions.decide(version, "submit_for_review", by=SYSTEM)
    ask_for_mirror()


def decide_model(
    *,
    by: Actor,
    version: ModelVersion,
    action: str,
    why: str = "",
    ticks: Mapping[str, str] | None = None,
) -> decisions.Decision:
    """Take one step of the lifecycle with a model version; promoting retires the old one.

    ``ticks`` says, by the name of each gate that could not be assessed, why the version may be
    approved all the same; approving without is refused. They are kept with the decision.

    Raises ``Refused``, ``NotAllowed``, or ``Conflict`` where somebody else promoted meanwhile.
    """
    try:
        with transaction.atomic():
            facts: dict[str, Any] = {"identifier": version.identifier, "digest": version.digest}
            if action == "approve":
                policy.require(by, "registry.modelversion.approve", version)
                facts |= _answered(version, ticks or {})
            if action in PROMOTING:
                policy.require(by, f"registry.modelversion.{action}", version)
                facts |= _make_room(version, by=by, action=action)
            decision = decisions.decide(version, action, by=by, why=why, facts=facts)
            ask_for_mirror()
    except IntegrityError as error:
        # one_serves_per_species: both saw that none served, and the other one was faster.
        raise Conflict(
            "Another version was promoted at the same moment; look at the page again."
        ) from error
    return decision


def _answered(version: ModelVersion, ticks: Mapping[str, str]) -> dict[str, Any]:
    """Return the ticks to be kept; raises ``Refused`` naming the gates that have none."""
    from curation.gates import not_assessed_of, unanswered
    from curation.sentences import listing

    if missing := unanswered(version.verdicts, ticks):
        titles = [str(row.get("title") or row["gate"]) for row in missing]
        raise Refused(
            f"Not assessed and not answered: {listing(titles)}. Nothing was measured there; tick "
            "each one with the reason why the model may serve all the same.",
            field="ticks",
        )
    open_gates = {str(row["gate"]): row for row in not_assessed_of(version.verdicts)}
    if strangers := sorted(set(ticks) - set(open_gates)):
        raise Refused(
            f"There is nothing to tick for {listing(strangers)}: only gates that were not assessed "
            "are answered.",
            field="ticks",
        )
    kept = [
        {"gate": gate, "title": str(row.get("title") or gate), "why": ticks[gate].strip()[:500]}
        for gate, row in open_gates.items()
    ]
    return {"ticks": kept}


def _make_room(version: ModelVersion, *, by: Actor, action: str) -> dict[str, Any]:
    """Retire the version that serves, if one does; return what the ledger should say of it."""
    old = queries.serving(version.species)
    if old is None:
        return {"replaces": None}
    if old.pk == version.pk:
        raise Refused(f"{version.identifier} serves already.")
    decisions.decide(
        old,
        "retire",
        by=SYSTEM,
        why=f"{by.name} let {version.identifier} serve in its place ({action}).",
        facts={"replaced_by": version.identifier},
    )
    return {"replaces": old.identifier}


def roll_back(*, by: Actor, why: str, species: str = "mouse") -> ModelVersion:
    """Let the version serve again that served before the present one; return it."""
    before = queries.served_before(species)
    if before is None:
        raise Refused("There is no retired version to roll back to; promote one by name instead.")
    decide_model(by=by, version=before, action="rollback", why=why)
    return before


def serving(species: str = "mouse") -> ModelVersion | None:
    """Return the version that serves, or ``None``."""
    return queries.serving(species)


def ask_for_mirror() -> None:
    """Ask that MLflow be told, once however often it is asked."""
    from amgs.registry.jobs import MIRROR_KEY, mirror

    jobs.enqueue(mirror, key=MIRROR_KEY)

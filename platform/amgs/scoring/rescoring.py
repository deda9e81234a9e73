"""Score a recording again with another version: a new result beside the old one, never over it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from amgs.core.errors import NotFound, Refused
from amgs.core.models import Decision
from amgs.registry import queries as registry
from amgs.registry.models import ModelVersion
from amgs.scoring.models import ToolRun
from amgs.scoring.services import ONLY_PHANTOM, begin
from curation.model_version import SERVING, WITHDRAWN

MODEL = "model"
"""The parameter of a run that names the version it is scored with (public id)."""


def selectable(species: str = "mouse") -> list[ModelVersion]:
    """Return the versions that may be chosen, newest first: each served and was not withdrawn.

    Where phantoms may give no grades those that learned from them are left out.
    """
    served = Decision.objects.filter(subject_kind=registry.KIND, to_state=SERVING)
    rows = (
        ModelVersion.objects.filter(species=species, public_id__in=served.values("subject"))
        .exclude(state=WITHDRAWN)
        .only("public_id", "species", "number", "state", "phantom", "digest")
        .order_by("-pk")
    )
    return list(rows if settings.ALLOW_PHANTOM else rows.filter(phantom=False))


def chosen_model(run: ToolRun) -> ModelVersion | None:
    """Return the version that a run was asked to use, ``None`` where it takes the serving one.

    Raises ``Refused`` where it may no longer give grades.
    """
    named = run.parameters.get(MODEL)
    return may_grade(registry.version(named)) if named else None


def chosen_version(model: str) -> ModelVersion:
    """Return the version of this id or identifier if it may give grades; raises ``Refused``."""
    return may_grade(registry.version(model))


def may_grade(version: ModelVersion) -> ModelVersion:
    """Return a version that may give grades; raises ``Refused`` where it may not."""
    if version.state == WITHDRAWN:
        raise Refused(
            f"{version.identifier} was withdrawn for a fault, so it gives no scores any more; "
            "choose another version.",
            field=MODEL,
        )
    if version.phantom and not settings.ALLOW_PHANTOM:
        raise Refused(ONLY_PHANTOM, field=MODEL)
    served = Decision.objects.filter(
        subject_kind=registry.KIND, subject=version.public_id, to_state=SERVING
    )
    if not served.exists():
        raise Refused(
            f"{version.identifier} never served; only a version that the maintainers once let "
            "serve may give scores.",
            field=MODEL,
        )
    return version


@transaction.atomic
def rescore(*, user: Any, run: ToolRun, model: str) -> ToolRun:
    """Ask for the score of the same recording by another version; return the new run.

    The old result keeps its address, figures and files; a second score is asked for of the first
    one, also where another second score is at hand. Asked again for the same version, the run that
    is there already is returned. Raises ``Refused`` with what to do.
    """
    version = may_grade(registry.version(model))
    # Of two who ask at once the second one finds the run of the first.
    run = ToolRun.objects.select_for_update().get(pk=run.rescored_from_id or run.pk)
    if not run.result:
        raise Refused("This score is not ready yet; wait until it is, then score it again.")
    if run.blob is None or run.blob.deleted_at is not None:
        raise Refused("The file of this score is not there any more; upload it again to score it.")
    if run.provenance.get("bundle_digest") == version.digest:
        raise Refused(
            f"This score was given by {version.identifier} already; the same version gives the "
            "same score again. Choose another one.",
            field=MODEL,
        )
    again = run.rescored.filter(**{f"parameters__{MODEL}": version.public_id}).exclude(
        job__state__in=("failed", "cancelled")
    )
    if (known := again.first()) is not None:
        return known
    made = ToolRun.objects.create(
        user=user,
        name=run.name,
        upload=run.upload,
        blob=run.blob,
        parameters={**run.parameters, MODEL: version.public_id},
        rescored_from=run,
    )
    begin(made)
    return made


def compared(run: ToolRun) -> dict[str, Any]:
    """Return what a second score says otherwise than the first, with the origin of both.

    Raises ``NotFound`` where a run is no second score, or either of the two is not over.
    """
    from models.difference import difference
    from models.result import DISCLAIMER

    first = run.rescored_from
    if first is None:
        raise NotFound("This recording was not scored again here, so there is no difference.")
    if not (run.result and first.result):
        raise NotFound("The second score is not ready yet; come back when it is.")
    found = difference(first.result, run.result)
    return {
        "sentence": _sentence(found, first.provenance, run.provenance),
        "phantom": bool(first.result.get("phantom") or run.result.get("phantom")),
        "disclaimer": DISCLAIMER,
        "before": {"token": first.token, "provenance": first.provenance},
        "after": {"token": run.token, "provenance": run.provenance},
        "difference": found,
    }


def compared_csv(run: ToolRun) -> str:
    """Return the same as a table in which every row names both models."""
    from models.difference import to_csv

    told = compared(run)
    origin: dict[str, Any] = {"phantom": "yes" if told["phantom"] else "no"}
    for side in ("before", "after"):
        provenance = told[side]["provenance"]
        for name in ("model", "bundle_digest", "snapshot"):
            origin[f"{name}_{side}"] = provenance.get(name, "")
    return to_csv(told["difference"], origin)


def _sentence(found: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> str:
    """Return what changed and why: the recording is the same, the version is not."""
    old, new, score = before["model"], after["model"], found["score"]
    why = f"The recording is the same; {new} scored it instead of {old}"
    if score["change"] is None:
        if score["before"] is None and score["after"] is None:
            return f"{why}. Neither of them gives a score."
        gives, other = (new, old) if score["before"] is None else (old, new)
        return f"{why}. Only {gives} gives a score, {other} found too little to grade."
    change = f"{score['change']:+.2f}".replace("-", "−")
    told = f"{why}, and the mean score changed by {change} (from {score['before']:.2f} to "
    told += f"{score['after']:.2f})"
    if score["moved"] is not None:
        told += ", outside" if score["moved"] else ", within"
        told += " the measurement interval of the first"
    counts = found["counts"]
    judged = counts["compared"] - counts["untold"]
    if judged:
        verb = "lie" if counts["moved"] != 1 else "lies"
        told += f". {counts['moved']} of {judged} stretches {verb} outside theirs"
    return f"{told}."

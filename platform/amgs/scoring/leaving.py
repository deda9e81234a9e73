"""What scores rest on that left since, and whose bytes they need."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from amgs.files.removal import holder
from amgs.registry import queries as registry
from amgs.repository.consequences import counter
from amgs.repository.models import Version
from amgs.scoring.models import ProbeClip, ToolRun
from amgs.training.leaving import models_with, notes_of_model
from curation.leaving import Note


@holder
def _held_by_runs(keys: set[int]) -> Iterable[int]:
    """A film somebody sent to be scored is theirs, whoever else has the same bytes."""
    return ToolRun.objects.filter(blob__in=keys).values_list("blob", flat=True)


@holder
def _held_by_the_probe(keys: set[int]) -> Iterable[int]:
    return ProbeClip.objects.filter(blob__in=keys).values_list("blob", flat=True)


@counter
def _scores(version: Version) -> Mapping[str, Any]:
    return {"scores": ToolRun.objects.filter(model_version__in=models_with([version])).count()}


def notes_of_score(row: ToolRun) -> list[Note]:
    """Return what stands on a score's page: its model's fault, and data of it that left."""
    if row.model_version is None:
        return []
    fault = registry.fault(row.model_version)
    own = [Note("", row.model_version.state, fault, grave=True)] if fault else []
    return [*own, *notes_of_model(row.model_version, "This score")]

"""Model versions: which exist, on which evidence, and which one serves."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from amgs.core import vocabulary
from amgs.core.base import Row
from curation.model_version import LIFECYCLE


class ModelVersion(Row):
    """A trained bundle with its report. Its state is written by ``core.decisions`` alone.

    ``run`` and ``snapshot`` are public ids as text: training lies above the registry.
    """

    lifecycle = LIFECYCLE
    HEAVY = ("report", "card", "curves", "verdicts", "comparison")

    species = models.CharField(max_length=30, default="mouse")
    number = models.PositiveIntegerField()
    state = models.CharField(
        max_length=30, choices=vocabulary.model_states, default=LIFECYCLE.initial
    )
    bundle_key = models.CharField(max_length=200)
    bundle_sha256 = models.CharField(max_length=64)
    digest = models.CharField(max_length=64)
    info = models.JSONField(default=dict)
    report = models.JSONField(default=dict)
    report_key = models.CharField(max_length=200, blank=True)
    card = models.TextField(blank=True)
    # The run's curves, a copy: the mirror to MLflow knows nothing of runs.
    curves = models.JSONField(default=list)
    phantom = models.BooleanField()
    run = models.CharField(max_length=60, blank=True)
    snapshot = models.CharField(max_length=60, blank=True)
    negative_control = models.BooleanField(default=False)
    profile = models.CharField(max_length=30, blank=True)
    # Verdicts of the gates: [{gate, title, passed, value, threshold, sentence}]
    verdicts = models.JSONField(default=list)
    comparison = models.JSONField(default=dict)
    measured_against = models.ForeignKey(
        "self", null=True, on_delete=models.PROTECT, related_name="challengers"
    )
    mlflow_run_id = models.CharField(max_length=64, blank=True)
    mlflow_version = models.CharField(max_length=20, blank=True)
    # The alias MLflow shows for this version, as far as it was told.
    mlflow_alias = models.CharField(max_length=20, blank=True)
    mirrored_state = models.CharField(max_length=30, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["species", "number"], name="model_number_once"),
            models.UniqueConstraint(
                fields=["species"], name="one_serves_per_species", condition=Q(state="serving")
            ),
        ]

    @classmethod
    def heavy(cls, path: str = "model_version") -> tuple[str, ...]:
        """Name what a query that reads versions by ``path`` better defers: up to 200 kB a row."""
        return tuple(f"{path}__{name}" for name in cls.HEAVY)

    def __str__(self) -> str:
        return self.identifier

    @property
    def identifier(self) -> str:
        """How pages and exports name the version."""
        return f"{self.species}-v{self.number}"

"""A study: scores of an experiment with their animals, groups and times, and its analyses."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models

from amgs.core.base import Row


class Study(Row):
    """The table of an experiment, with a plan that is locked before any result by group is shown.

    ``plan`` is the draft. The locked versions of the plan are decisions about this study
    (``scoring.study_plans``): the log is append-only, so nothing here could undo one.
    """

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="studies"
    )
    title = models.CharField(max_length=200)
    plan = models.JSONField(default=dict)
    # The version of the first score; scores of another version are not mixed with its.
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="studies"
    )
    # Whoever has the link may read the results; empty: nobody has one.
    share_token = models.CharField(max_length=40, null=True, unique=True)
    # Hidden since then; it can be brought back for some days (``scoring.study_keeping``).
    deleted_at = models.DateTimeField(null=True, db_index=True)


class StudyEntry(Row):
    """One row of the table: a score of one animal at one time.

    ``replacement`` is the score of the same recording by the version that the study is pinned to;
    it counts as soon as it is there (``current``).
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="entries")
    name = models.CharField(max_length=400)
    run = models.ForeignKey(
        "scoring.ToolRun", null=True, on_delete=models.SET_NULL, related_name="study_entries"
    )
    replacement = models.ForeignKey(
        "scoring.ToolRun", null=True, on_delete=models.SET_NULL, related_name="+"
    )
    animal = models.CharField(max_length=100, blank=True)
    cage = models.CharField(max_length=100, blank=True)
    group = models.CharField(max_length=100, blank=True)
    time_h = models.FloatField(null=True)
    dose = models.CharField(max_length=40, blank=True)
    human_score = models.FloatField(null=True)
    excluded = models.CharField(max_length=300, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["study", "run"], name="score_once_in_a_study")
        ]

    @property
    def current(self) -> Any:
        """The score that counts: the replacement once it is there."""
        there = self.replacement is not None and self.replacement.result
        return self.replacement if there else self.run


class StudyAnalysis(Row):
    """One analysis of a study: what went in, verbatim, and what came out.

    It has no state but its job's. ``plan`` is the locked version it follows.
    """

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="analyses")
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="study_analysis"
    )
    plan = models.JSONField(default=dict)
    table = models.JSONField(default=list)
    table_digest = models.CharField(max_length=64)
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="+"
    )
    report = models.JSONField(default=dict)
    # Storage keys by name: report.json, figures, tables, study.zip …
    outputs = models.JSONField(default=dict)

"""Tool runs. A public score is a run of the tool ``score``."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from amgs.core.base import Row


def _token() -> str:
    return secrets.token_urlsafe(16)


class ToolRun(Row):
    """One run of a tool on one input, with all that its result names.

    It has no state but its job's. ``blob`` and ``job`` are empty while the upload is still being
    checked; the result has its address from the start.
    """

    tool = models.CharField(max_length=40, default="score")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="tool_runs"
    )
    # Whoever has the link may see the result; it cannot be guessed.
    token = models.CharField(max_length=40, unique=True, default=_token)
    name = models.CharField(max_length=400)
    upload = models.ForeignKey(
        "files.Upload", null=True, on_delete=models.SET_NULL, related_name="tool_runs"
    )
    blob = models.ForeignKey(
        "files.Blob", null=True, on_delete=models.PROTECT, related_name="tool_runs"
    )
    parameters = models.JSONField(default=dict)
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="tool_run"
    )
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="tool_runs"
    )
    result = models.JSONField(default=dict)
    # Storage keys by name: predictions.parquet, frames.csv, best frames …
    outputs = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)

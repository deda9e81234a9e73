"""Every page; each noun's file names its own addresses."""

from __future__ import annotations

from django.urls import include, path

NOUNS = (
    "home",
    "account",
    "labs",
    "roles",
    "webhooks",
    "work",
    "inbox",
    "device",
    "offline",
    "record",
    "batches",
    "standing",
    "scores",
    "contributing",
    "tools",
    "studies",
    "study_leaving",
    "study_results",
    "results",
    "datasets",
    "versions",
    "submitting",
    "checks",
    "labels",
    "permissions",
    "leaving",
    "desk",
    "curation",
    "reviewing",
    "rating",
    "gold",
    "scale",
    "validation",
    "registry",
    "credit",
    "training",
    "watch",
)

urlpatterns = [path("", include(f"amgs.web.{noun}")) for noun in NOUNS]

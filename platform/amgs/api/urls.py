"""Every address of the API; each noun's file names its own."""

from __future__ import annotations

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from amgs.api.problems import nothing_here

# In the order in which the documentation shows them.
NOUNS = (
    "accounts",
    "people",
    "uploads",
    "datasets",
    "versions",
    "deciding",
    "leaving",
    "recordings",
    "labels",
    "frames",
    "citing",
    "exports",
    "rating",
    "gold",
    "training",
    "credit",
    "models",
    "scores",
    "tools",
    "studies",
    "study_leaving",
    "webhooks",
    "score_extras",
    "contributions",
    "validation",
    "watch",
    "jobs",
)
_AT_ROOT = ("storage", "health")

urlpatterns = [
    path("api/schema/", SpectacularAPIView.as_view(permission_classes=[]), name="api-schema"),
    path(
        "api/docs/",
        SpectacularSwaggerView.as_view(url_name="api-schema", permission_classes=[]),
        name="api-docs",
    ),
    *(path("api/", include(f"amgs.api.{noun}")) for noun in NOUNS),
    path("api/<path:rest>", nothing_here),
    *(path("", include(f"amgs.api.{noun}")) for noun in _AT_ROOT),
]

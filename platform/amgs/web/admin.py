"""The administration pages: to look, not to change; what matters is changed by services."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

from amgs.accounts.models import ApiToken, Grant, Lab, Membership, User
from amgs.core.models import Decision, Job
from amgs.files.models import Blob, Upload
from amgs.registry.models import ModelVersion
from amgs.repository.models import Dataset, LabelImport, Recording, Version
from amgs.review.models import Audit, Screening
from amgs.scoring.models import ToolRun
from amgs.training.models import Run, Snapshot, Trigger


class LookOnly(admin.ModelAdmin):
    """A list and a page of every row; nothing can be added, changed or deleted."""

    show_full_result_count = False
    list_per_page = 50
    # Digests of secrets are of no use to anybody who looks.
    exclude = ("password", "digest")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nothing is added here."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is changed here: a service would not know of it and the log would lack it."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing is deleted here."""
        return False


def _register(model: type[Model], shown: tuple[str, ...], searched: tuple[str, ...] = ()) -> None:
    options: dict[str, Any] = {"list_display": shown, "search_fields": searched}
    admin.site.register(model, type(f"{model.__name__}Look", (LookOnly,), options))


_register(User, ("email", "full_name", "is_active", "created_at"), ("email", "full_name"))
_register(Lab, ("name", "institution", "created_at"), ("name",))
_register(Membership, ("user", "lab", "is_head"))
_register(Grant, ("user", "role", "created_at"))
_register(ApiToken, ("name", "prefix", "user", "expires_at", "revoked_at"), ("prefix",))
_register(
    Job,
    ("kind", "queue", "state", "attempt", "due_at", "finished_at", "error"),
    ("public_id", "subject", "kind"),
)
_register(
    Decision, ("number", "at", "actor_name", "action", "subject_kind", "subject"), ("subject",)
)
_register(Blob, ("sha256", "size", "media_type", "created_at"), ("sha256",))
_register(Upload, ("name", "size", "purpose", "state", "created_at"), ("name", "public_id"))
_register(Dataset, ("identifier", "lab", "phantom", "created_at"))
_register(Version, ("identifier", "title", "state", "created_at"), ("title", "public_id"))
_register(Recording, ("name", "dataset", "status", "problem"), ("name",))
_register(LabelImport, ("name", "dataset", "status", "rows"), ("name",))
_register(Screening, ("version", "passed", "created_at"))
_register(Audit, ("version", "raters_per_frame", "agreement_at"))
_register(ModelVersion, ("identifier", "state", "phantom", "created_at"), ("public_id",))
_register(Snapshot, ("public_id", "frames", "animals", "phantom"), ("public_id", "digest"))
_register(Run, ("public_id", "recipe", "profile", "negative_control"), ("public_id",))
_register(Trigger, ("name", "fired", "reason", "created_at"))
_register(ToolRun, ("name", "tool", "user", "created_at"), ("public_id",))

admin.site.site_header = admin.site.site_title = "aMGS administration"
admin.site.enable_nav_sidebar = False

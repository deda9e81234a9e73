"""Record on a phone: the page, and the authority of a site with its own certificate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from amgs.core.errors import NotFound, Refused
from amgs.registry.models import ModelVersion
from amgs.scoring import services
from amgs.web.owner import with_key
from amgs.web.policy_headers import allow_wasm

SECONDS = (10, 30, 60)
SUGGESTED_S = 30
TIMES = ("baseline", "30 min", "1 h", "2 h", "4 h", "8 h", "24 h", "48 h")


def finder_base(version: ModelVersion) -> str:
    """Return where the browser finds the graphs that find a face; empty where it finds none."""
    try:
        return reverse("device-facts", args=[version.digest]).removesuffix("device.json")
    except NoReverseMatch:
        return ""


@require_safe
@never_cache
@allow_wasm
def record(request: HttpRequest) -> HttpResponse:
    """Film one animal after the other; what was kept is sent when there is a connection."""
    context: dict[str, Any] = {
        "refusal": "",
        "times": TIMES,
        "seconds": SECONDS,
        "suggested": SUGGESTED_S,
        "kept_days": settings.SCORE_KEPT_DAYS,
        "finder": "",
    }
    try:
        version = services.grading_model()
        context |= {"serving": version, "finder": finder_base(version)}
    except Refused as refused:
        context["refusal"] = refused.sentence
    person = request.user if request.user.is_authenticated else None
    most = settings.UPLOAD_MOST_BYTES if person else settings.UPLOAD_MOST_BYTES_PUBLIC
    page = render(request, "record/record.html", context | {"most_bytes": most})
    return with_key(request, page)


@require_safe
def authority(request: HttpRequest) -> HttpResponse:
    """Send the authority of a site that made its own certificate, for a phone to trust."""
    file = Path(settings.CERTIFICATE) / "authority.pem"
    if not settings.CERTIFICATE or not file.is_file():
        raise NotFound("This site has no authority of its own: its certificate needs none.")
    return HttpResponse(file.read_bytes(), content_type="application/x-x509-ca-cert")


urlpatterns = [
    path("record/", record, name="record"),
    path("authority.pem", authority, name="authority"),
]

"""Record on a phone, and what makes the site an app: its offline shell in a service worker."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import NoReverseMatch, path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from amgs.core.errors import NotFound, Refused
from amgs.registry.models import ModelVersion
from amgs.scoring import services
from amgs.web.owner import with_key
from amgs.web.policy_headers import allow_wasm
from amgs.web.vendor import static_path

SECONDS = (10, 30, 60)
SUGGESTED_S = 30
TIMES = ("baseline", "30 min", "1 h", "2 h", "4 h", "8 h", "24 h", "48 h")
# Folders below ``static/amgs`` whose files the record page and the score page load.
FOLDERS = ("css", "device", "images", "offline", "record", "score", "upload")
SCRIPTS = ("django_htmx/htmx-2.min.js",)
LIBRARIES = (
    ("hash-wasm", "dist/sha256.umd.min.js"),
    ("hash-wasm", "dist/md5.umd.min.js"),
    ("jsqr", "dist/jsQR.js"),
)
KEPT = {".css", ".js", ".svg", ".png", ".webmanifest"}


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


@cache
def shell() -> tuple[tuple[str, ...], str]:
    """Return the paths of the static files of the offline shell, and a digest of their content."""

    found = {}
    for name in FOLDERS:
        folder = Path(str(finders.find(f"amgs/{name}") or name))
        for file in sorted(folder.rglob("*")):
            if file.suffix in KEPT:
                found[f"amgs/{name}/{file.relative_to(folder).as_posix()}"] = file
    for given in (*SCRIPTS, *(static_path(*library) for library in LIBRARIES)):
        if file_path := finders.find(given):
            found[given] = Path(str(file_path))
    total = hashlib.sha256()
    for file_name, file in found.items():
        total.update(file_name.encode() + b"\0" + file.read_bytes())
    return tuple(found), total.hexdigest()[:16]


@require_safe
@never_cache
def service_worker(request: HttpRequest) -> HttpResponse:
    """Send the service worker, which names the files of this release."""
    files, version = shell()
    facts = {
        "version": version,
        "files": [static(name) for name in files],
        "pages": [reverse("record"), reverse("score")],
    }
    script = Path(str(finders.find("amgs/offline/worker.js"))).read_text(encoding="utf-8")
    return HttpResponse(
        f"const SHELL = {json.dumps(facts)};\n{script}", content_type="text/javascript"
    )


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
    # At the root, for a service worker sees only addresses below its own.
    path("service-worker.js", service_worker, name="service-worker"),
]

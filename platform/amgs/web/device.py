"""Scoring on the reader's own device: the page, and the files of the model that it needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import path, reverse
from django.views.decorators.cache import cache_control, never_cache
from django.views.decorators.http import require_safe

from amgs.core.errors import NotFound, Refused
from amgs.files.storage import Missing
from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion
from amgs.scoring import services
from amgs.scoring.jobs import snapshot_of
from amgs.web.offline import RUNTIME, device_kept
from amgs.web.policy_headers import allow_wasm
from amgs.web.vendor import static_path
from models.bundle import GRAPHS, BundleError, load_bundle
from models.scale import load_scale

log = structlog.get_logger(__name__)

LIMITS = (
    "Scored by the same graphs as on the server, without measurement intervals. Colour conversion "
    "and decoding of this browser may move a score by a few hundredths."
)
PHANTOM = (
    "The model that grades here learned from a rendered mouse. Its figures show how the machinery "
    "works and say nothing about a real animal."
)
YEAR_S = 365 * 24 * 3600


def device_base(version: ModelVersion) -> str:
    """Return the address below which a version's files for the browser lie."""
    facts = reverse("device-facts", args=[version.digest])
    return facts.removesuffix("device.json")


@require_safe
@never_cache
@allow_wasm
def page(request: HttpRequest) -> HttpResponse:
    """Score a file without sending it, or say that nothing can be graded yet."""
    from models.result import DISCLAIMER

    context: dict[str, Any] = {
        "refusal": "",
        "limits": LIMITS,
        "phantom": PHANTOM,
        "disclaimer": DISCLAIMER,
    }
    try:
        version = services.grading_model()
        base = device_base(version)
        context |= {
            "serving": version,
            "base": base,
            "kept": device_kept(version, base),
            "scale": load_scale(),
            "snapshot": snapshot_of(version),
        }
    except Refused as refused:
        context["refusal"] = refused.sentence
    return render(request, "scores/device.html", context)


def _version(digest: str) -> ModelVersion:
    """Return the version that may give grades here, if its content is the one asked for."""
    version = services.grading_model()
    if version.digest != digest:
        raise NotFound(
            "Another version of the model gives the grades here now; load the page again."
        )
    return version


def _folder(version: ModelVersion) -> Path:
    """Return the folder of a version's bundle, or say that it cannot be had."""
    try:
        return bundle_folder(version)
    except (BundleError, Missing) as problem:
        log.error("the bundle of the serving model is not there", model=version.identifier)
        raise NotFound(
            f"The files of {version.identifier} are not there; tell the maintainers of this site."
        ) from problem


@require_safe
@never_cache
def facts(request: HttpRequest, digest: str) -> JsonResponse:
    """Return constants, calibration and addresses that scoring in the browser needs."""
    from models.device import device_facts

    version = _version(digest)
    told = device_facts(load_bundle(_folder(version)))
    return JsonResponse(
        told
        | {
            "runtime": {name: static(static_path(*file)) for name, file in RUNTIME.items()},
            "model": {
                "identifier": version.identifier,
                "id": version.public_id,
                "snapshot": snapshot_of(version),
                "phantom": version.phantom,
            },
        }
    )


@require_safe
@cache_control(public=True, max_age=YEAR_S, immutable=True)
def graph(request: HttpRequest, digest: str, name: str) -> FileResponse:
    """Return one graph of the version; its content never changes under this address."""
    if name not in GRAPHS:
        raise NotFound(f"A model has no graph '{name}'.")
    file = _folder(_version(digest)) / f"{name}.onnx"
    return FileResponse(file.open("rb"), content_type="application/octet-stream")


urlpatterns = [
    path("score/on-device/", page, name="score-on-device"),
    path("score/on-device/<str:digest>/device.json", facts, name="device-facts"),
    path("score/on-device/<str:digest>/<str:name>.onnx", graph, name="device-graph"),
]

"""What a browser keeps, so that pages open without a network: the shell, and the scoring page."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.http import HttpRequest, HttpResponse
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from amgs.registry.models import ModelVersion
from amgs.web.vendor import static_path
from models.bundle import GRAPHS

# Folders below ``static/amgs`` whose files the record page and the score page load.
FOLDERS = ("css", "device", "images", "offline", "record", "score", "upload")
SCRIPTS = ("django_htmx/htmx-2.min.js",)
LIBRARIES = (
    ("hash-wasm", "dist/sha256.umd.min.js"),
    ("hash-wasm", "dist/md5.umd.min.js"),
    ("jsqr", "dist/jsQR.js"),
)
# The same for the page that scores on the device; its addresses carry the libraries' versions.
DEVICE_FOLDERS = ("chart", "css", "device", "images", "offline", "result", "upload")
RUNTIME = {
    "script": ("onnxruntime-web", "dist/ort.wasm.bundle.min.mjs"),
    "wasm": ("onnxruntime-web", "dist/ort-wasm-simd-threaded.wasm"),
    "demuxer": ("mediabunny", "dist/bundles/mediabunny.min.mjs"),
}
DEVICE_LIBRARIES = (
    ("uplot", "dist/uPlot.esm.js"),
    ("uplot", "dist/uPlot.min.css"),
    *RUNTIME.values(),
)
TEMPLATES = ("base.html", "scores/device.html")
KEPT = {".css", ".js", ".svg", ".png", ".webmanifest"}


def _found(folders: Iterable[str], libraries: Iterable[tuple[str, str]]) -> dict[str, Path]:
    """Return the files that pages load by their static names."""
    found = {}
    for name in folders:
        folder = Path(str(finders.find(f"amgs/{name}") or name))
        for file in sorted(folder.rglob("*")):
            if file.suffix in KEPT:
                found[f"amgs/{name}/{file.relative_to(folder).as_posix()}"] = file
    for given in (*SCRIPTS, *(static_path(*library) for library in libraries)):
        if file_path := finders.find(given):
            found[given] = Path(str(file_path))
    return found


def _digest(files: dict[str, Path]) -> str:
    total = hashlib.sha256()
    for name, file in files.items():
        total.update(name.encode() + b"\0" + file.read_bytes())
    return total.hexdigest()[:16]


@cache
def shell() -> tuple[tuple[str, ...], str]:
    """Return the paths of the static files of the offline shell, and a digest of their content."""
    found = _found(FOLDERS, LIBRARIES)
    return tuple(found), _digest(found)


@cache
def device_program() -> tuple[dict[str, int], str]:
    """Return the static files of the scoring page with their sizes, and a digest of the content."""
    found = _found(DEVICE_FOLDERS, DEVICE_LIBRARIES)
    pages = {name: Path(str(get_template(name).origin.name)) for name in TEMPLATES}
    sizes = {name: file.stat().st_size for name, file in found.items()}
    return sizes, _digest(found | pages)


def device_kept(version: ModelVersion, base: str) -> dict[str, Any]:
    """Return all that a browser keeps to score with this version without a network.

    ``files`` are pairs of address and size in bytes, 0 where that is not known without reading the
    model; ``key`` is another one whenever the program or the model is. What lies below ``fixed``
    never changes under its address.
    """
    sizes, program = device_program()
    graphs = [(f"{base}{name}.onnx", 0) for name in GRAPHS]
    return {
        "key": f"{program}-{version.digest[:16]}",
        "page": reverse("score-on-device"),
        "facts": f"{base}device.json",
        "files": [*((static(name), size) for name, size in sizes.items()), *graphs],
        "fixed": [base, static("vendor/")],
    }


@require_safe
@never_cache
def service_worker(request: HttpRequest) -> HttpResponse:
    """Send the service worker, which names the files of this release."""
    files, version = shell()
    facts = {
        "version": version,
        "files": [static(name) for name in files],
        "pages": [reverse("record"), reverse("score")],
        "device": {
            "page": reverse("score-on-device"),
            "worker": static("amgs/device/worker.js"),
            "files": [static(name) for name in device_program()[0]],
            "libraries": static("vendor/"),
        },
    }
    script = Path(str(finders.find("amgs/offline/worker.js"))).read_text(encoding="utf-8")
    return HttpResponse(
        f"const SHELL = {json.dumps(facts)};\n{script}", content_type="text/javascript"
    )


urlpatterns = [
    # At the root, for a service worker sees only addresses below its own.
    path("service-worker.js", service_worker, name="service-worker"),
]

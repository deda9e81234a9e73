"""The content security policy of every page: nothing inline, nothing from strangers."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse

HEADER = "Content-Security-Policy"
# Sign-in forms are answered by a redirect to the provider, which browsers check as a form action.
PROVIDER_ORIGINS = {"orcid": "https://orcid.org", "github": "https://github.com"}

# A report is a file made by a training run: it may style itself and show its own pictures, and
# the sandbox takes from it scripts, forms and the site's cookies.
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox; frame-ancestors 'self'"
)
# The interactive API reference of drf-spectacular draws itself with inline script and style.
API_DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; worker-src 'self' blob:; base-uri 'none'; frame-ancestors 'none'"
)


def storage_origin(url: str) -> str:
    """Return the origin that signed storage addresses point to, empty for the site's own."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("s3+"):
        return ""
    public = parse_qs(parts.query).get("public", [""])[-1]
    if public:
        given = urlsplit(public)
        return f"{given.scheme}://{given.netloc}"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme.removeprefix('s3+')}://{host}"


def page_policy(*, wasm: bool = False) -> str:
    """Return the policy of ordinary pages under the present settings.

    ``wasm`` lets the page compile WebAssembly, which still is code from this site alone.
    """
    storage = storage_origin(settings.STORAGE_URL)
    here = f"'self' {storage}".strip()
    providers = " ".join(
        PROVIDER_ORIGINS[name]
        for name in settings.SOCIALACCOUNT_PROVIDERS
        if name in PROVIDER_ORIGINS
    )
    rules = {
        "default-src": "'none'",
        "script-src": "'self' 'wasm-unsafe-eval'" if wasm else "'self'",
        "worker-src": "'self'",
        "style-src": "'self'",
        "img-src": f"{here} data: blob:",
        "media-src": f"{here} blob:",
        "connect-src": here,
        "font-src": "'self'",
        "frame-src": "'self'",
        "manifest-src": "'self'",
        "form-action": f"'self' {providers}".strip(),
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items())


def allow_wasm(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let the page of one view compile WebAssembly."""

    @wraps(view)
    def allowed(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = view(request, *args, **kwargs)
        response.headers[HEADER] = page_policy(wasm=True)
        return response

    return allowed


class ContentSecurityPolicy:
    """Put the policy on every answer that has none of its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer the request with the policy in its headers."""
        response = self.get_response(request)
        if HEADER not in response.headers:
            docs = request.path.startswith("/api/docs")
            response.headers[HEADER] = API_DOCS_POLICY if docs else page_policy()
        return response

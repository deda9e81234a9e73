"""The site's addresses: pages at the root, the API under ``/api/``."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views import defaults

from amgs.api.problems import plain

urlpatterns = [
    path("", include("amgs.api.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("", include("amgs.web.urls")),
]


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def handler400(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer a request that cannot be read."""
    if _is_api(request):
        return plain(request, 400, "Refused", "This request cannot be read.")
    return defaults.bad_request(request, exception)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer an address that leads nowhere."""
    if _is_api(request):
        return plain(request, 404, "Not found", "There is nothing at this address.")
    return defaults.page_not_found(request, exception)


def handler500(request: HttpRequest, *_: Any) -> HttpResponse:
    """Answer where the platform itself is at fault; the log says more."""
    if _is_api(request):
        sentence = "Something is wrong here, not with what you asked; it was written to the log."
        return plain(request, 500, "Our fault", sentence)
    return defaults.server_error(request)

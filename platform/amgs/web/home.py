"""The start page: what this is, which model serves, where to go first."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path
from django.views.decorators.http import require_safe

from amgs.registry import services as registry
from models.scale import load_scale


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the start page."""
    return render(request, "home.html", {"champion": registry.serving(), "scale": load_scale()})


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Send what asks for the classic address to the drawing."""
    return redirect(static("amgs/images/favicon.svg"), permanent=True)


urlpatterns = [
    path("", home, name="home"),
    path("favicon.ico", favicon, name="favicon"),
]

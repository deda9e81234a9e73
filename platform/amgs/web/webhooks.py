"""The secret of my webhooks, on the account page."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.scoring import webhooks


@require_safe
@never_cache
@login_required
def secret(request: HttpRequest) -> HttpResponse:
    """Show what my webhooks are signed with, and how a receiver checks them."""
    row = webhooks.known_secret(request.user)
    context = {"row": row, "previous_until": row and webhooks.old_secret_until(row)}
    return render(request, "account_page/webhooks.html", context)


@require_POST
@login_required
def rotate(request: HttpRequest) -> HttpResponse:
    """Make another secret; the one before signs as well for a day."""
    row = webhooks.rotate_secret(user=request.user)
    old = " For a day the old one signs beside it." if row.previous else ""
    messages.success(request, f"There is a new secret.{old}")
    return redirect("webhooks")


urlpatterns = [
    path("account/webhooks/", secret, name="webhooks"),
    path("account/webhooks/rotate", rotate, name="webhooks-rotate"),
]

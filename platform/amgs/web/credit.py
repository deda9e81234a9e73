"""Credit: what became of my labs' data in the models that were promoted."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from amgs.training import credit
from amgs.web.paging import newest_first


@require_safe
@login_required
def credits(request: HttpRequest) -> HttpResponse:
    """List the models that learned from data of my labs, newest first."""
    page = newest_first(credit.credits_for(request.user), request)
    return render(request, "training/credit.html", {"page": page, "rows": credit.shown(page.rows)})


urlpatterns = [path("credit/", credits, name="credit")]

"""The scale on one page, drawn: for learning it, and for the wall beside the screen."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from amgs.web import drawings
from models.scale import load_scale

FOLDER = "amgs/rating/card"


@require_safe
def card(request: HttpRequest) -> HttpResponse:
    """Show every grade of every unit with its drawing."""
    scale = load_scale()
    context = {
        "scale": scale,
        "rows": [
            (
                unit,
                [
                    (grade, definition, f"{FOLDER}/{drawings.file_name(unit, grade)}")
                    for grade, definition in enumerate(unit.grades)
                ],
            )
            for unit in scale.units
        ],
        "unit_reasons": [row.title for row in scale.reasons if row.level == "unit"],
        "frame_reasons": [row.title for row in scale.reasons if row.level == "frame"],
    }
    return render(request, "rating/scale.html", context)


urlpatterns = [path("scale/", card, name="scale")]

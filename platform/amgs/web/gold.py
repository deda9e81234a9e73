"""Gold frames: what raters learn from and are measured by, set and retired by curators."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_POST, require_safe

from amgs.core.errors import Refused
from amgs.review import golden
from amgs.review.services import retire_gold, set_gold
from amgs.web.paging import back_to, newest_first
from models.scale import load_scale

NOT_SCORABLE = "n"
PROPOSED = 12
USES = (("training", "Training set"), ("hidden", "Hidden"), ("new", "Add frames"))


@require_safe
@login_required
def gold(request: HttpRequest) -> HttpResponse:
    """Show the training set, the hidden gold frames, or frames that could be added."""
    return _show(request)


def _show(request: HttpRequest, status: int = 200, **more: Any) -> HttpResponse:
    chosen = request.GET.get("show", "")
    chosen = chosen if chosen in dict(USES) else "training"
    context = {
        "uses": USES,
        "chosen": chosen,
        "counts": golden.counts(),
        "scale": load_scale(),
        "not_scorable": NOT_SCORABLE,
        "unit": request.GET.get("unit", ""),
        "grade": request.GET.get("grade", ""),
    }
    if chosen == "new":
        frames = golden.candidates(
            request.user, unit=context["unit"], grade=_whole(context["grade"])
        )
        page = newest_first(frames, request, PROPOSED)
        context |= {"page": page, "proposals": golden.proposals(page)}
    else:
        rows = golden.gold_rows(request.user, training=chosen == "training")
        page = newest_first(rows, request)
        context |= {"page": page, "rows": golden.shown(page.rows)}
    return render(request, "rating/gold.html", context | more, status=status)


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


@require_POST
@login_required
def set_one(request: HttpRequest, frame: str) -> HttpResponse:
    """Make a frame gold, with the grades of the form."""
    given = request.POST
    found = golden.frame_to_set(request.user, frame)
    # What is not scorable is agreed as that; why one could not score it is nobody's to learn.
    agreed = {
        unit.key: {"reason": "other"}
        if given.get(unit.key) == NOT_SCORABLE
        else _whole(given.get(unit.key, ""))
        for unit in load_scale().units
    }
    training = given.get("use") == "training"
    try:
        set_gold(
            by=request.user,
            frame=found,
            agreed={unit: answer for unit, answer in agreed.items() if answer is not None},
            training=training,
            note=given.get("note", ""),
        )
    except Refused as refused:
        return _show(request, 422, problem=refused, tried=found.public_id)
    where = "in the training set" if training else "hidden among the frames of raters"
    messages.success(request, f"The frame is {where} now.")
    return redirect(back_to("gold", request))


@require_POST
@login_required
def retire(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a gold frame to nobody any more."""
    row = golden.gold_of(request.user, public_id)
    retire_gold(by=request.user, gold=row)
    messages.success(request, "Nobody is given this frame any more; what was answered stays.")
    return redirect(back_to("gold", request))


urlpatterns = [
    path("gold/", gold, name="gold"),
    path("gold/frames/<str:frame>", set_one, name="gold-set"),
    path("gold/<str:public_id>/retire", retire, name="gold-retire"),
]

"""The page of a result: look at frames, correct them, print it, have files made."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from amgs.core import vocabulary
from amgs.core.errors import Refused
from amgs.core.jobs import ACTIVE
from amgs.scoring import corrections, extras, queries
from amgs.scoring.keeping import owns
from amgs.scoring.leaving import notes_of_score
from amgs.scoring.making import COURSE
from amgs.scoring.models import ToolRun
from amgs.web import charts
from amgs.web.owner import key_of
from amgs.web.people import actor
from models.scale import load_scale

OPENED = (extras.PLAYER, extras.EXPLANATION)
"""What a page asks for by itself when it is opened."""
MADE = (extras.WORKBOOK, extras.ANNOTATED, extras.CORRECTED)
BY_HAND = "by_hand"
HIDDEN = (".jpg", ".png", ".bin")
BUTTONS = {extras.WORKBOOK: "Excel workbook", extras.ANNOTATED: "Film with grades drawn on it"}


def shown(request: HttpRequest, row: ToolRun, found: dict[str, Any]) -> dict[str, Any]:
    """Return what the page of a result draws; figures rest on corrections where that is ticked."""
    from models.result import top_of_sum  # NumPy and SciPy: not before a result is looked at

    made = extras.summary(row)
    ready = made.get(extras.CORRECTED, {})
    ticked = BY_HAND in request.GET
    by_hand = ticked and ready.get("state") == "done" and not ready.get("stale")
    told = ready["told"]["result"] if by_hand else found["result"]
    files = found["files"] | {
        name: address for one in made.values() for name, address in one["files"].items()
    }
    course = f"corrected-{COURSE}" if by_hand else COURSE
    downloads = [
        (name, address)
        for name, address in files.items()
        if not name.endswith(HIDDEN) and name not in (*queries.SHOWN, "explanation.json")
    ]
    worst = _pictures(told, "worst_frames", files)
    scale = load_scale()
    excluded = [state.key for state in scale.states if not state.graded]
    return {
        "told": told,
        "by_hand": by_hand,
        "by_hand_waits": ticked and not by_hand,
        "by_hand_refused": ready.get("error") if ticked and ready.get("state") == "failed" else "",
        "sum": queries.derived_sum(told),
        "top_of_sum": top_of_sum(scale),
        "methods": queries.methods(row, corrections_used=by_hand),
        "acts": corrections.acts(row),
        "may_correct": corrections.may_correct(actor(request), row, _asked_here(request, row)),
        "reasons": _shares(told, told["not_scorable"]),
        "states": [(*one, one[0] in excluded) for one in _shares(told, told["states"])],
        "sections": [
            ("best", "The frames it is surest of", _pictures(told, "best_frames", files)),
            ("worst", "The graded frames it is least sure of", worst),
        ],
        "downloads": sorted(downloads),
        "course": files.get(course, ""),
        "is_film": told["frames"] > 1,
        "extras": made,
        "waiting": waiting(made),
        "offered": [
            (what, title)
            for what, title in BUTTONS.items()
            if not extras.refusal(row, what) and not _fresh(made.get(what))
        ],
        "chart": {
            "bins": told["bins"],
            "bin_s": told["bin_s"],
            "segments": told["segments"],
            "excluded": excluded,
            "units": [
                {"key": unit.key, "title": unit.title, "short": unit.short} for unit in scale.units
            ],
            "states": dict(vocabulary.states()),
            "reasons": dict(vocabulary.reasons()),
        },
    }


def waiting(made: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is being made, with a title each."""
    return [
        one | {"what": what, "title": extras.TITLES[what]}
        for what, one in made.items()
        if one["state"] in ACTIVE
    ]


def _fresh(one: dict[str, Any] | None) -> bool:
    return one is not None and (
        one["state"] in ACTIVE or (one["state"] == "done" and not one["stale"])
    )


def _shares(told: dict[str, Any], counts: dict[str, int]) -> list[tuple[str, int, float]]:
    frames = max(told["frames"], 1)
    rows = sorted(counts.items(), key=lambda row: -row[1])
    return [(key, count, count / frames) for key, count in rows if count]


def _pictures(told: dict[str, Any], name: str, files: dict[str, str]) -> list[dict[str, Any]]:
    return [
        one | {"address": files[one["file"]]} for one in told.get(name, []) if one["file"] in files
    ]


def _asked_here(request: HttpRequest, row: ToolRun) -> bool:
    return owns(row, user=None, key=key_of(request))


@never_cache
def made(request: HttpRequest, token: str) -> HttpResponse:
    """Show what is being made of a result; a POST asks for what it names."""
    row = queries.by_token(token)
    problem = None
    if request.method == "POST":
        for what in request.POST.getlist("what") or OPENED:
            try:
                extras.ask_for(run=row, what=what)
            except Refused as refused:
                # What a page asks for by itself is not refused aloud: a picture has no film.
                problem = refused if request.POST.get("what") else problem
        if not request.htmx:
            if problem:
                messages.error(request, problem.sentence)
            back = reverse("score-result", args=[token])
            ticked = extras.CORRECTED in request.POST.getlist("what")
            return redirect(f"{back}?{BY_HAND}=1" if ticked else back)
    summary = extras.summary(row)
    context = {"score": {"token": token}, "extras": summary, "waiting": waiting(summary)}
    # Files that are ready, and figures formed anew, stand elsewhere on the page.
    known = set(request.GET.get("waits", "").split(","))
    if any(summary.get(what, {}).get("state") == "done" for what in known & set(MADE)):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "scores/made.html", context | {"problem": problem})


@require_safe
@never_cache
def frame(request: HttpRequest, token: str, place: int) -> HttpResponse:
    """Show what the model says of one frame, with the form to correct it."""
    row = queries.by_token(token)
    said = corrections.frame_at(row, place)
    by_hand = corrections.counted(row).get(said.key.pts, {})
    grades = {grade.unit: grade for grade in said.grades}
    scale = load_scale()
    units = [
        {
            "unit": unit,
            "said": grades.get(unit.key),
            "probability": max(grades[unit.key].probabilities) if unit.key in grades else None,
            "by_hand": by_hand.get(unit.key),
            "grades": [str(grade) for grade in range(unit.top_grade + 1)],
        }
        for unit in scale.units
    ]
    context = {
        "score": {"token": token},
        "place": place,
        "said": said,
        "units": units,
        "reasons": [reason for reason in scale.reasons if reason.level == "unit"],
        "may_correct": corrections.may_correct(actor(request), row, _asked_here(request, row)),
        "mark": corrections.NOT_SCORABLE,
    }
    page = "scores/frame.html" if request.htmx else "scores/frame_page.html"
    return render(request, page, context)


@require_POST
def correct(request: HttpRequest, token: str, place: int) -> HttpResponse:
    """Keep what a person says of a frame beside what the model says."""
    row = queries.by_token(token)
    keys = load_scale().unit_keys
    said = {key: request.POST[key] for key in keys if request.POST.get(key)}
    try:
        corrections.correct(
            by=actor(request),
            run=row,
            place=place,
            said=said,
            asked_here=_asked_here(request, row),
        )
    except Refused as refused:
        messages.error(request, refused.sentence)
    else:
        messages.success(
            request,
            "Kept beside the model's grades. Figures stay the model's unless you tick otherwise.",
        )
    return redirect(f"{reverse('score-result', args=[token])}#by-hand")


@require_POST
def undo(request: HttpRequest, token: str, act: str) -> HttpResponse:
    """Take a correction back."""
    row = queries.by_token(token)
    asked_here = _asked_here(request, row)
    corrections.undo(by=actor(request), run=row, act=act, asked_here=asked_here)
    messages.success(request, "The correction was undone.")
    return redirect(f"{reverse('score-result', args=[token])}#by-hand")


@require_safe
@never_cache
def report(request: HttpRequest, token: str) -> HttpResponse:
    """Show a result as pages to print."""
    row = queries.by_token(token)
    found = queries.score_json(row)
    if not found["result"] or not found["result"]["frames"]:
        raise Refused("There is no result to print yet; wait until the score is ready.")
    context = {"score": found, "row": row, "scale": load_scale(), "notes": notes_of_score(row)}
    context |= shown(request, row, found)
    context["course_drawn"] = charts.one_course(
        context["told"]["bins"], context["told"]["segments"]
    )
    return render(request, "scores/report.html", context)


urlpatterns = [
    path("score/<str:token>/made", made, name="score-made"),
    path("score/<str:token>/frames/<int:place>", frame, name="score-frame"),
    path("score/<str:token>/frames/<int:place>/correct", correct, name="score-correct"),
    path("score/<str:token>/undo/<str:act>", undo, name="score-undo"),
    path("score/<str:token>/report", report, name="score-report"),
]

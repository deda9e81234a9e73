"""The inbox: what happened to my data, what waits for me; and ending mail without signing in."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.accounts import notices
from amgs.accounts.models import Mail, Notice
from amgs.core import policy
from amgs.core.errors import Refused
from amgs.repository.models import Version
from amgs.review.queries import what_waits
from amgs.scoring.models import ToolRun
from amgs.web import paging

WATCHED = {"review.callfordata", "scoring.probereading"}
"""What stands on the page Watch."""
PERSONAL = {"accounts.lab", "accounts.user"}
"""What stands on the account page."""


@require_safe
@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """List what a person was told, newest first, below what waits for them now."""
    rows = Notice.objects.filter(user=request.user)
    if "unread" in request.GET:
        rows = rows.filter(read_at=None)
    after = request.GET.get("after", "")
    context = {
        "page": paging.newest_first(rows, request),
        "only_unread": "unread" in request.GET,
        "waiting": what_waits(request.user) if not after else [],
    }
    return render(request, "inbox/list.html", context)


@require_safe
@login_required
def notice(request: HttpRequest, public_id: str) -> HttpResponse:
    """Lead to what a line is about; it counts as read from then on."""
    row = notices.find(request.user, public_id)
    notices.mark(user=request.user, notices=[public_id])
    if row.subject_kind == "repository.version":
        version = Version.objects.visible_to(request.user).filter(public_id=row.subject).first()
        if version is not None:
            curator = "curator" in request.user.roles
            own = version.dataset.lab_id in request.user.lab_ids
            page = "review" if curator and not own and not version.published_at else "version"
            return redirect(page, version.identifier.replace("/", "."))
    if row.subject_kind == "scoring.toolrun":
        run = ToolRun.objects.filter(user=request.user, public_id=row.subject).first()
        if run is not None:
            return redirect("score-result", run.token)
    if row.subject_kind in PERSONAL:
        return redirect("account")
    if row.subject_kind in WATCHED and policy.may(request.user, "scoring.see_watch"):
        return redirect("watch")
    return redirect("inbox")


@require_POST
@login_required
def mark(request: HttpRequest) -> HttpResponse:
    """Mark lines as read or unread; all of them as read where none is named."""
    read = request.POST.get("as", "read") == "read"
    notices.mark(user=request.user, notices=request.POST.getlist("notice"), read=read)
    if request.htmx:
        return HttpResponse(status=204)
    return redirect("inbox")


@require_POST
@login_required
def choose(request: HttpRequest) -> HttpResponse:
    """Say how often mail is wanted."""
    chosen = request.POST.get("mail", "")
    if chosen not in Mail.values:
        raise Refused("Choose how often you want mail.", field="mail")
    notices.choose_mail(user=request.user, mail=chosen)
    messages.success(request, f"Mail comes {Mail(chosen).label.partition(';')[0]}.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
def stop(request: HttpRequest, token: str) -> HttpResponse:
    """End the mail of whoever was sent this address; the inbox stays."""
    user = notices.user_of_stop_token(token)
    ended = request.method == "POST"
    if ended:
        notices.choose_mail(user=user, mail=Mail.NEVER)
    return render(request, "inbox/stop.html", {"ended": ended, "already": user.mail == Mail.NEVER})


urlpatterns = [
    path("inbox/", inbox, name="inbox"),
    path("inbox/mark", mark, name="inbox-mark"),
    path("inbox/<str:public_id>/", notice, name="notice"),
    path("account/mail", choose, name="mail-choose"),
    path("mail/stop/<str:token>/", stop, name="mail-stop"),
]

"""My account: name, roles, labs and tokens; and what sign-up asks besides an e-mail address."""

from __future__ import annotations

from datetime import timedelta

from allauth.account.decorators import reauthentication_required
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.accounts import closing, services
from amgs.accounts.models import Mail, User
from amgs.core.errors import NotFound, Refused
from amgs.scoring.closing import delete_private, scores_of, studies_of
from curation.roles import ROLES

TOKEN_DAYS = (30, 90, 365)


class SignupForm(forms.Form):
    """What both sign-ups ask besides the address: a name for the audit log and for credit."""

    full_name = forms.CharField(
        label="Your name",
        max_length=200,
        help_text="Others see it beside what you contribute, rate and decide.",
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    field_order = ("full_name", "email", "password1")

    def signup(self, request: HttpRequest, user: User) -> None:
        """Keep the name; called by allauth once the account exists."""
        user.full_name = self.cleaned_data["full_name"].strip()
        user.save(update_fields=["full_name"])


class ProviderAccounts(DefaultSocialAccountAdapter):
    """Takes name and ORCID iD from the provider; the address is asked for where it has none."""

    def populate_user(
        self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, str]
    ) -> User:
        """Fill a new person from what the provider told."""
        user = super().populate_user(request, sociallogin, data)
        first, last = data.get("first_name") or "", data.get("last_name") or ""
        user.full_name = (data.get("name") or f"{first} {last}").strip()
        if sociallogin.account.provider == "orcid":
            user.orcid = sociallogin.account.uid
        return user

    def get_signup_form_initial_data(self, sociallogin: SocialLogin) -> dict[str, str]:
        """Fill the form that asks for an address with the name the provider told."""
        given = super().get_signup_form_initial_data(sociallogin)
        return given | {"full_name": sociallogin.user.full_name}


def _context(request: HttpRequest, **more: object) -> dict[str, object]:
    user = request.user
    return {
        "labs": user.labs.order_by("name").prefetch_related("memberships__user"),
        "heads": set(user.memberships.filter(is_head=True).values_list("lab_id", flat=True)),
        "my_roles": [(key, ROLES[key]) for key in ROLES if key in user.roles],
        "tokens": user.tokens.filter(revoked_at=None).order_by("-pk"),
        "scopes": services.SCOPES,
        "token_days": TOKEN_DAYS,
        "mail_choices": Mail.choices,
    } | more


@require_safe
@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show my account."""
    return render(request, "account_page/account.html", _context(request))


def again(request: HttpRequest, refused: Refused, form: str) -> HttpResponse:
    """Show my account once more, with what speaks against a form of it."""
    context = _context(request, problem=refused, form=form, given=request.POST)
    return render(request, "account_page/account.html", context, status=422)


@require_POST
@login_required
def create_token(request: HttpRequest) -> HttpResponse:
    """Make a token and show its secret this once."""
    days = request.POST.get("days", "")
    try:
        token, secret = services.create_token(
            user=request.user,
            name=request.POST.get("token_name", ""),
            scopes=request.POST.getlist("scopes"),
            expires_at=timezone.now() + timedelta(days=int(days)) if days.isdecimal() else None,
        )
    except Refused as refused:
        return again(request, refused, "token")
    response = render(
        request, "account_page/account.html", _context(request, secret=secret, made=token)
    )
    response["Cache-Control"] = "no-store"
    return response


@require_POST
@login_required
def revoke_token(request: HttpRequest, public_id: str) -> HttpResponse:
    """End one of my tokens at once."""
    token = request.user.tokens.filter(public_id=public_id).first()
    if token is None:
        raise NotFound("You have no such token.")
    services.revoke_token(token=token, by=request.user)
    messages.success(request, f"The token “{token.name}” works no more.")
    return redirect("account")


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@reauthentication_required
def close(request: HttpRequest) -> HttpResponse:
    """Tell what goes and what stays with my account; close it once its address is typed."""
    user = request.user
    if request.method != "POST":
        return _closing(request)
    if request.POST.get("email", "").strip().lower() != user.email.lower():
        wrong = Refused("Please type the address of this account as it stands above.")
        return _closing(request, 422, problem=wrong)
    try:
        with transaction.atomic():
            delete_private(user=user)
            closing.close_account(user=user, by=user)
    except Refused as refused:
        return _closing(request, 422, problem=refused)
    logout(request)
    messages.success(request, "Your account is closed.")
    return redirect("home")


def _closing(request: HttpRequest, status: int = 200, **more: object) -> HttpResponse:
    user = request.user
    labs = list(user.labs.order_by("name"))
    context = {
        "held": closing.refusal(user),
        "scores": scores_of(user).count(),
        "studies": studies_of(user).count(),
        "kept_name": User(public_id=user.public_id).name,
        "labs": labs,
        "left_empty": [lab for lab in labs if not lab.members.exclude(pk=user.pk).exists()],
    }
    return render(request, "account_page/close.html", context | more, status=status)


urlpatterns = [
    path("account/", account, name="account"),
    path("account/close", close, name="account-close"),
    path("account/tokens", create_token, name="token-create"),
    path("account/tokens/<str:public_id>/revoke", revoke_token, name="token-revoke"),
]

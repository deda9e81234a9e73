"""What ``manage.py check`` (and ``check --deploy``) says about this installation."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from amgs.core import policy


@register("amgs")
def every_step_has_a_rule(**_: Any) -> Iterable[CheckMessage]:
    """Silence is no permission: a lifecycle step without a rule could never be taken."""
    known = set(policy.acts())
    return [
        Error(
            f"No rule says who may '{action}' a {model._meta.label_lower}.",
            hint="Register one in the app's rules.py.",
            id="amgs.E001",
        )
        for model in apps.get_models()
        if hasattr(model, "lifecycle")
        for action in model.lifecycle.actions
        if f"{model._meta.label_lower}.{action}" not in known
    ]


@register("amgs", deploy=True)
def phantoms_are_no_mice(**_: Any) -> Iterable[CheckMessage]:
    """Say that grades may rest on rendered mice."""
    if not settings.ALLOW_PHANTOM:
        return []
    return [
        Warning(
            "AMGS_ALLOW_PHANTOM is on: models that learned from rendered phantom mice may give "
            "grades, which say nothing about real ones.",
            hint="Unset it with the production settings, except for a demonstration.",
            id="amgs.W001",
        )
    ]


@register("amgs", deploy=True)
def production_has_servers(**_: Any) -> Iterable[CheckMessage]:
    """Say what of the embedded default is still there in production."""
    if not settings.PRODUCTION:
        return []
    missing = [
        name
        for name in ("SECRET_KEY", "DATABASE_URL", "STORAGE_URL", "BROKER_URL")
        if not os.environ.get(name)
    ]
    return [
        Warning(
            f"{name} is not set, so the embedded default is used: only one machine can serve.",
            hint="deploy/env.example says what to set.",
            id="amgs.W002",
        )
        for name in missing
    ]

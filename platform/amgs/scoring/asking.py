"""Ask for a score as programs do: by a chosen model, told when it is over, and once per key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from amgs.accounts.models import User
from amgs.core.errors import Refused
from amgs.core.idempotency import once
from amgs.files.models import Upload
from amgs.scoring import rescoring, services, webhooks
from amgs.scoring.ending import NOTIFY
from amgs.scoring.models import ToolRun


def ask_for_score(
    *,
    user: User | None,
    upload: Upload,
    name: str = "",
    region: Mapping[str, Any] | None = None,
    model: str = "",
    webhook: str = "",
    notify: bool = False,
    address: str = "",
    browser: str = "",
    key: str = "",
) -> tuple[ToolRun, bool]:
    """Return the score that was asked for, and whether this call made it.

    ``model`` is a version by id or identifier (empty: the one that serves when the work begins),
    ``webhook`` an address that is told when it is over, ``notify`` the same for a person;
    ``address`` is the network address for which files without an account are counted, ``browser``
    the key of the browser that owns such a score. With a ``key`` the same question is answered by
    the same score for a day, also where the same file was sent again; of people without an account,
    keys stand for one upload. Raises ``Refused``.
    """
    if notify and user is None:
        raise Refused(
            "Sign in to be told by mail; without an account, name a webhook or keep the link.",
            field="notify",
        )

    def make() -> ToolRun:
        parameters: dict[str, Any] = {}
        if model:
            parameters[rescoring.MODEL] = rescoring.chosen_version(model).public_id
        if notify:
            parameters[NOTIFY] = True
        with transaction.atomic():
            run = services.start_score(
                user=user,
                upload=upload,
                name=name,
                parameters=parameters,
                region=region,
                address=address,
                key=browser,
            )
            if webhook:
                webhooks.listen(run=run, address=webhook)
            return run

    def same_file(run: ToolRun) -> bool:
        """Whether it is about the same bytes: a file that is sent again is another upload."""
        return run.upload_id == upload.pk or (
            run.blob_id is not None and run.blob_id == upload.blob_id
        )

    body = {"name": name, "region": region, "model": model, "webhook": webhook, "notify": notify}
    return once(
        who=user.public_id if user else f"upload {upload.public_id}",
        act="score",
        key=key,
        body=body,
        make=make,
        find=_find,
        same=same_file,
    )


def ask_again(
    *, user: User | None, run: ToolRun, model: str, key: str = ""
) -> tuple[ToolRun, bool]:
    """Return the second score of a run by another version, once per key; raises ``Refused``."""
    return once(
        who=user.public_id if user else f"score {run.token}",
        act="rescore",
        key=key,
        body={"run": run.public_id, "model": model},
        make=lambda: rescoring.rescore(user=user, run=run, model=model),
        find=_find,
    )


def _find(public_id: str) -> ToolRun | None:
    return ToolRun.objects.filter(public_id=public_id).first()

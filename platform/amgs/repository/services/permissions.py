"""The four permissions: sign them on a draft, give one later, take one back."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from amgs.accounts.models import User
from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.repository import consequences, search, steps
from amgs.repository.models import Permission, Version
from amgs.repository.services.datasets import require_draft
from curation import permissions
from curation.dataset_version import DRAFT, RETRACTED, WITHDRAWN

SIGN = "sign_permissions"


def _check(
    kinds: Sequence[str],
    signer_name: str,
    right_to_share: bool,
    licence: str | None,
    text_version: str,
) -> None:
    refused = permissions.signing_refusal(
        kinds,
        signer=signer_name,
        right_to_share=right_to_share,
        licence=licence,
        text_version=text_version,
    )
    if refused:
        raise Refused(refused[1], field=refused[0])


def _rows(
    version: Version, kinds: Sequence[str], by: User, signer_name: str, right_to_share: bool
) -> list[Permission]:
    wording = permissions.current()
    return [
        Permission(
            version=version,
            kind=kind,
            text_version=wording.key,
            text_digest=wording.text(kind).digest,
            right_to_share=right_to_share,
            signed_by=by,
            signer_name=signer_name.strip(),
        )
        for kind in dict.fromkeys(kinds)
    ]


def _facts(kinds: Sequence[str], signer_name: str, right_to_share: bool, licence: str) -> dict:
    wording = permissions.current()
    texts = [permissions.RIGHT_TO_SHARE, *kinds] if kinds else []
    return {
        "kinds": sorted(set(kinds)),
        "text": wording.key,
        "digests": {kind: wording.text(kind).digest for kind in texts},
        "signer": signer_name.strip(),
        "right_to_share": right_to_share,
        "licence": licence,
    }


@transaction.atomic
def sign_permissions(
    *,
    by: User,
    version: Version,
    kinds: Sequence[str],
    signer_name: str,
    right_to_share: bool = False,
    licence: str | None = None,
    text_version: str | None = None,
) -> list[Permission]:
    """Allow exactly these uses of a draft, signed with a name; what is left out is not allowed.

    ``right_to_share``: the signer confirmed that the lab may share the data; needed where
    anything is allowed. ``licence`` is the one of the public download; where it is left out, the
    draft keeps its own, and the checks ask for a missing one. Without a download there is none.
    ``text_version`` names the texts that were read; texts that changed meanwhile are refused.
    """
    require_draft(by, "set_permissions", version)
    chosen = version.licence if licence is None else licence
    read = permissions.current().key if text_version is None else text_version
    _check(kinds, signer_name, right_to_share, licence, read)
    if Permission.Kind.DOWNLOAD not in kinds:
        chosen = ""
    Version.objects.filter(pk=version.pk).update(licence=chosen)
    version.licence = chosen
    search.refresh(version)
    version.permissions.exclude(kind__in=kinds).delete()
    held = {
        row.kind
        for row in version.permissions.all()
        if row.text_version == read and row.signer_name == signer_name.strip()
    }
    fresh = [kind for kind in kinds if kind not in held]
    version.permissions.filter(kind__in=fresh).delete()
    Permission.objects.bulk_create(_rows(version, fresh, by, signer_name, right_to_share))
    decisions.record(version, SIGN, by=by, facts=_facts(kinds, signer_name, right_to_share, chosen))
    return list(version.permissions.order_by("kind"))


def _may_change(by: Actor, version: Version) -> None:
    policy.require(by, "set_permissions", version)
    if version.state in {WITHDRAWN, RETRACTED} or version.deleted_at is not None:
        raise Refused(
            f"{version.identifier} has left, so there is nothing to allow or to take back."
        )


@transaction.atomic
def give_permission(
    *,
    by: User,
    version: Version,
    kind: str,
    signer_name: str,
    right_to_share: bool,
    licence: str = "",
    text_version: str | None = None,
) -> Permission:
    """Allow one more use of a version that was handed in, signed like those of a draft.

    A licence once given stays: after publication ``licence`` counts only where there is none yet.
    """
    _may_change(by, version)
    given = version.licence if version.state != DRAFT and version.licence else licence
    if kind == Permission.Kind.DOWNLOAD and licence and given != licence:
        raise Refused(
            f"{version.identifier} was given under {given} already, and copies under it exist; "
            "another licence needs a new version.",
            field="licence",
        )
    read = permissions.current().key if text_version is None else text_version
    _check([kind], signer_name, right_to_share, given, read)
    if version.permissions.filter(kind=kind).exists():
        raise Conflict("This use is allowed already; reload the page.")
    if kind == Permission.Kind.DOWNLOAD and given != version.licence:
        Version.objects.filter(pk=version.pk).update(licence=given)
        version.licence = given
        search.refresh(version)
    row = _rows(version, [kind], by, signer_name, right_to_share)[0]
    row.save()
    decision = decisions.record(
        version,
        "give_permission",
        by=by,
        facts=_facts([kind], signer_name, right_to_share, given),
    )
    steps.follow(steps.Step(version, f"give_{kind}", by), decision)
    return row


@transaction.atomic
def take_back_permission(*, by: Actor, version: Version, kind: str, why: str) -> None:
    """Allow a use no more, from this moment; what follows is kept with the decision.

    Raises ``Refused`` without a reason or where the use is not allowed anyway.
    """
    _may_change(by, version)
    if kind not in Permission.Kind.values:
        raise Refused(f"There is no permission “{kind}”.", field="kind")
    if not why.strip():
        raise Refused("Please say why, in one sentence that others may read.", field="why")
    told = consequences.told(f"take_back_{kind}", version)
    row = version.permissions.filter(kind=kind).first()
    if row is None:
        raise Refused("This use is not allowed anyway; there is nothing to take back.")
    row.delete()
    decision = decisions.record(
        version,
        "take_back_permission",
        by=by,
        why=why,
        facts={
            "kind": kind,
            "text": row.text_version,
            "signed_by": row.signer_name,
            "signed_at": row.signed_at.isoformat(),
            "consequences": told,
        },
    )
    steps.follow(steps.Step(version, f"take_back_{kind}", by), decision)

"""Make datasets, edit drafts, remark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from amgs.accounts.models import Lab, User
from amgs.core import decisions, policy
from amgs.core.base import Actor
from amgs.core.errors import Conflict, Refused
from amgs.core.models import Decision
from amgs.repository import search
from amgs.repository.models import Dataset, Version
from curation import embargo
from curation.contributors import read as read_contributors
from curation.dataset_version import DRAFT
from curation.licences import LICENCES
from curation.metadata import validate

EDITABLE = (
    "title",
    "description",
    "licence",
    "ethics",
    "funder",
    "metadata",
    "contributors",
    "embargo_until",
    "train_under_embargo",
)


def require_draft(by: Actor, act: str, version: Version) -> None:
    """Raise unless the actor may do the act and the version may still be changed."""
    policy.require(by, act, version)
    if version.deleted_at is not None:
        raise Refused(
            f"{version.identifier} was deleted; bring it back under “Deleted drafts” first."
        )
    if version.state != DRAFT:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)} and cannot be "
            "changed; only a draft can. Where changes were asked for, open it as a draft again."
        )


def check_metadata(level: str, values: Mapping[str, Any], where: str = "metadata") -> None:
    """Raise ``Refused`` with one sentence per field that cannot be right."""
    problems = validate(level, values)
    if problems:
        raise Refused(
            problems[0].sentence,
            field=f"{where}.{problems[0].field}",
            details=[
                {"field": f"{where}.{row.field}", "sentence": row.sentence} for row in problems
            ],
        )


def checked_contributors(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return people as they are kept; raises ``Refused`` with one sentence per fault."""
    people, problems = read_contributors(rows)
    if problems:
        details = [
            {
                "field": f"contributors.{row.row}.{row.field or 'name'}",
                "sentence": f"Person {row.row}: {row.sentence}",
            }
            for row in problems
        ]
        one = len(details) == 1
        raise Refused(
            details[0]["sentence"] if one else "Some of the people cannot be named so.",
            field="contributors",
            details=[] if one else details,
        )
    return [person.to_json() for person in people]


def _check_licence(licence: str) -> None:
    if licence and licence not in LICENCES:
        raise Refused(
            f"“{licence}” is no licence we can publish under; choose {', '.join(LICENCES)}.",
            field="licence",
        )


@transaction.atomic
def create_dataset(
    *,
    by: User,
    lab: Lab,
    title: str,
    description: str = "",
    licence: str = "",
    ethics: str = "",
    funder: str = "",
    metadata: Mapping[str, Any] | None = None,
    contributors: Iterable[Mapping[str, Any]] = (),
    phantom: bool = False,
) -> Version:
    """Make a dataset of a lab; return its first version, a draft."""
    policy.require(by, "create_dataset", lab)
    if not title.strip():
        raise Refused("Please give the dataset a title.", field="title")
    _check_licence(licence)
    check_metadata("dataset", metadata or {})
    people = checked_contributors(contributors)
    last = Dataset.objects.aggregate(last=Max("number"))["last"] or 0
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                number=last + 1, lab=lab, created_by=by, phantom=phantom
            )
    except IntegrityError:
        raise Conflict(
            "Somebody else made a dataset at the same moment; please try again."
        ) from None
    version = Version.objects.create(
        dataset=dataset,
        title=title.strip(),
        description=description,
        licence=licence,
        ethics=ethics,
        funder=funder,
        metadata=dict(metadata or {}),
        contributors=people,
    )
    search.refresh(version)
    decisions.record(version, "create", by=by, facts={"lab": lab.name, "title": title})
    return version


@transaction.atomic
def update_version(*, by: Actor, version: Version, **fields: Any) -> Version:
    """Change fields of a draft (see ``EDITABLE``); ``metadata`` replaces what was there."""
    require_draft(by, "edit_draft", version)
    unknown = sorted(set(fields) - set(EDITABLE))
    if unknown:
        raise Refused(f"A version has no field '{unknown[0]}' to change.", field=unknown[0])
    if "title" in fields and not str(fields["title"]).strip():
        raise Refused("Please give the dataset a title.", field="title")
    _check_licence(fields.get("licence") or "")
    if "metadata" in fields:
        check_metadata("dataset", fields["metadata"])
    if "contributors" in fields:
        fields["contributors"] = checked_contributors(fields["contributors"])
    if fields.get("embargo_until") and fields["embargo_until"] != version.embargo_until:
        sentence = embargo.refusal(version.state, fields["embargo_until"], timezone.localdate())
        if sentence:
            raise Refused(sentence, field="embargo_until")
    _change_draft(version, **fields)
    search.refresh(version)
    decisions.record(version, "edit", by=by, facts={"fields": sorted(fields)})
    return version


def _change_draft(version: Version, **fields: Any) -> None:
    held = Version.objects.filter(pk=version.pk, state=DRAFT, deleted_at=None)
    if fields and not held.update(**fields):
        raise Conflict("Somebody submitted this version meanwhile; nothing was changed.")
    for name, value in fields.items():
        setattr(version, name, value)


def remark(*, by: Actor, version: Version, text: str) -> Decision:
    """Write a remark into the review thread; everybody who may see the version reads it."""
    policy.require(by, "remark", version)
    if not text.strip():
        raise Refused("Please write the remark.", field="text")
    return decisions.record(version, "remark", by=by, why=text)

"""One version by its name, for nearly every request about datasets: a prepared query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from amgs.accounts.models import Lab
from amgs.core.prepared import Prepared
from amgs.repository.models import Dataset, Version

# The facts of publication and the kept design are large; few pages show them.
LARGE = ("facts", "design")
_VERSION = [field.attname for field in Version._meta.concrete_fields if field.name not in LARGE]
_DATASET = [field.attname for field in Dataset._meta.concrete_fields]
_LAB = [field.attname for field in Lab._meta.concrete_fields]
MOST_LABS = 20
"""People of more labs are asked about in the ordinary way."""


@dataclass(frozen=True)
class _Somebody:
    """What ``visible_to`` asks of a person."""

    is_authenticated: bool
    roles: frozenset[str]
    lab_ids: tuple[int, ...]


def _visible(shape: Mapping[str, Any], values: Mapping[str, Any]) -> QuerySet[Version, Any]:
    labs = tuple(value for name, value in values.items() if name.startswith("lab"))
    roles = frozenset(str(shape["roles"]).split(",")) - {""}
    rows = Version.objects.visible_to(_Somebody(bool(shape["signed_in"]), roles, labs))
    if "public_id" in values:
        rows = rows.filter(public_id=values["public_id"])
    else:
        rows = rows.filter(dataset__number=values["dataset"], number=values["number"])
    return rows.values_list(
        *_VERSION,
        *(f"dataset__{name}" for name in _DATASET),
        *(f"dataset__lab__{name}" for name in _LAB),
    )


# Whoever sees everything is asked about no lab.
_ask = Prepared(_visible, spare="lab")


def visible_version(user: Any, **name: str | int) -> Version | None:
    """Return the version that is called so, with dataset and lab, if this person may know of it.

    ``name`` is ``public_id``, or ``dataset`` and ``number``.
    """
    signed_in = bool(user.is_authenticated)
    roles = user.roles if signed_in else frozenset()
    labs = sorted(user.lab_ids) if signed_in else []
    if len(labs) > MOST_LABS:
        return (
            Version.objects.visible_to(user)
            .filter(**{"dataset__number" if key == "dataset" else key: name[key] for key in name})
            .select_related("dataset__lab")
            .first()
        )
    values: dict[str, str | int] = dict(name)
    values |= {f"lab{place}": lab for place, lab in enumerate(labs)}
    rows = _ask(values, signed_in=signed_in, roles=",".join(sorted(roles)))
    return _made(rows[0]) if rows else None


def _made(row: tuple[Any, ...]) -> Version:
    first, second = len(_VERSION), len(_VERSION) + len(_DATASET)
    version = Version.from_db(connection.alias, _VERSION, row[:first])
    version.dataset = Dataset.from_db(connection.alias, _DATASET, row[first:second])
    version.dataset.lab = Lab.from_db(connection.alias, _LAB, row[second:])
    return version

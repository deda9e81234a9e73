"""What every row of the platform has: a public id and a time of creation."""

from __future__ import annotations

from typing import Protocol

from django.db import models

from amgs.core.ids import LENGTH, new_id


class PublicIdField(models.CharField):
    """A unique ULID, made when the row is made."""

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("max_length", LENGTH)
        kwargs.setdefault("unique", True)
        kwargs.setdefault("default", new_id)
        kwargs.setdefault("editable", False)
        super().__init__(**kwargs)


class Row(models.Model):
    """An abstract row with a public id; outside the database nothing else names it."""

    public_id = PublicIdField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        abstract = True
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.public_id}"


class Actor(Protocol):
    """Whoever acts: a person, or the system itself."""

    public_id: str

    @property
    def name(self) -> str:
        """How the audit log names the actor."""

    @property
    def roles(self) -> frozenset[str]:
        """Keys of ``curation.roles.ROLES`` that the actor holds."""

    @property
    def lab_ids(self) -> frozenset[int]:
        """Primary keys of the labs the actor belongs to."""


class _System:
    """The platform acting by itself: screening, evaluation, mirrors."""

    public_id = "system"
    name = "aMGS"
    roles = frozenset({"system"})
    lab_ids: frozenset[int] = frozenset()


class _Public:
    """Whoever has not signed in."""

    public_id = "public"
    name = "a visitor"
    roles: frozenset[str] = frozenset()
    lab_ids: frozenset[int] = frozenset()


SYSTEM: Actor = _System()
PUBLIC: Actor = _Public()

"""Who holds a token, with roles and labs: one question to the database for every request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection
from django.db.models import CharField, F, OuterRef, QuerySet, Subquery

from amgs.accounts.models import ApiToken, Grant, Membership, User
from amgs.core.prepared import Prepared

_TOKEN = [field.attname for field in ApiToken._meta.concrete_fields]
_USER = [field.attname for field in User._meta.concrete_fields]


class _Joined(Subquery):
    """The column ``value`` of a subquery, its rows joined by commas."""

    template = "(SELECT group_concat(held.value) FROM (%(subquery)s) AS held)"
    output_field = CharField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Return the same in the words of PostgreSQL."""
        template = "(SELECT string_agg(held.value::text, ',') FROM (%(subquery)s) AS held)"
        return self.as_sql(compiler, connection, template=template, **context)


def _by_prefix(shape: Mapping[str, Any], values: Mapping[str, Any]) -> QuerySet[ApiToken, Any]:
    grants = Grant.objects.filter(user=OuterRef("user")).values(value=F("role"))
    labs = Membership.objects.filter(user=OuterRef("user")).values(value=F("lab_id"))
    return ApiToken.objects.filter(prefix=values["prefix"]).values_list(
        *_TOKEN, *(f"user__{name}" for name in _USER), _Joined(grants), _Joined(labs)
    )


_ask = Prepared(_by_prefix)


def token_with(prefix: str) -> ApiToken | None:
    """Return the token with this prefix, its user with roles and labs, or ``None``."""
    rows = _ask({"prefix": prefix})
    if not rows:
        return None
    row = rows[0]
    token = ApiToken.from_db(connection.alias, _TOKEN, row[: len(_TOKEN)])
    user = User.from_db(connection.alias, _USER, row[len(_TOKEN) : -2])
    user.remember(
        roles=row[-2].split(",") if row[-2] else (),
        lab_ids=map(int, row[-1].split(",")) if row[-1] else (),
    )
    token.user = user
    return token

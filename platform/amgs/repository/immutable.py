"""The database itself refuses to change what was published.

Services refuse too, with a sentence; this is for everything that goes round them: a script, a
console, a service written later. Triggers are made anew after every migration (``post_migrate``)
and dropped before (``pre_migrate``): SQLite builds a table anew to alter it, which loses its
triggers, and refuses to rename a table that a trigger of another one mentions.

A published version may still change its state, its permissions, the licence it is downloaded under
(where it had none), and whatever is no content, such as when its files were deleted.
"""

from __future__ import annotations

from typing import Any

from django.db import connections

CONTENT = (
    "dataset_id",
    "number",
    "title",
    "description",
    "ethics",
    "funder",
    "metadata",
    "contributors",
    "embargo_until",
    "submitted_at",
    "published_at",
    "facts",
    "design",
)
"""Columns of a version that are fixed once it is published."""
MEMBERS = {
    "repository_recording_versions": "version_id",
    "repository_labelimport_versions": "version_id",
    "repository_exclusion": "version_id",
}
"""Tables that say what is in a version, and their column that names it."""
_LEFT = "('published', 'withdrawn', 'retracted')"
_SAYS = "a published version does not change; begin a new one"


def _differs(vendor: str) -> str:
    other = "IS NOT" if vendor == "sqlite" else "IS DISTINCT FROM"
    rows = [f"NEW.{column} {other} OLD.{column}" for column in CONTENT]
    rows.append(f"(OLD.licence <> '' AND NEW.licence {other} OLD.licence)")
    rows.append("NEW.deleted_at IS NOT NULL")
    # There is no way back to a draft.
    rows.append(f"NEW.state NOT IN {_LEFT}")
    return "(" + " OR ".join(rows) + ")"


def _is_published(row: str, column: str) -> str:
    """Return the condition that a row names a published version."""
    # All of it is written in this file; nothing comes from outside.
    return (
        f"EXISTS (SELECT 1 FROM repository_version WHERE id = {row}.{column} "  # noqa: S608
        f"AND state IN {_LEFT})"
    )


def _sqlite() -> list[str]:
    told = f"SELECT RAISE(ABORT, '{_SAYS}');"
    found = [
        "CREATE TRIGGER IF NOT EXISTS amgs_published_version BEFORE UPDATE ON repository_version "
        f"WHEN OLD.state IN {_LEFT} AND {_differs('sqlite')} BEGIN {told} END",
        "CREATE TRIGGER IF NOT EXISTS amgs_published_version_kept BEFORE DELETE ON "
        f"repository_version WHEN OLD.state IN {_LEFT} BEGIN {told} END",
    ]
    for table, column in MEMBERS.items():
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
            found.append(
                f"CREATE TRIGGER IF NOT EXISTS amgs_{table}_{event.lower()} BEFORE {event} ON "
                f"{table} WHEN {_is_published(row, column)} BEGIN {told} END"
            )
    return found


def _postgresql() -> list[str]:
    differs = _differs("postgresql")
    for column in ("metadata", "contributors", "facts", "design"):
        differs = differs.replace(f"NEW.{column} ", f"NEW.{column}::text ").replace(
            f"OLD.{column} ", f"OLD.{column}::text "
        )
    return [
        "CREATE OR REPLACE FUNCTION amgs_is_published() RETURNS trigger AS $$ BEGIN "
        f"RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; "
        "END $$ LANGUAGE plpgsql",
        "CREATE OR REPLACE TRIGGER amgs_published_version BEFORE UPDATE ON repository_version "
        f"FOR EACH ROW WHEN (OLD.state IN {_LEFT} AND {differs}) "
        "EXECUTE FUNCTION amgs_is_published()",
        "CREATE OR REPLACE TRIGGER amgs_published_version_kept BEFORE DELETE ON repository_version "
        f"FOR EACH ROW WHEN (OLD.state IN {_LEFT}) EXECUTE FUNCTION amgs_is_published()",
        *(sql for table, column in MEMBERS.items() for sql in _postgresql_member(table, column)),
    ]


def _postgresql_member(table: str, column: str) -> list[str]:
    """Guard one table; a condition of a trigger may not ask another table, so a function does."""
    return [
        f"CREATE OR REPLACE FUNCTION amgs_{table}() RETURNS trigger AS $$ BEGIN "
        f"IF (TG_OP <> 'INSERT' AND {_is_published('OLD', column)}) OR "
        f"(TG_OP <> 'DELETE' AND {_is_published('NEW', column)}) THEN "
        f"RAISE EXCEPTION '{_SAYS}' USING ERRCODE = 'integrity_constraint_violation'; END IF; "
        "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$ LANGUAGE plpgsql",
        f"CREATE OR REPLACE TRIGGER amgs_{table} BEFORE INSERT OR UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION amgs_{table}()",
    ]


def _drops(vendor: str) -> list[str]:
    names = [("amgs_published_version", "repository_version")]
    names.append(("amgs_published_version_kept", "repository_version"))
    for table in MEMBERS:
        events = ("_insert", "_update", "_delete") if vendor == "sqlite" else ("",)
        names += [(f"amgs_{table}{event}", table) for event in events]
    if vendor == "sqlite":
        return [f"DROP TRIGGER IF EXISTS {name}" for name, _ in names]
    return [f"DROP TRIGGER IF EXISTS {name} ON {table}" for name, table in names]


def install(using: str = "default", **_: Any) -> None:
    """Make the triggers; after every migration."""
    _run(using, _sqlite if connections[using].vendor == "sqlite" else _postgresql)


def remove(using: str = "default", **_: Any) -> None:
    """Drop the triggers; before every migration."""
    vendor = connections[using].vendor
    _run(using, lambda: _drops(vendor))


def _run(using: str, statements: Any) -> None:
    connection = connections[using]
    with connection.cursor() as cursor:
        ask = connection.introspection
        if not {"repository_version", *MEMBERS} <= set(ask.table_names(cursor)):
            return  # before the first migration
        columns = {row.name for row in ask.get_table_description(cursor, "repository_version")}
        if not {*CONTENT, "deleted_at"} <= columns:
            return  # half way, as a migration that is being tested leaves it
        for sql in statements():
            cursor.execute(sql)

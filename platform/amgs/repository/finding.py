"""The tables by which versions are found: their words and their facets.

They hold nothing that a version and its design do not say; ``repository.search`` writes them.
"""

from __future__ import annotations

from typing import Any

from django.db import models


class Words(models.TextField):
    """Plain words joined by spaces (``search.words_of``), found by the beginnings of words."""


@Words.register_lookup
class Begins(models.Lookup):
    """``words__begins=["mous", "laparot"]``: every one is the beginning (or stem) of a word.

    PostgreSQL asks its full text index; elsewhere the text is searched through.
    """

    lookup_name = "begins"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, list[Any]]:
        """Hand the words on as they are; each dialect writes them its own way."""
        return "%s", [value]

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """Return a comparison per word."""
        column, given = self.process_lhs(compiler, connection)
        parts, values = [], []
        for word in self.rhs:
            # A space before the text, so that its first word is no exception.
            parts.append(f"(' ' || {column}) LIKE %s")
            values += [*given, f"% {word}%"]
        return f"({' AND '.join(parts)})", values

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        """Return one question to the index ``repository_search_words``."""
        column, given = self.process_lhs(compiler, connection)
        asked = " & ".join(f"{word}:*" for word in self.rhs)
        return (
            f"to_tsvector('english', {column}) @@ to_tsquery('english', %s)",
            [*given, asked],
        )


class SearchEntry(models.Model):
    """The words of a version, all of them public once the version is."""

    version = models.OneToOneField(
        "repository.Version", on_delete=models.CASCADE, related_name="search"
    )
    words = Words()


class Facet(models.Model):
    """One value of a version by which lists can be narrowed, such as a strain of its animals."""

    version = models.ForeignKey(
        "repository.Version", on_delete=models.CASCADE, related_name="facets", db_index=False
    )
    key = models.CharField(max_length=20)
    value = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "key", "value"], name="facet_once")
        ]
        indexes = [models.Index(fields=["key", "value", "version"], name="facet_value")]

"""What can go wrong for a person, as exceptions that carry the sentence they read.

    Problem
    ├── Refused      the request makes no sense or breaks a rule
    │   ├── NotAllowed   this person may not do this
    │   ├── TooMuch      a quota or a rate is used up
    │   └── KeyUsed      an idempotency key came with another request before
    ├── NotFound     there is no such thing, or this person may not know of it
    └── Conflict     somebody else was faster

HTTP status codes are given to them in ``amgs.api.problems`` and ``amgs.web.refusals`` only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Problem(Exception):
    """A refusal with one sentence a biologist understands.

    ``field`` names the form or API field it is about; ``details`` are further sentences, each
    with its place (file, row, column, frame) where there is one.
    """

    def __init__(
        self,
        sentence: str,
        *,
        field: str | None = None,
        details: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.field = field
        self.details = [dict(detail) for detail in details]


class Refused(Problem):
    """The request makes no sense or breaks a rule; the sentence says what to do next."""


class NotAllowed(Refused):
    """This person may not do this."""


class TooMuch(Refused):
    """A quota or a rate is used up; the sentence says when or how to go on."""

    @property
    def wait_s(self) -> int | None:
        """Whole seconds until there is room again, as the details tell; ``None`` if unknown."""
        return next((int(one["seconds"]) for one in self.details if "seconds" in one), None)


class KeyUsed(Refused):
    """An idempotency key came with another request before; nothing was done."""


class NotFound(Problem):
    """There is no such thing, or this person may not know of it."""


class Conflict(Problem):
    """Somebody else was faster; nothing was changed."""

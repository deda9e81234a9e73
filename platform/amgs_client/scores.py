"""A score as a program sees it, and the key under which it is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
Region = tuple[str, Sequence[int]]
OVER = {"done", "failed", "cancelled"}


@dataclass(frozen=True)
class Score:
    """A score: how far it is, then what is said of the recording and by which model.

    ``state`` is queued, running, done, failed or cancelled; ``progress`` 0..1; ``data`` is the
    site's whole answer. Everything about the result is ``None`` or empty until it is done.
    """

    token: str
    name: str
    state: str
    progress: float
    note: str
    error: str
    data: Json = field(repr=False, compare=False)

    @classmethod
    def of(cls, data: Json) -> Score:
        """Return the score that an answer of the site describes."""
        job = data["job"]
        return cls(
            data["token"],
            data["name"],
            job["state"],
            job["progress"],
            job["note"],
            job["error"],
            data,
        )

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.state in OVER

    @property
    def result(self) -> Json:
        """The result as the site tells it; empty until there is one."""
        return self.data.get("result") or {}

    @property
    def provenance(self) -> Json:
        """Model, bundle, snapshot, date and digest of the file; empty until there is a result."""
        return self.data.get("provenance") or {}

    @property
    def score(self) -> float | None:
        """The mean grade 0..2; ``None`` where too little could be graded."""
        value: float | None = self.result.get("score")
        return value

    @property
    def interval(self) -> tuple[float, float] | None:
        """The measurement interval of the score, where there is one."""
        return _ends(self.result.get("score_interval"))

    @property
    def coverage(self) -> float | None:
        """Graded frames as a share of all, 0..1; it belongs beside every score."""
        value: float | None = self.result.get("coverage")
        return value

    @property
    def model(self) -> str:
        """The version that graded, such as ``mouse-v2``."""
        return str(self.provenance.get("model", ""))

    @property
    def phantom(self) -> bool | None:
        """Whether the model learned from rendered faces, which says nothing about real mice."""
        return self.result.get("phantom")

    @property
    def not_independent(self) -> bool | None:
        """Whether the model knew this recording or its animal; ``None`` where that is unknown."""
        told = (self.result.get("independence") or {}).get("independent")
        return {"yes": False, "no": True}.get(told) if told else None

    @property
    def sentence(self) -> str:
        """What is said of the recording, or why there is no result."""
        return str(self.result.get("sentence") or self.error)

    @property
    def disclaimer(self) -> str:
        """What a score is not."""
        return str(self.result.get("disclaimer", ""))

    @property
    def files(self) -> dict[str, str]:
        """Addresses of the files by name."""
        return dict(self.data.get("files") or {})

    @property
    def webhook_secret(self) -> str | None:
        """What the webhook is signed with: only in the answer to who asked without an account."""
        return (self.data.get("webhook") or {}).get("secret")


def _ends(interval: Any) -> tuple[float, float] | None:
    """Return the two ends of an interval, told as a list or by name."""
    if isinstance(interval, Mapping):
        interval = [interval.get("low"), interval.get("high")]
    if not interval or None in interval:
        return None
    return float(interval[0]), float(interval[1])


def key_of(sha256: str, facts: Mapping[str, Any]) -> str:
    """Return the idempotency key of a question: the same for the same bytes and facts."""
    text = json.dumps([sha256, facts], sort_keys=True, separators=(",", ":"), default=list)
    return f"amgs-{hashlib.sha256(text.encode()).hexdigest()}"

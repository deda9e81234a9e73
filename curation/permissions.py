"""The four permissions an owner may give, as texts that are signed, and the licences.

The texts lie in `permission_texts.toml`, every version of them for ever: a signature names the
version and the SHA-256 of what was read.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from importlib import resources
from typing import Any

from curation.licences import LICENCES

OUTSIDE_RATERS = "outside_raters"
TRAIN = "train"
SHOW_FRAMES = "show_frames"
DOWNLOAD = "download"
KINDS = (OUTSIDE_RATERS, TRAIN, SHOW_FRAMES, DOWNLOAD)
RIGHT_TO_SHARE = "right_to_share"
"""The statement that is confirmed with every signature; no permission by itself."""


@dataclass(frozen=True)
class Text:
    """One text as it is shown in full and signed."""

    kind: str
    version: str
    title: str
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over version, kind, title and text, a line each."""
        whole = "\n".join((self.version, self.kind, self.title, self.text))
        return hashlib.sha256(whole.encode()).hexdigest()


@dataclass(frozen=True)
class Wording:
    """All texts of one version, and the day from which it was signed."""

    key: str
    since: date
    texts: tuple[Text, ...]

    def text(self, kind: str) -> Text:
        """Return the text of a permission or of the right to share; raises KeyError."""
        for row in self.texts:
            if row.kind == kind:
                return row
        raise KeyError(kind)


def _wording(entry: dict[str, Any]) -> Wording:
    key = entry["key"]
    texts = tuple(
        Text(kind, key, entry[kind]["title"].strip(), entry[kind]["text"].strip())
        for kind in (RIGHT_TO_SHARE, *KINDS)
    )
    return Wording(key, entry["since"], texts)


@lru_cache(maxsize=1)
def wordings() -> tuple[Wording, ...]:
    """Return every version of the texts, oldest first."""
    source = resources.files("curation").joinpath("permission_texts.toml")
    found = tuple(_wording(entry) for entry in tomllib.loads(source.read_text())["version"])
    keys = [row.key for row in found]
    if len(keys) != len(set(keys)) or [row.since for row in found] != sorted(
        row.since for row in found
    ):
        raise ValueError("permission_texts.toml: a version is named twice or out of order")
    return found


def current() -> Wording:
    """Return the texts that are signed now."""
    return wordings()[-1]


def wording(key: str) -> Wording:
    """Return one version of the texts; raises KeyError for a version there never was."""
    for row in wordings():
        if row.key == key:
            return row
    raise KeyError(key)


def signing_refusal(
    kinds: Collection[str],
    *,
    signer: str,
    right_to_share: bool,
    licence: str | None,
    text_version: str,
) -> tuple[str, str] | None:
    """Return (field, sentence) where a signature is refused, or None when nothing is wrong.

    `licence` is the one of the public download: empty where none was chosen, None where that is
    still to come (the checks ask for it). Saying no to everything needs a name too, but nobody's
    right to share.
    """
    if unknown := sorted(set(kinds) - set(KINDS)):
        return (
            "kinds",
            f"There is no permission “{unknown[0]}”; choose from {', '.join(KINDS)}.",
        )
    if not signer.strip():
        return "signer_name", "Please give the name of the person who signs."
    if text_version != current().key:
        return (
            "text_version",
            f"The texts have changed since you read them (version {text_version or 'unknown'}); "
            f"read version {current().key} and sign that.",
        )
    if kinds and not right_to_share:
        return (
            "right_to_share",
            "Please confirm that the lab may share these data; without that right nothing can "
            "be allowed.",
        )
    if licence and licence not in LICENCES:
        return (
            "licence",
            f"“{licence}” is no licence we can publish under; choose {', '.join(LICENCES)}.",
        )
    if DOWNLOAD in kinds and licence == "":
        return (
            "licence",
            f"A public download needs a licence; choose {', '.join(LICENCES)}, or do not allow "
            "the download.",
        )
    return None

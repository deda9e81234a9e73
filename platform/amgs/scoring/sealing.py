"""Secrets of others that have to be read again are sealed before they are written to the database.

The key comes from Django's ``SECRET_KEY`` by HKDF-SHA256 (RFC 5869); what was sealed with one of
``SECRET_KEY_FALLBACKS`` is still opened. Sealing is Fernet (AES-128-CBC with HMAC-SHA256), so a
copy of the database or of a backup alone shows no secret, and a changed text does not open.
"""

from __future__ import annotations

import base64
import functools
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models

_PURPOSE = b"amgs.scoring.sealing/1"


@functools.lru_cache(maxsize=8)
def _fernet(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def _all() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in (settings.SECRET_KEY, *_fallbacks())])


def _fallbacks() -> list[str]:
    return [str(key) for key in settings.SECRET_KEY_FALLBACKS]


def seal(text: str) -> str:
    """Return a text sealed with the key of now; the same text is never sealed alike twice."""
    return _fernet(settings.SECRET_KEY).encrypt(text.encode()).decode()


def opened(sealed: str) -> str:
    """Return what was sealed; empty where no key of this site opens it."""
    try:
        return _all().decrypt(sealed.encode()).decode()
    except InvalidToken:
        return ""


def needs_sealing_anew(sealed: str) -> bool:
    """Whether only a fallback opens it, so that it is lost with that key."""
    try:
        _fernet(settings.SECRET_KEY).decrypt(sealed.encode())
    except InvalidToken:
        return bool(opened(sealed))
    return False


class SealedField(models.TextField):
    """A text that is sealed in the database and plain in Python.

    It reads as empty where no key opens it. Rows cannot be found by it, except by an empty one.
    """

    def get_prep_value(self, value: Any) -> Any:
        """Seal what is written."""
        plain = super().get_prep_value(value)
        return seal(plain) if plain else plain

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        """Open what is read."""
        return opened(value) if value else value

"""Check that a webhook came from the site: its signature, and that it is not an old one."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping


class NotSigned(Exception):
    """A message that the site did not send, or not just now."""


def verify(secret: str, headers: Mapping[str, str], body: bytes, tolerance_s: float = 300) -> None:
    """Raise ``NotSigned`` unless the site signed this body within ``tolerance_s`` seconds.

    ``headers`` may have any case. Keep the ``webhook-id`` of what you have handled: a message that
    is sent twice has the same.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        message, sent = told["webhook-id"], told["webhook-timestamp"]
        signatures = told["webhook-signature"].split()
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        age = abs(time.time() - int(sent))
    except (KeyError, ValueError, binascii.Error) as error:
        raise NotSigned(f"The message is not signed as a webhook: {error!r}.") from error
    if age > tolerance_s:
        raise NotSigned(f"The message was signed {age:.0f} s ago; it may have been kept and sent.")
    signed = hmac.new(key, f"{message}.{sent}.".encode() + body, hashlib.sha256).digest()
    wanted = f"v1,{base64.b64encode(signed).decode()}"
    if not any(hmac.compare_digest(wanted.encode(), one.encode()) for one in signatures):
        raise NotSigned("The signature is not that of this secret.")

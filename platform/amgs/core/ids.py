"""Public ids: ULIDs (48 bits of milliseconds, 80 random bits) in Crockford's base 32.

They sort by time of creation, so that keyset pages can walk them, and say nothing about how
many there are. Source of the format: https://github.com/ulid/spec.
"""

from __future__ import annotations

import secrets
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
LENGTH = 26


def new_id() -> str:
    """Return a new public id of 26 characters."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    letters = []
    for _ in range(LENGTH):
        number, rest = divmod(number, 32)
        letters.append(ALPHABET[rest])
    return "".join(reversed(letters))

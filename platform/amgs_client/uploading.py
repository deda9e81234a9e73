"""Send a file in parts: only what is missing, straight to storage, checked at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amgs_client.errors import SiteError
from amgs_client.transport import Transport

LANES = 4
BATCH = 32  # addresses asked for at once: signed minutes ahead, not for the whole file
Told = Callable[[int, int], None]


class _Changed(Exception):
    """The file is no longer the one whose upload was opened."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def send_file(
    transport: Transport,
    path: Path,
    *,
    purpose: str,
    target: str = "",
    lab: str = "",
    name: str = "",
    told: Told | None = None,
) -> dict[str, Any]:
    """Open an upload for a file, send it and complete it; return the upload as JSON.

    ``told(sent, size)`` is called with bytes. Raises ``SiteError`` where the file changed while
    it was being sent.
    """
    before = path.stat()
    digest = sha256_of(path)
    body = {
        "name": name or path.name,
        "size": before.st_size,
        "sha256": digest,
        "purpose": purpose,
        "target": target,
    }
    if lab:
        body["lab"] = lab
    upload = transport.ask("POST", "uploads", json=body)
    return resume(transport, upload, path, before_mtime=before.st_mtime_ns, told=told)


def resume(
    transport: Transport,
    upload: dict[str, Any],
    path: Path,
    *,
    before_mtime: int | None = None,
    told: Told | None = None,
) -> dict[str, Any]:
    """Send the parts of an open upload that the site does not hold, then complete it."""
    base = f"uploads/{upload['id']}"
    part_size, size = upload["part_size"], upload["size"]
    held = {part["part"] for part in transport.ask("GET", f"{base}/parts")["parts"]}
    missing = [part for part in range(1, upload["part_count"] + 1) if part not in held]
    sent = sum(min(part_size, size - (part - 1) * part_size) for part in held)
    if told:
        told(sent, size)

    def send(address: dict[str, Any]) -> int:
        with path.open("rb") as file:
            file.seek((address["part"] - 1) * part_size)
            data = file.read(part_size)
        if len(data) != address.get("size", len(data)):
            raise _Changed
        transport.put_bytes(address["url"], data)
        return len(data)

    try:
        with ThreadPoolExecutor(LANES) as lanes:
            for start in range(0, len(missing), BATCH):
                body = {"parts": missing[start : start + BATCH]}
                answer = transport.ask("POST", f"{base}/addresses", json=body, again=True)
                for count in lanes.map(send, answer["addresses"]):
                    sent += count
                    if told:
                        told(sent, size)
        now = path.stat()
        if now.st_size != size or (before_mtime is not None and now.st_mtime_ns != before_mtime):
            raise _Changed
    except _Changed:
        transport.ask("DELETE", base)
        raise SiteError(f"'{path.name}' changed while it was being sent; send it again.") from None
    return transport.ask("POST", f"{base}/complete", again=True)

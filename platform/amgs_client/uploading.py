"""Send a file in parts, straight to storage: only what is missing, in lanes, checked at the end.

The site remembers what has arrived, so nothing is kept on this machine: whoever sends the same
file again, after a crash, days later or from another device, goes on where it stopped.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from amgs_client.errors import SiteError, SiteRefused
from amgs_client.transport import Transport

LANES = 4
MOST_IN_MEMORY = 256 * 1024 * 1024
"""Bytes of parts read and not yet sent; very large files have large parts and fewer lanes."""
BATCH = 32
"""Addresses asked for at once: signed minutes ahead, not for the whole file."""
ROUNDS = 5
"""How often a file is completed; each time only what was damaged is sent again."""
Told = Callable[[int, int], None]
Json = dict[str, Any]


class _Changed(Exception):
    """The file is no longer the one it was when sending began."""


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
    lanes: int = LANES,
    wait: bool = False,
) -> Json:
    """Send a file and complete its upload; return the upload as JSON.

    An upload of this file that was begun before is resumed; what the lab has stored already is
    not sent. ``told(sent, size)`` is called with bytes. With ``wait`` the file is stored and
    checked when this returns, and parts that were damaged have been sent again; without it the
    check may still be going on. Raises ``SiteError``, also where the file changes meanwhile.
    """
    body = {
        "name": name or path.name,
        "size": path.stat().st_size,
        "purpose": purpose,
        "target": target,
    }
    if lab:
        body["lab"] = lab
    upload = begin(transport, path, body)
    if upload["state"] == "done" and told:
        told(upload["size"], upload["size"])
    return resume(transport, upload, path, told=told, lanes=lanes, wait=wait)


def resume(
    transport: Transport,
    upload: Json,
    path: Path,
    *,
    told: Told | None = None,
    lanes: int = LANES,
    wait: bool = False,
) -> Json:
    """Send the parts of an upload that the site does not hold, and complete it."""
    base = f"uploads/{upload['id']}"
    for _ in range(ROUNDS):
        if upload["state"] == "open":
            try:
                body = _Sending(transport, upload, path, told, lanes).run()
            except _Changed:
                transport.ask("DELETE", base)
                raise SiteError(
                    f"'{path.name}' changed while it was being sent; send it again."
                ) from None
            try:
                upload = transport.ask("POST", f"{base}/complete", json=body, again=True)
            except SiteRefused as refusal:
                if refusal.field != "parts":
                    raise
                continue  # a part that was taken is not there; it is sent again
        if not wait:
            return upload
        upload = _checked(transport, base)
        if upload["state"] == "done":
            return upload
        if upload["state"] != "open":
            raise SiteError(upload["refusal"] or f"'{upload['name']}' was {upload['state']}.")
    raise SiteError(
        f"'{path.name}' was damaged on the way {ROUNDS} times; something between this machine "
        "and the site changes what passes. Try another network."
    )


def unfinished(transport: Transport, **filters: Any) -> list[Json]:
    """Return my lab's unfinished uploads, newest first, with ``held_bytes``."""
    query = {"unfinished": "true", "limit": 200} | filters
    rows: list[Json] = transport.ask("GET", "uploads", params=query)["results"]
    return rows


def begin(transport: Transport, path: Path, body: Json) -> Json:
    """Return the upload of this file that was begun before, or a new one."""
    ask = dict(body)
    if transport.signed_in:
        query = {"size": body["size"], "limit": 200}
        rows = transport.ask("GET", "uploads", params=query)["results"]
        for row in rows:
            same = all(row[key] == body[key] for key in ("name", "purpose", "target"))
            mine = "lab" not in body or row["lab"] == body["lab"]
            if same and mine and row["state"] in {"open", "checking"}:
                return dict(row)
        # Only where a file of this very size is stored is it worth reading this one first.
        stored = {row["sha256"] for row in rows if row["state"] == "done"}
        if stored and (digest := sha256_of(path)) in stored:
            ask["sha256"] = digest
    # Where the site opened it and the answer was lost, the key brings the same upload.
    opened: Json = transport.ask("POST", "uploads", json=ask, key=uuid.uuid4().hex)
    return opened


def _checked(transport: Transport, base: str) -> Json:
    pause = 0.1
    while True:
        upload: Json = transport.ask("GET", base)
        if upload["state"] != "checking":
            return upload
        time.sleep(pause)
        pause = min(1.0, 1.2 * pause)


class _Sending:
    """One walk through the file: each part is read once, digested, and sent if it is missing."""

    def __init__(
        self, transport: Transport, upload: Json, path: Path, told: Told | None, lanes: int
    ) -> None:
        self.transport = transport
        self.path = path
        self.told = told
        self.base = f"uploads/{upload['id']}"
        self.size: int = upload["size"]
        self.part_size: int = upload["part_size"]
        self.parts = range(1, upload["part_count"] + 1)
        self.lanes = max(1, min(lanes, MOST_IN_MEMORY // self.part_size))
        held = transport.ask("GET", f"{self.base}/parts")["parts"]
        self.held = {part["part"] for part in held}
        self.sent = sum(part["size"] for part in held)
        self.digests: dict[int, str] = {}
        self._addresses: dict[int, str] = {}
        self._digest = ""
        self._lock = threading.Lock()

    def run(self) -> Json:
        """Send what is missing; return what completes the upload: its digests."""
        whole, waiting = hashlib.sha256(), set[Future[None]]()
        room = threading.BoundedSemaphore(self.lanes + 1)
        self._tell(0)
        with self.path.open("rb") as file, ThreadPoolExecutor(self.lanes) as pool:
            begun = os.fstat(file.fileno())
            try:
                for part in self.parts:
                    data = file.read(self._bytes(part))
                    now = os.fstat(file.fileno())
                    if len(data) != self._bytes(part) or _differ(begun, now, self.size):
                        raise _Changed
                    whole.update(data)
                    if part in self.held:
                        self.digests[part] = hashlib.sha256(data).hexdigest()
                        continue
                    room.acquire()
                    lane = pool.submit(self._deliver, part, data)
                    lane.add_done_callback(lambda _: room.release())
                    waiting.add(lane)
                    for over in [lane for lane in waiting if lane.done()]:
                        waiting.remove(over)
                        over.result()
                for lane in waiting:
                    lane.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
            # A file that was replaced by another of its name has changed, too.
            if _differ(begun, self.path.stat(), self.size):
                raise _Changed
        digests = {str(part): self.digests[part] for part in self.parts}
        return {"sha256": whole.hexdigest(), "digests": digests}

    def _bytes(self, part: int) -> int:
        return min(self.part_size, self.size - (part - 1) * self.part_size)

    def _deliver(self, part: int, data: bytes) -> None:
        digest = hashlib.sha256(data)
        self.digests[part] = digest.hexdigest()
        md5: str = ""

        def address(fresh: bool) -> tuple[str, dict[str, str]]:
            nonlocal md5
            url, kind = self._address(part, fresh)
            if kind == "sha-256":
                return url, {"Content-Digest": f"sha-256=:{_base64(digest.digest())}:"}
            md5 = md5 or _base64(hashlib.md5(data, usedforsecurity=False).digest())
            return url, {"Content-MD5": md5}

        self.transport.put_part(address, data)
        self._tell(len(data))

    def _address(self, part: int, fresh: bool) -> tuple[str, str]:
        """Return an address of a part, and which digest the storage compares on arrival."""
        with self._lock:
            if fresh:  # the signatures have run out, those of the others soon as well
                self._addresses.clear()
            if part not in self._addresses:
                wanted = [
                    number
                    for number in range(part, self.parts.stop)
                    if (number not in self.held and number not in self.digests) or number == part
                ][:BATCH]
                answer = self.transport.ask(
                    "POST", f"{self.base}/addresses", json={"parts": wanted}, again=True
                )
                self._digest = answer["digest"]
                self._addresses |= {row["part"]: row["url"] for row in answer["addresses"]}
            return self._addresses[part], self._digest

    def _tell(self, count: int) -> None:
        with self._lock:
            self.sent += count
            if self.told:
                self.told(self.sent, self.size)


def _differ(begun: os.stat_result, now: os.stat_result, size: int) -> bool:
    facts = (now.st_size, now.st_mtime_ns, now.st_ino)
    return facts != (size, begun.st_mtime_ns, begun.st_ino)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()

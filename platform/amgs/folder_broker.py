"""Celery's broker without a server: messages as files in a folder.

Kombu's filesystem transport, with three of its steps made safe. A message appears under its name
by a rename, so nobody reads half of it; it is taken by a rename inside the same folder tree, not
through the machine's temporary folder, so nothing is littered there; and the table of queues is
replaced as a whole, so that processes which start together do not read an empty one. A taken
message is gone when its worker dies: the sweep brings its job back.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps, loads

_ENDING = ".msg"


class Channel(filesystem.Channel):
    """A channel whose messages appear and are taken by renaming."""

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        entry = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        known = self.get_table(exchange)
        if entry in known:
            return
        # Every exchange here has one queue, so two that write at once write the same.
        file = self._exchange_file(exchange)
        draft = file.with_name(f"{file.name}.{secrets.token_hex(8)}")
        draft.write_text(dumps([entry, *known]), encoding="utf-8")
        draft.replace(file)

    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:
        folder = Path(self.data_folder_out)
        # The wall clock, not the monotonic one: messages outlive a restart of the machine.
        name = f"{time.time_ns():020d}_{secrets.token_hex(8)}.{queue}{_ENDING}"
        draft = Path(self.processed_folder) / f"{name}.draft"
        draft.write_text(dumps(payload), encoding="utf-8")
        draft.replace(folder / name)

    def _get(self, queue: str) -> dict[str, Any]:
        folder = Path(self.data_folder_in)
        ending = f"{queue}{_ENDING}"
        waiting = [path for path in folder.iterdir() if path.name.partition(".")[2] == ending]
        for message in sorted(waiting):
            taken = Path(self.processed_folder) / message.name
            try:
                message.replace(taken)
            except FileNotFoundError:  # another worker was faster
                continue
            payload = taken.read_text(encoding="utf-8")
            with contextlib.suppress(FileNotFoundError):
                taken.unlink()
            return loads(payload)
        raise Empty


class Transport(filesystem.Transport):
    """The transport; ``CELERY_BROKER_TRANSPORT`` names it."""

    Channel = Channel

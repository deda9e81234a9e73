"""A proxy that cuts, flips, stalls and answers 500, as bad networks do; a program of its own.

    python faulty_proxy.py --to 127.0.0.1:8000 --share 0.2 --seed 1 --stall 5

prints the port it listens on. With ``--hold BYTES`` parts stand still once so many bytes have been
put. Bytes are flipped in the bodies of PUT requests only: those are the
parts, and what else passes would be guarded by TLS. ``GET /.proxy`` answers with what was counted,
``PUT /.proxy?share=0`` changes how many requests meet a fault and lets go what was held.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

CHUNK = 64 * 1024
FAULTS = ("cut before", "cut inside", "cut answer", "flip", "stall", "answer 500")
SICK = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextlib.contextmanager
def told() -> Iterator[None]:
    """Say on standard error what broke that was not meant to break."""
    try:
        yield
    except OSError as error:
        print(f"faulty_proxy: {error!r}", file=sys.stderr, flush=True)


@dataclass
class Proxy:
    """One way to one server, with a share of requests that meet a fault."""

    host: str
    port: int
    share: float
    stall: float
    chance: random.Random
    hold: int = 0
    counts: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, or not; every connection carries one."""
        with told(), contextlib.suppress(asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").rstrip().split("\r\n")
            method, target, _ = first.split(" ", 2)
            if target.startswith("/.proxy"):
                await self._own(method, target, writer)
            else:
                await self._pass(method, first, lines, reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    async def _own(self, method: str, target: str, writer: asyncio.StreamWriter) -> None:
        if method == "PUT":
            self.share, self.hold = float(target.partition("share=")[2]), 0
        body = json.dumps(self.counts).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    def _fault(self, method: str, length: int) -> str:
        if self.chance.random() >= self.share:
            return ""
        fault = self.chance.choice(FAULTS)
        return fault if fault != "flip" or (method == "PUT" and length) else "cut before"

    async def _pass(
        self,
        method: str,
        first: str,
        lines: list[str],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        headers = [line for line in lines if not line.lower().startswith("connection:")]
        sizes = [line.split(":")[1] for line in headers if line.lower()[:15] == "content-length:"]
        length = int(sizes[0]) if sizes else 0
        fault = self._fault(method, length)
        self.counts[fault or "passed"] += 1
        if fault == "cut before":
            return
        if fault == "answer 500":
            writer.write(SICK)
            await writer.drain()
            return
        server, up = await asyncio.open_connection(self.host, self.port)
        try:
            up.write("\r\n".join([first, *headers, "Connection: close", "", ""]).encode("latin-1"))
            spot = self.chance.randrange(length) if length else 0
            if not await self._body(method, reader, up, length, fault, spot):
                return
            if fault == "cut answer":
                await server.read()  # the server has done it, but nobody hears of it
                return
            while chunk := await server.read(CHUNK):
                writer.write(chunk)
                await writer.drain()
        finally:
            up.close()

    async def _body(
        self,
        method: str,
        reader: asyncio.StreamReader,
        up: asyncio.StreamWriter,
        length: int,
        fault: str,
        spot: int,
    ) -> bool:
        """Pass a body on; false where the fault ends the request inside of it."""
        passed = 0
        while passed < length:
            chunk = bytearray(await reader.read(min(CHUNK, length - passed)))
            if not chunk:
                return False
            if passed <= spot < passed + len(chunk):
                if fault == "cut inside":
                    return False
                if fault == "stall":
                    await asyncio.sleep(self.stall)
                    return False
                if fault == "flip":
                    chunk[spot - passed] ^= 1 << self.chance.randrange(8)
            passed += len(chunk)
            if method == "PUT":
                if self.hold and self.counts["bytes put"] >= self.hold:
                    await asyncio.sleep(self.stall)
                    return False
                self.counts["bytes put"] += len(chunk)
            up.write(chunk)
            await up.drain()
        return True


async def main() -> None:
    """Listen until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", required=True, help="host:port of the server behind")
    parser.add_argument("--share", type=float, default=0.2, help="of requests that meet a fault")
    parser.add_argument("--stall", type=float, default=5.0, help="seconds")
    parser.add_argument("--hold", type=int, default=0, help="bytes")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    host, _, port = given.to.rpartition(":")
    proxy = Proxy(host, int(port), given.share, given.stall, random.Random(given.seed), given.hold)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", given.port, limit=CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

"""Redis as a message broker: nothing is written to disk."""

from __future__ import annotations

import secrets
import socket
from pathlib import Path

from deploy.local_stack.server import LOOPBACK, Server, find_program, free_port

PROGRAM = "redis-server"


def start(folder: Path) -> Server:
    """Start ``redis-server``; the address is ``redis://:PASSWORD@127.0.0.1:PORT/0``."""
    program = find_program(PROGRAM)
    port, password = free_port(), secrets.token_hex(16)
    server = Server("redis", f"redis://:{password}@{LOOPBACK}:{port}/0", folder)
    configuration = server.folder / "redis.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind {LOOPBACK}\nport {port}\nrequirepass {password}\n"
        f'dir {server.folder}\nsave ""\nappendonly no\n',
        encoding="utf-8",
    )
    server.spawn([program, configuration])

    def answers() -> bool:
        with socket.create_connection((LOOPBACK, port), timeout=2) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\nQUIT\r\n".encode())
            return b"+PONG" in connection.makefile("rb").read()

    server.wait_until(answers, seconds=10)
    return server

"""RabbitMQ with a port mapper (epmd), node name, cookie and folders of its own.

Nothing of an installed RabbitMQ is touched: its node, its database, its cookie and the
machine's epmd on port 4369 stay as they are.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from deploy.local_stack.server import LOOPBACK, Server, accepts_connections, find_program, free_port

PROGRAM = "rabbitmq-server"
SCRIPTS = Path("/usr/lib/rabbitmq/bin")
"""Debian's own scripts; the ones on PATH change to the user of the installed service."""
USER = "amgs"


def start(folder: Path) -> Server:
    """Start a broker without plugins; the address is ``amqp://amgs:PASSWORD@127.0.0.1:PORT//``."""
    program = find_program(PROGRAM, folders=[SCRIPTS])
    epmd = find_program("epmd", package=PROGRAM)
    port, mapper_port, distribution_port = free_port(), free_port(), free_port()
    password = secrets.token_hex(16)
    server = Server("rabbitmq", f"amqp://{USER}:{password}@{LOOPBACK}:{port}//", folder)
    for name in ("log", "mnesia"):
        (server.folder / name).mkdir(exist_ok=True)
    cookie = server.folder / ".erlang.cookie"
    cookie.touch(mode=0o600)
    cookie.chmod(0o600)
    cookie.write_text(secrets.token_hex(16), encoding="ascii")
    cookie.chmod(0o400)
    (server.folder / "enabled_plugins").write_text("[].\n", encoding="ascii")
    (server.folder / "environment.conf").write_text("", encoding="ascii")
    configuration = server.folder / "rabbitmq.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"listeners.tcp.default = {LOOPBACK}:{port}\n"
        f"default_user = {USER}\ndefault_pass = {password}\n"
        "disk_free_limit.absolute = 50MB\nlog.console = true\nlog.file = false\n",
        encoding="utf-8",
    )
    mapper = {"ERL_EPMD_ADDRESS": LOOPBACK, "ERL_EPMD_PORT": str(mapper_port)}
    server.spawn([epmd], environment=mapper)
    server.wait_until(lambda: accepts_connections(mapper_port), seconds=10)
    environment = {
        **mapper,
        "HOME": str(server.folder),
        "RABBITMQ_NODENAME": f"amgs-{port}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_CONFIG_FILE": str(configuration),
        "RABBITMQ_CONF_ENV_FILE": str(server.folder / "environment.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(server.folder / "enabled_plugins"),
        "RABBITMQ_LOG_BASE": str(server.folder / "log"),
        "RABBITMQ_MNESIA_BASE": str(server.folder / "mnesia"),
        "RABBITMQ_PID_FILE": str(server.folder / "rabbitmq.pid"),
        # Distribution stays on loopback; schedulers that wait must not burn a processor.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none"
        ),
    }
    server.spawn([program], environment=environment)

    def answers() -> bool:
        import amqp

        with amqp.Connection(f"{LOOPBACK}:{port}", userid=USER, password=password):
            return True

    server.wait_until(lambda: accepts_connections(port) and answers(), seconds=60)
    return server

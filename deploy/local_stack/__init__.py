"""The servers of a production site, started on loopback for one run.

One module per server, each with ``start(folder, …) -> Server``. Every server listens on
127.0.0.1 and a free port, keeps its files under ``folder`` and is stopped by process id,
at the latest when the interpreter exits. `NotInstalled` says that the machine lacks the program,
`StartFailed` that it has it and the server did not come up (with the tail of its log).
"""

from deploy.local_stack.server import NotInstalled, Server, StartFailed

__all__ = ["NotInstalled", "Server", "StartFailed"]

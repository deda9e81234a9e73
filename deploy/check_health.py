"""Ask the web process of this container whether it is alive: the container's health check.

It speaks as the proxy does, so that the check passes with production's host names and TLS.
"""

from __future__ import annotations

import os
import sys
import urllib.request


def healthy(port: int, host: str, *, seconds: float = 3) -> bool:
    """Whether ``/healthz`` on a port of this machine answers 200 under a host name of the site."""
    call = urllib.request.Request(
        f"http://127.0.0.1:{port}/healthz", headers={"Host": host, "X-Forwarded-Proto": "https"}
    )
    try:
        with urllib.request.urlopen(call, timeout=seconds) as answer:  # noqa: S310
            return answer.status == 200
    except OSError:
        return False


if __name__ == "__main__":
    name = os.environ.get("ALLOWED_HOSTS", "127.0.0.1").split(",")[0]
    sys.exit(0 if healthy(int(os.environ.get("AMGS_PORT", "8000")), name) else 1)

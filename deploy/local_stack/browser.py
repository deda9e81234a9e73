"""Find the browser that the tests drive; it is a program, not a server."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from deploy.local_stack.server import NotInstalled

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""For a machine without display, sandbox rights or internet; the browser only meets our pages."""


def find() -> Path:
    """Path of Chromium or Chrome: ``AMGS_BROWSER``, then PATH; else `NotInstalled`."""
    for name in filter(None, (os.environ.get("AMGS_BROWSER"), *NAMES)):
        if found := shutil.which(name):
            return Path(found)
    raise NotInstalled(
        "no Chromium or Chrome on PATH; as root on Debian or Ubuntu "
        "`make test SERVICES=install` installs it (package chromium)"
    )

"""Find the programs with which people script a site: curl with jq, and R with httr2."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.local_stack.server import NotInstalled, find_program


def find_curl() -> Path:
    """Path of curl where jq is there as well; else `NotInstalled`."""
    find_program("jq", package="jq")
    return find_program("curl", package="curl")


def find_r() -> Path:
    """Path of Rscript where the package httr2 is there as well; else `NotInstalled`."""
    program = find_program("Rscript", package="r-cran-httr2")
    found = subprocess.run(
        [program, "-e", "quit(status = !requireNamespace('httr2', quietly = TRUE))"],
        capture_output=True,
        check=False,
    )
    if found.returncode:
        raise NotInstalled(
            "R has no package httr2; as root on Debian or Ubuntu `make test SERVICES=install` "
            "installs it (package r-cran-httr2)"
        )
    return program

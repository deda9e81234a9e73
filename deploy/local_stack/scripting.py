"""Find the programs with which people script a site: curl with jq, R with its packages."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.local_stack.server import NotInstalled, find_program


def find_curl() -> Path:
    """Path of curl where jq is there as well; else `NotInstalled`."""
    find_program("jq", package="jq")
    return find_program("curl", package="curl")


def find_r() -> Path:
    """Path of Rscript where httr2 and jsonlite are there as well; else `NotInstalled`."""
    program = find_program("Rscript", package="r-cran-httr2")
    wanted = "all(sapply(c('httr2', 'jsonlite'), requireNamespace, quietly = TRUE))"
    found = subprocess.run(
        [program, "-e", f"quit(status = !{wanted})"], capture_output=True, check=False
    )
    if found.returncode:
        raise NotInstalled(
            "R lacks the packages httr2 and jsonlite; as root on Debian or Ubuntu `apt install "
            "r-cran-httr2 r-cran-jsonlite` brings them"
        )
    return program

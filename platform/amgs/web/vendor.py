"""Browser libraries from ``node_modules``: only the listed files are published.

They are served under ``vendor/<package>/<version>/``, so a new version has new addresses.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.checks import CheckMessage, Warning
from django.core.files.storage import FileSystemStorage

LISTING = Path(__file__).with_name("vendor.toml")


@cache
def packages() -> dict[str, dict[str, Any]]:
    """Return ``vendor.toml``: package → ``version`` and ``files``."""
    return tomllib.loads(LISTING.read_text(encoding="utf-8"))


def static_path(package: str, file: str) -> str:
    """Return the path below ``STATIC_URL`` of a listed file; ``KeyError`` if it is not listed."""
    listed = packages()[package]
    if file not in listed["files"]:
        raise KeyError(f"{file} of {package} is not listed in vendor.toml")
    return f"vendor/{package}/{listed['version']}/{file}"


class VendorFinder(BaseFinder):
    """Finds the listed files of installed browser libraries, and nothing else there."""

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Warn about listed files that are not installed."""
        missing = [
            f"{package}/{file}"
            for package, listed in packages().items()
            for file in listed["files"]
            if not (settings.NODE_MODULES / package / file).is_file()
        ]
        if not missing:
            return []
        sentence = "Browser libraries are not installed: " + ", ".join(missing)
        return [Warning(sentence, hint="Run 'make setup'.", id="amgs.W003")]

    def find(self, path: str, find_all: bool = False, **kwargs: Any) -> str | list[str]:
        """Return the file behind a static path (a list with ``find_all``); empty if unknown."""
        for package, listed in packages().items():
            for file in listed["files"]:
                source = settings.NODE_MODULES / package / file
                if path == static_path(package, file) and source.is_file():
                    return [str(source)] if find_all else str(source)
        return []

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, FileSystemStorage]]:
        """Yield (path, storage) of every listed file that is installed."""
        for package, listed in packages().items():
            storage = FileSystemStorage(location=str(settings.NODE_MODULES / package))
            # Django's collectstatic and WhiteNoise both put this before the path.
            storage.prefix = f"vendor/{package}/{listed['version']}"
            for file in listed["files"]:
                if storage.exists(file):
                    yield file, storage

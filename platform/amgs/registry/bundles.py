"""Bundles of model versions as folders on this machine, unpacked once per content."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from django.conf import settings

from amgs.registry.models import ModelVersion


def bundle_folder(version: ModelVersion) -> Path:
    """Return the folder of a version's bundle, fetched and verified where it is not here yet.

    The folder is named by the bundle's digest, so a second process that unpacks the same bundle
    at the same time makes the same folder: the first rename wins. Raises
    ``models.bundle.BundleError`` where the content is not what was registered.
    """
    from amgs.files.storage import get_storage
    from models.bundle import BundleError, load_bundle, unpack

    target = settings.VAR / "cache" / "bundles" / version.digest
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f"{version.digest[:12]}.", dir=target.parent))
    try:
        packed = draft / "bundle.tar"
        get_storage().download(version.bundle_key, packed)
        unpacked = draft / "bundle"
        unpack(packed, unpacked)
        if load_bundle(unpacked).digest != version.digest:
            raise BundleError(
                f"The bundle of {version.identifier} is not the one that was registered."
            )
        try:
            unpacked.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target

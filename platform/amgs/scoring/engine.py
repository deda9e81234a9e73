"""The scorer of this process: one, of the version that serves, until another one serves."""

from __future__ import annotations

import threading
from typing import Any

from amgs.registry.bundles import bundle_folder
from amgs.registry.models import ModelVersion

_lock = threading.Lock()
_held: tuple[str, Any] | None = None


def scorer_of(version: ModelVersion) -> Any:
    """Return the scorer of a version's bundle, loaded once per process and content.

    Only the last one is kept: a worker that has scored with three champions holds one network.
    """
    global _held
    from models.bundle import load_bundle
    from models.scorer import Scorer

    with _lock:
        if _held is None or _held[0] != version.digest:
            _held = (version.digest, Scorer(load_bundle(bundle_folder(version)), threads=1))
        return _held[1]

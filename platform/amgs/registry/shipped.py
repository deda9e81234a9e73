"""Let a fresh site begin with the bundle that comes with the program, as version 1.

Only where there is no model version at all, and only where a model of phantoms may serve.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from amgs.core import decisions
from amgs.core.base import SYSTEM
from amgs.core.errors import Refused
from amgs.registry import services
from amgs.registry.models import ModelVersion
from curation.model_version import IN_REVIEW

FIRST = 1
# Judged by the one profile that is meant for phantom studies; it puts nothing into production.
PHANTOM_PROFILE = "demo"
WHY_PHANTOM = "The bundle this software ships with; learnt from rendered mouse faces."
WHY = "The bundle this software ships with."


class _NotFirst(Exception):
    """Somebody registered a version meanwhile; ours must not appear."""


@dataclass(frozen=True)
class _Judged:
    """What the gates say of the report that lies in the bundle."""

    profile: str
    verdicts: list[dict[str, Any]]
    refused_by: list[str]


def register_shipped(folder: Path, species: str = "mouse") -> ModelVersion | None:
    """Register the bundle in a folder as version 1 and let it serve; return it.

    Returns ``None`` where the site has a model version already, of whatever state. Raises
    ``Refused`` where there is no bundle, where it is damaged, and where it learned from phantoms
    and ``ALLOW_PHANTOM`` is off. A bundle that the gates refuse is registered, and serves nobody.
    """
    if ModelVersion.objects.filter(species=species).exists():
        return None
    from models.bundle import BundleError, load_bundle

    if not folder.is_dir():
        raise Refused(f"No model is shipped with this copy of the program: {folder} is not there.")
    try:
        bundle = load_bundle(folder)
    except BundleError as problem:
        raise Refused(f"The model in {folder} cannot be used. {problem}") from problem
    if bundle.phantom and not settings.ALLOW_PHANTOM:
        raise Refused(
            "The model that is shipped learned from rendered phantom mice, and this site gives no "
            "grades from such a model; AMGS_ALLOW_PHANTOM=1 lifts that for a demonstration."
        )
    judged = _judge(bundle)
    stored = _store(bundle)
    try:
        return _register(bundle, stored, judged, species)
    except (_NotFirst, IntegrityError):
        # Two processes of a fresh site began at once: number 1 is given once, to the faster one.
        return None


def _judge(bundle: Any) -> _Judged:
    from curation.gates import PROFILES, Evidence, judge, refused_by

    profile = PROFILES[PHANTOM_PROFILE if bundle.phantom else settings.GATE_PROFILE]
    evidence = Evidence(
        report=bundle.report,
        champion=None,
        comparison=None,
        bundle_info={**bundle.info, "digest": bundle.digest},
        # Where phantoms are allowed, it is a demonstration, with production's settings too.
        production=settings.PRODUCTION and not (bundle.phantom and settings.ALLOW_PHANTOM),
    )
    verdicts = judge(evidence, profile)
    return _Judged(
        profile.name, [verdict.to_json() for verdict in verdicts], list(refused_by(verdicts))
    )


def _store(bundle: Any) -> Mapping[str, str]:
    """Put bundle and report under keys named by the digest; return their keys and the SHA-256."""
    from amgs.files.storage import get_storage
    from models.bundle import pack

    storage, lead = get_storage(), f"models/{bundle.digest}"
    with tempfile.TemporaryDirectory() as name:
        packed = pack(bundle.path, Path(name) / "bundle.tar")
        with packed.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        for path in (packed, bundle.path / "report.html"):
            with path.open("rb") as stream:
                storage.put(f"{lead}/{path.name}", stream, path.stat().st_size)
    return {
        "bundle_key": f"{lead}/bundle.tar",
        "bundle_sha256": sha256,
        "report_key": f"{lead}/report.html",
    }


@transaction.atomic
def _register(
    bundle: Any, stored: Mapping[str, str], judged: _Judged, species: str
) -> ModelVersion:
    version = services.register_version(
        **stored,
        digest=bundle.digest,
        info=bundle.info,
        report=bundle.report,
        card=(bundle.path / "card.md").read_text(encoding="utf-8"),
        profile=judged.profile,
        species=species,
    )
    if version.number != FIRST:
        raise _NotFirst
    services.record_verdicts(
        version=version, verdicts=judged.verdicts, refused_by=judged.refused_by, comparison={}
    )
    if version.state == IN_REVIEW:
        decisions.decide(
            version,
            "ship",
            by=SYSTEM,
            why=WHY_PHANTOM if version.phantom else WHY,
            facts={
                "identifier": version.identifier,
                "digest": version.digest,
                "phantom": version.phantom,
                "replaces": None,
            },
        )
    return version

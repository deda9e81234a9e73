"""Prepare a site for the figures of promotion; prints JSON. Django's settings come from outside.

``prepare``: two maintainers, and a second version of the shipped bundle that one of them approved.
``ledger N``: N decisions of promotions in turn, then how long it takes to say what was live.
"""

from __future__ import annotations

import io
import json
import shutil
import statistics
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "platform")]

import django  # noqa: E402

django.setup()

from django.core.management import call_command  # noqa: E402

from amgs.accounts.models import Grant, User  # noqa: E402
from amgs.accounts.services import SCOPES, create_token  # noqa: E402
from amgs.core.models import Decision, Job  # noqa: E402
from amgs.registry import queries, services, shipped  # noqa: E402
from amgs.registry.models import ModelVersion  # noqa: E402

ASKED = 30


def maintainer(name: str) -> User:
    """Return a new maintainer."""
    user = User.objects.create_user(f"{name.lower()}@example.org", full_name=name)
    Grant.objects.create(user=user, role="maintainer")
    return user


def version(**given: Any) -> ModelVersion:
    """Return a version that waits for the maintainers."""
    row = services.register_version(**given)
    services.record_verdicts(version=row, verdicts=[], refused_by=[], comparison={})
    return row


def prepare() -> dict[str, Any]:
    """Register a second bundle: the shipped one with another card, and so another digest."""
    from models.bundle import SHIPPED, load_bundle, seal

    ada, bea = maintainer("Ada"), maintainer("Bea")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "bundle"
        shutil.copytree(SHIPPED / "phantom", folder)
        card = folder / "card.md"
        card.write_text(f"{card.read_text(encoding='utf-8')}\nThe second one.\n", encoding="utf-8")
        seal(folder)
        bundle = load_bundle(folder)
        row = version(
            **shipped._store(bundle), digest=bundle.digest, info=bundle.info, report=bundle.report
        )
    services.decide_model(by=ada, version=row, action="approve", why="for the figure")
    return {
        "model": row.public_id,
        "identifier": row.identifier,
        "token": create_token(user=bea, name="bench", scopes=SCOPES)[1],
        "before": queries.serving().identifier,
    }


def ledger(wanted: int) -> dict[str, Any]:
    """Let two versions serve in turn until the log is long enough; ask what was live."""
    ada = maintainer("Ada")
    given = {"bundle_key": "k", "bundle_sha256": "b" * 64, "info": {}, "report": {}}
    rows = [version(digest=str(number) * 64, **given) for number in range(2)]
    for row in rows:
        services.decide_model(by=ada, version=row, action="approve", why="for the figure")
    turn = 0
    while Decision.objects.count() < wanted:
        row = ModelVersion.objects.get(pk=rows[turn % 2].pk)
        services.decide_model(by=ada, version=row, action="promote", why="in turn")
        Job.objects.filter(state="queued").delete()
        turn += 1
    first, last = (Decision.objects.order_by(by).first().at for by in ("number", "-number"))
    seconds = []
    for step in range(ASKED):
        when = first + (last - first) * step / ASKED + timedelta(microseconds=1)
        started = time.perf_counter()
        call_command("live", at=when.isoformat(), stdout=io.StringIO())
        seconds.append(time.perf_counter() - started)
    started = time.perf_counter()
    call_command("check_ledger", stdout=io.StringIO())
    return {
        "decisions": Decision.objects.count(),
        "live_ms": 1000 * statistics.median(seconds),
        "live_worst_ms": 1000 * max(seconds),
        "check_s": time.perf_counter() - started,
    }


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    print(json.dumps(prepare() if what == "prepare" else ledger(int(rest[0]))))

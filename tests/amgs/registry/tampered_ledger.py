"""Change one decision in the database behind everybody's back; print what the check says.

A program of its own: the database of the test session is SQLite, this one wants PostgreSQL.
"""

from __future__ import annotations

import io
import json
import os
import sys

ROOT = sys.argv[1]
sys.path[:0] = [ROOT, f"{ROOT}/platform"]
os.environ["DJANGO_SETTINGS_MODULE"] = "amgs.settings.testing"

import django  # noqa: E402

django.setup()

from django.core.management import CommandError, call_command  # noqa: E402

from amgs.core.models import Decision  # noqa: E402
from amgs.registry import services  # noqa: E402


def check() -> str:
    """Run the command; return the first line it says."""
    out, errors = io.StringIO(), io.StringIO()
    try:
        call_command("check_ledger", stdout=out, stderr=errors)
    except CommandError:
        return errors.getvalue().strip().splitlines()[0]
    return out.getvalue().strip()


def main() -> None:
    """Make some decisions, check, change one, check again."""
    call_command("migrate", verbosity=0)
    for number in range(3):
        version = services.register_version(
            bundle_key="k", bundle_sha256="b" * 64, digest="d" * 64, info={}, report={"n": number}
        )
        facts = [{"gate": "g", "passed": True, "value": 0.1 + number, "sentence": "Å 1e16"}]
        services.record_verdicts(version=version, verdicts=facts, refused_by=[], comparison={})
    before = check()
    middle = Decision.objects.order_by("number")[4]
    Decision.objects.filter(pk=middle.pk).update(actor_name="Somebody Else")
    print(json.dumps({"before": before, "number": middle.number, "after": check()}))


main()

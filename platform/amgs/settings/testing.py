"""Settings of the tests: short leases, a var folder of their own, no network."""

import os
import tempfile
from pathlib import Path

# The var folder must be chosen before the base settings read it.
os.environ.setdefault("AMGS_VAR", tempfile.mkdtemp(prefix="amgs-test-"))
# Test processes beside each other have a folder below it each; the programs they start inherit it.
worker = os.environ.get("PYTEST_XDIST_WORKER")
if worker and os.environ.get("AMGS_VAR_OF_WORKER") != worker:
    folder = Path(os.environ["AMGS_VAR"]) / worker
    folder.mkdir(parents=True, exist_ok=True)
    os.environ |= {"AMGS_VAR": str(folder), "AMGS_VAR_OF_WORKER": worker}
os.environ.setdefault("JOB_LEASE_SECONDS", "2")
os.environ.setdefault("JOB_SWEEP_SECONDS", "0.5")
os.environ.setdefault("GATE_PROFILE", "demo")
# Tests number their own versions from 1, whether or not a bundle lies beside the program.
os.environ.setdefault("AMGS_SHIPPED_MODEL", "")
# Tests ask as often as they like, but for those about being asked too often.
os.environ.setdefault("API_RATE", "0")
os.environ.setdefault("API_RATE_PUBLIC", "0")

from amgs.settings.base import *  # noqa: E402, F403  (a settings module extends its base by design)

# Apps that only tests have, such as the one whose job the kill tests run in real workers.
INSTALLED_APPS += [name for name in os.environ.get("AMGS_TEST_APPS", "").split(",") if name]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
if "DATABASE_URL" not in os.environ:
    DATABASES["default"]["TEST"] = {  # noqa: F405  (defined by the base settings)
        "NAME": str(Path(os.environ["AMGS_VAR"]) / "test.sqlite3")
    }

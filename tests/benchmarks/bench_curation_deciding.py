"""What a curator waits for: the acceptance of a large version, its page, and live agreement.

The names of the rows begin with ``curation.``, beside the figures of the rules themselves.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def accept_500() -> Iterator[dict[str, Any]]:
    """Accept 500 recordings but for 12, on PostgreSQL: one request to the API, median of five.

    Beside it the page of such a review, and how long plain figures of agreement take for an audit
    of 60 frames and four raters (a page that is open asks for them every three seconds).
    """
    sys.path.insert(0, str(ROOT))
    from deploy.local_stack import postgresql

    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        (Path(folder) / "postgresql").mkdir()
        database = postgresql.start(Path(folder) / "postgresql")
        try:
            environment = os.environ | {
                "AMGS_VAR": str(Path(folder) / "var"),
                "DATABASE_URL": database.url,
                "DJANGO_SETTINGS_MODULE": "amgs.settings.base",
                "LOG_LEVEL": "WARNING",
                "OMP_NUM_THREADS": "1",
                "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "platform"))),
            }
            _run(["manage.py", "migrate", "-v", "0"], environment)
            told = _run([str(HERE / "decide_much.py")], environment)
        finally:
            database.stop(gracefully=False)
    figures = json.loads(told.splitlines()[-1])
    for name, target in (
        ("accept_500_s", "≤ 1"),
        ("review_page_500_s", None),
        ("agreement_now_s", "≤ 2"),
    ):
        yield {"name": f"curation.{name}", "value": figures[name], "unit": "s", "target": target}


def _run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return done.stdout

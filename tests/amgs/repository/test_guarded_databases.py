"""The database keeps what is published, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("change_published.py")
KEPT = {
    "changed": [],
    "left": "withdrawn",
    "flushed": True,
    "guarded": True,
}


def change(tmp_path: Path, url: str) -> dict:
    """Run the program on a database; return what it found."""
    done = subprocess.run(
        [sys.executable, PROGRAM, ROOT],
        env=os.environ | {"AMGS_VAR": str(tmp_path), "DATABASE_URL": url},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_a_site_guards_what_it_published(tmp_path):
    assert change(tmp_path, f"sqlite://{tmp_path / 'site.sqlite3'}") == KEPT


@pytest.mark.service("postgresql")
def test_a_site_on_postgresql_guards_what_it_published(tmp_path, postgresql_url):
    server = psycopg2.connect(postgresql_url)
    server.autocommit = True
    with server.cursor() as cursor:
        cursor.execute("CREATE DATABASE guarded")
    server.close()
    url = urlsplit(postgresql_url)._replace(path="/guarded").geturl()
    assert change(tmp_path, url) == KEPT

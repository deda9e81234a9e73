"""Big lists cost the same however long: the number of queries, and the indexes they use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

ROOT = Path(__file__).parents[3]
FRAMES, RATINGS, EXPORTED = 100_000, 500_000, 10_000
LISTS = (
    "datasets",
    "datasets/facets",
    "uploads",
    "labs",
    "tokens",
    "models",
    "scores",
    "versions/AMGS-000001.1/recordings",
    "versions/AMGS-000001.1/frames",
    "versions/AMGS-000001.1/labels",
    "versions/AMGS-000001.1/history",
    "versions/AMGS-000001.1/manifest",
)


def test_every_list_asks_as_often_however_long_it_is(draft, send, clip, alice, token_of, run_jobs):
    from amgs.accounts.services import create_lab
    from amgs.repository import services

    version = draft(animals=1)
    client = Client(headers={"Authorization": f"Bearer {token_of(alice)}"})

    def counts() -> dict[str, int]:
        found = {}
        for where in LISTS:
            for _ in range(2):  # what is remembered once is not of the list
                client.get(f"/api/{where}")
            with CaptureQueriesContext(connection) as asked:
                assert client.get(f"/api/{where}").status_code == 200, where
            found[where] = len(asked)
        return found

    before = counts()
    for number in range(3):
        upload = send(alice, f"more{number}.mp4", clip(50 + number), "recording")
        services.add_recording(by=alice, version=version, upload=upload, name=upload.name)
        create_lab(name=f"Another {number}", by=alice)
        token_of(alice)
    draft(animals=1, grades=False, seed=1)
    run_jobs()
    assert counts() == before


@pytest.fixture(scope="module")
def plans(postgresql_url, tmp_path_factory) -> dict[str, dict[str, Any]]:
    """How PostgreSQL answers the big lists, on a hundred thousand frames."""
    with closing(psycopg2.connect(postgresql_url)) as server:
        server.autocommit = True
        with server.cursor() as cursor:
            cursor.execute("DROP DATABASE IF EXISTS big_lists")
            cursor.execute("CREATE DATABASE big_lists")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "amgs.settings.testing",
        "DATABASE_URL": urlsplit(postgresql_url)._replace(path="/big_lists").geturl(),
        "AMGS_VAR": str(tmp_path_factory.mktemp("big-lists")),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "platform")]),
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, *words], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    run("manage.py", "migrate", "-v", "0")
    sizes = [str(size) for size in (FRAMES, RATINGS, EXPORTED)]
    run("tests/benchmarks/fill_repository.py", *sizes)
    return json.loads(run("tests/amgs/repository/explain_lists.py").splitlines()[-1])


@pytest.mark.service("postgresql")
@pytest.mark.parametrize(
    ("name", "table", "index"),
    [
        ("first page of frames", "repository_frame", "frame_of_recording"),
        ("last page of frames", "repository_frame", "frame_of_recording"),
        ("frames of a recording", "repository_frame", "frame_of_recording"),
        ("ratings of a small version", "repository_rating", ""),
        ("ratings of a small version", "repository_frame", "frame_"),
        ("newest versions", "repository_version", ""),
        ("words", "repository_searchentry", "repository_search_words"),
    ],
)
def test_big_lists_are_read_through_an_index(plans, name, table, index):
    ways = plans[name][table]
    assert not [way for way in ways if way.startswith("Seq Scan")], plans[name]
    assert any(index in way for way in ways), plans[name]


@pytest.mark.service("postgresql")
def test_a_deep_page_of_frames_reads_no_more_than_the_first(plans):
    read = plans["blocks"]
    assert max(read["middle"], read["last"]) <= 2 * read["first"], read

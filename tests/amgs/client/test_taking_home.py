"""The command line takes a version home: file by file or as one zip, each compared."""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile

import pytest
from django.utils import timezone

from amgs.repository.models import Version
from amgs_client.__main__ import main

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(live_server, draft, monkeypatch, tmp_path):
    """A site with a published version, which nobody is signed in to."""
    draft(animals=1)
    Version.objects.update(state="published", published_at=timezone.now())
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AMGS_TOKEN", raising=False)
    return live_server.url


def test_a_version_is_fetched_file_by_file_and_what_is_there_is_left(site, tmp_path, capsys):
    out = tmp_path / "home"
    words = ["--site", site, "download", "AMGS-000001/1", "--out", str(out)]
    assert main(words) == 0
    told = json.loads((out / "manifest.json").read_text())
    assert told["version"] == "AMGS-000001/1"
    assert told["phantom"] is True
    names = {row["path"] for row in told["files"]}
    assert names == {
        "recordings/r0001.mp4",
        "recordings/r0002.mp4",
        "ratings.csv",
        "ratings.parquet",
        "CITATION.bib",
        "CITATION.ris",
    }
    for row in told["files"]:
        data = (out / row["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (row["size"], row["sha256"])
    assert not list(out.rglob("*.part"))
    capsys.readouterr()
    (out / "recordings" / "r0002.mp4").unlink()
    assert main(words) == 0
    assert "1 there before" in " ".join(capsys.readouterr().err.split())


def test_a_version_is_fetched_as_one_zip(site, tmp_path):
    target = tmp_path / "home.zip"
    assert main(["--site", site, "download", "AMGS-000001/1", "--zip", str(target)]) == 0
    with zipfile.ZipFile(target) as held:
        assert held.testzip() is None
        rows = list(csv.DictReader(held.read("ratings.csv").decode().splitlines()))
    assert {row["version"] for row in rows} == {"AMGS-000001/1"}


def test_what_may_not_be_had_is_refused_with_the_reason(site, tmp_path, capsys):
    Version.objects.get().permissions.filter(kind="download").delete()
    for more in (["--zip", str(tmp_path / "x.zip")], ["--out", str(tmp_path / "x")]):
        assert main(["--site", site, "download", "AMGS-000001/1", *more]) == 1
        assert "please ask the lab" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "x.zip").exists()

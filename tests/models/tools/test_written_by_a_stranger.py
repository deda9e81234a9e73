"""The how-to's package, built as it is written there, is listed and run like any other tool."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "howto" / "write-a-tool.md"
BLOCK = re.compile(r'^```\w+ title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The folder into which the wheel of the how-to's package was installed."""
    folder = tmp_path_factory.mktemp("stranger")
    source, wheels, target = folder / "brightness", folder / "wheels", folder / "target"
    source.mkdir()
    found = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert [name for name, _ in found] == ["pyproject.toml", "amgs_brightness.py"]
    for name, text in found:
        (source / name).write_text(text, encoding="utf-8")
    quiet = ("--no-deps", "--no-index", "--disable-pip-version-check", "--quiet")
    pip = (sys.executable, "-m", "pip")
    for command in (
        (*pip, "wheel", *quiet, "--no-build-isolation", "--wheel-dir", wheels, source),
        (
            *pip,
            "install",
            *quiet,
            "--target",
            target,
            wheels / "amgs_brightness-1.2.0-py3-none-any.whl",
        ),
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_the_command_line_lists_and_runs_it(installed, phantom_clip, tmp_path):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{installed}"}

    def command(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "models", "tools", *map(str, arguments)],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
        )

    assert "brightness 1.2 (amgs-brightness 1.2.0)" in command("list").stdout
    schema = json.loads(command("schema", "brightness").stdout)
    assert schema["properties"]["dark_below"]["maximum"] == 255
    done = command(
        "run", "brightness", phantom_clip.path, "--out", "o", "--param", "dark_below=255"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "100 % of 24 frames are too dark." in done.stdout
    told = json.loads((tmp_path / "o" / "clip" / "result.json").read_text())
    assert told["provenance"]["package"] == "amgs-brightness 1.2.0"
    assert len((tmp_path / "o" / "clip" / "brightness.csv").read_text().splitlines()) == 25
    wrong = command(
        "run", "brightness", phantom_clip.path, "--out", "o", "--param", "dark_below=999"
    )
    assert wrong.returncode == 3
    assert "“Dark below” is between 0 and 255 grey levels, not 999." in wrong.stdout


@pytest.mark.django_db
def test_the_site_lists_and_runs_it(installed, monkeypatch, settings, tmp_path, phantom_clip):
    from django.test import Client
    from rest_framework.test import APIClient

    from amgs.core import jobs
    from amgs.core.base import PUBLIC
    from amgs.core.models import Job
    from amgs.files.services import complete_upload, open_upload, part_key
    from amgs.files.storage import get_storage
    from models.tools import listed_tools

    settings.STORAGE_URL, settings.VAR = f"file://{tmp_path / 'objects'}", tmp_path / "var"
    monkeypatch.syspath_prepend(str(installed))
    listed_tools.cache_clear()
    try:
        assert "Mean grey level of every frame" in Client().get("/tools/").content.decode()
        assert 'name="dark_below"' in Client().get("/tools/brightness/").content.decode()
        data = phantom_clip.path.read_bytes()
        upload = open_upload(user=None, lab=None, name="f.mp4", size=len(data), purpose="tool")
        get_storage().put(part_key(upload, 1), data)
        complete_upload(upload=upload, by=PUBLIC)
        answer = APIClient().post(
            "/api/tools/brightness/runs",
            {"upload": upload.public_id, "parameters": {"dark_below": 1}},
            format="json",
        )
        assert answer.status_code == 201, answer.content
        while waiting := Job.objects.filter(state=Job.State.QUEUED).first():
            jobs.run(waiting.public_id)
        token = answer.json()["token"]
        found = APIClient().get(f"/api/tools/runs/{token}").json()
        assert found["result"]["sentence"] == "0 % of 24 frames are too dark."
        assert found["provenance"]["package"] == "amgs-brightness 1.2.0"
        assert set(found["files"]) == {"brightness.csv", "result.json"}
        page = Client().get(f"/tools/runs/{token}/").content.decode()
        assert "tool-charts" in page
    finally:
        listed_tools.cache_clear()
        sys.modules.pop("amgs_brightness", None)

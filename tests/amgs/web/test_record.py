"""The record page, its policy, and the offline shell: what it keeps and what it never keeps."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from amgs.web import offline


@pytest.fixture
def page() -> Client:
    """A browser without an account."""
    return Client()


def script_rule(answer) -> str:
    """Return what a page may run."""
    rules = dict(rule.split(" ", 1) for rule in answer["Content-Security-Policy"].split("; "))
    assert rules["worker-src"] == "'self'"
    assert rules["manifest-src"] == "'self'"
    return rules["script-src"]


def test_only_the_record_page_may_compile_webassembly(page, db):
    assert script_rule(page.get("/record/")) == "'self' 'wasm-unsafe-eval'"
    for address in ("/", "/score/", "/datasets/"):
        assert script_rule(page.get(address)) == "'self'", address


def test_without_a_model_the_record_page_says_so(page, db):
    html = page.get("/record/").content.decode()
    assert "No validated model is served yet" in html
    assert 'id="record"' not in html


def test_the_shell_has_every_file_that_its_pages_name(page, db):
    files = {f"/static/{name}" for name in offline.shell()[0]}
    for address in ("/record/", "/score/"):
        html = page.get(address).content.decode()
        named = set(re.findall(r'(?:src|href|data-\w+)="(/static/[^"]+)"', html))
        assert named
        assert named <= files, address


def test_the_service_worker_names_its_release_and_only_the_shell(page, db):
    answer = page.get("/service-worker.js")
    assert answer["Content-Type"] == "text/javascript"
    assert "no-cache" in answer["Cache-Control"]
    facts = json.loads(re.match(r"const SHELL = (.*);\n", answer.content.decode())[1])
    assert facts["pages"] == ["/record/", "/score/"]
    assert all(path.startswith("/static/") for path in facts["files"])
    assert facts["version"] == offline.shell()[1]


def test_another_release_has_another_shell(monkeypatch):
    before = offline.shell.__wrapped__()[1]
    monkeypatch.setattr(offline, "FOLDERS", offline.FOLDERS[:-1])
    assert offline.shell.__wrapped__()[1] != before


def test_the_manifest_names_icons_that_are_there():
    manifest = json.loads(Path(finders.find("amgs/images/app.webmanifest")).read_text())
    assert manifest["start_url"].startswith(manifest["scope"])
    for icon in manifest["icons"]:
        assert finders.find(f"amgs/images/{icon['src']}"), icon
    assert "maskable" in {icon["purpose"] for icon in manifest["icons"]}


def test_a_site_without_a_certificate_of_its_own_has_no_authority_to_trust(page, db):
    assert page.get("/authority.pem").status_code == 404

"""What every page shares: the policy in the header, refusals, browser libraries, the banner."""

from __future__ import annotations

import json

import pytest
from django.conf import settings as configured
from django.contrib.staticfiles import finders
from django.test import Client

from amgs.web import policy_headers, vendor


@pytest.fixture
def page() -> Client:
    """A browser without an account."""
    return Client()


def test_every_page_forbids_inline_script_and_style(page, db):
    for address in ("/", "/score/", "/datasets/", "/accounts/login/", "/nothing/"):
        answer = page.get(address)
        policy = answer["Content-Security-Policy"]
        assert "unsafe" not in policy, address
        assert "default-src 'none'" in policy
        html = answer.content.decode()
        assert "<style" not in html
        assert " style=" not in html
        assert "onclick=" not in html


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("file:///srv/objects", ""),
        ("s3+http://key:secret@127.0.0.1:9000/bucket", "http://127.0.0.1:9000"),
        (
            "s3+https://k:s@s3.internal/b?region=eu&public=https://data.example.org",
            "https://data.example.org",
        ),
    ],
)
def test_the_policy_lets_the_browser_reach_the_storage(settings, url, origin):
    settings.STORAGE_URL = url
    policy = dict(rule.split(" ", 1) for rule in policy_headers.page_policy().split("; "))
    assert policy["connect-src"] == f"'self' {origin}".strip()
    assert policy["img-src"].startswith(f"'self' {origin}".strip())
    assert policy["script-src"] == "'self'"


def test_a_stranger_is_sent_to_sign_in_before_a_refusal(page, db):
    answer = page.get("/training/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/?next=")


def test_a_refusal_is_a_page_with_its_status(petra):
    browser = Client()
    browser.force_login(petra)
    answer = browser.get("/review/")
    assert answer.status_code == 403
    assert "Only a curator" in answer.content.decode()
    assert "That is not yours to do" in answer.content.decode()


def test_a_refused_form_leads_back_to_its_own_page_only(petra):
    browser = Client()
    browser.force_login(petra)
    for came_from, shown in (("http://testserver/models/", True), ("https://evil.example/", False)):
        answer = browser.post("/training/runs/none/cancel", headers={"Referer": came_from})
        assert answer.status_code == 404
        assert (came_from in answer.content.decode()) is shown


def test_htmx_gets_the_refusal_as_a_fragment(petra):
    browser = Client()
    browser.force_login(petra)
    answer = browser.get("/review/", headers={"HX-Request": "true"})
    assert answer.status_code == 403
    assert "<html" not in answer.content.decode()
    assert "Only a curator" in answer.content.decode()


def test_what_does_not_exist_is_a_404(page, db):
    for address in ("/nothing/", "/datasets/AMGS-999999.1/", "/models/mouse-v9/", "/score/none/"):
        assert page.get(address).status_code == 404, address


def test_the_banner_is_on_every_page_while_phantoms_are_allowed(page, db, settings):
    for address in ("/", "/score/", "/models/", "/nothing/"):
        assert "phantom-banner" in page.get(address).content.decode()
    settings.ALLOW_PHANTOM = False
    assert "phantom-banner" not in page.get("/").content.decode()


def test_vendor_versions_are_those_of_the_lock_file():
    lock = json.loads((configured.ROOT / "package-lock.json").read_text())
    for package, listed in vendor.packages().items():
        assert lock["packages"][f"node_modules/{package}"]["version"] == listed["version"]


def test_only_listed_files_of_packages_are_published(settings, tmp_path):
    listed = {name: facts["files"] for name, facts in vendor.packages().items()}
    for package, files in listed.items():
        for name in (*files, "package.json"):
            (tmp_path / package / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / package / name).write_text("text")
    settings.NODE_MODULES = tmp_path
    finder = vendor.VendorFinder()
    version = vendor.packages()["uplot"]["version"]
    found = [path for path, _ in finder.list(None)]
    assert sorted(found) == sorted(name for files in listed.values() for name in files)
    assert finder.find(f"vendor/uplot/{version}/dist/uPlot.esm.js")
    assert not finder.find(f"vendor/uplot/{version}/package.json")
    assert not finder.find("vendor/uplot/0.0.1/dist/uPlot.esm.js")
    assert finder.check() == []
    settings.NODE_MODULES = tmp_path / "absent"
    assert [row.id for row in finder.check()] == ["amgs.W003"]


def test_static_files_of_the_pages_are_found():
    for name in ("css/base.css", "images/favicon.svg", "rating/rating.js"):
        assert finders.find(f"amgs/{name}")


def test_administration_shows_and_changes_nothing(person):
    from amgs.accounts.models import User

    admin = User.objects.create_superuser("root@example.org", "a long password")
    browser = Client()
    browser.force_login(admin)
    assert browser.get("/admin/").status_code == 200
    for noun in ("accounts/user", "core/job", "core/decision", "registry/modelversion"):
        assert browser.get(f"/admin/{noun}/").status_code == 200
        assert browser.get(f"/admin/{noun}/add/").status_code == 403
    shown = browser.get(f"/admin/accounts/user/{admin.pk}/change/")
    assert shown.status_code == 200
    assert admin.password not in shown.content.decode()
    assert browser.post(f"/admin/accounts/user/{admin.pk}/delete/").status_code == 403

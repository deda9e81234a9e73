"""``manage.py check --deploy`` asks the storage what a browser would ask it."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from amgs.files.checks import browsers_reach_the_storage, cors_rule

SITE = "https://amgs.example.org"


class _Willing(BaseHTTPRequestHandler):
    """An S3 server whose bucket has the rule."""

    def do_OPTIONS(self) -> None:
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", SITE)
        self.send_header("Access-Control-Allow-Methods", "GET, PUT")
        self.send_header("Access-Control-Allow-Headers", "Content-MD5, Content-Type")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Keep the test's output free of requests."""


@pytest.fixture(autouse=True)
def _site(settings):
    settings.SITE_URL = SITE


def test_addresses_of_the_sites_own_origin_need_no_rule(settings):
    assert browsers_reach_the_storage() == []  # local files
    settings.STORAGE_URL = f"s3+http://key:secret@127.0.0.1:9/amgs?public={SITE}"
    assert browsers_reach_the_storage() == []


def test_a_bucket_without_the_rule_is_told_which_one(settings, s3_url):
    settings.STORAGE_URL = s3_url
    (told,) = browsers_reach_the_storage()
    assert told.id == "amgs.W011"
    assert f'"{SITE}"' in told.hint
    assert cors_rule(SITE)["CORSRules"][0]["AllowedMethods"] == ["GET", "PUT"]


def test_a_bucket_with_the_rule_is_fine(settings):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Willing)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.STORAGE_URL = f"s3+http://key:secret@127.0.0.1:{server.server_port}/amgs"
    assert browsers_reach_the_storage() == []
    server.shutdown()
    server.server_close()


def test_a_storage_that_does_not_answer_is_said_to_be_so(settings):
    settings.STORAGE_URL = "s3+http://key:secret@127.0.0.1:9/amgs"
    (told,) = browsers_reach_the_storage()
    assert (told.id, "does not answer" in told.msg) == ("amgs.W010", True)

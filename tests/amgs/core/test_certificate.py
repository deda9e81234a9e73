"""The certificate of a site in a local network: kept, renewed, and served by the whole site."""

from __future__ import annotations

import datetime
import json
import signal
import socket
import ssl
import stat
import time
import urllib.request

import pytest

from amgs.core import certificate as subject


@pytest.fixture
def names(monkeypatch):
    """Let the machine have the names and addresses that are given."""

    def have(*others: str) -> None:
        monkeypatch.setattr(
            subject, "names_of_this_machine", lambda: ("127.0.0.1", "::1", "localhost", *others)
        )

    have("bench", "bench.local", "192.168.1.20")
    return have


def test_a_certificate_is_used_again(tmp_path, names):
    first = subject.certificate_of_this_machine(tmp_path / "https")
    again = subject.certificate_of_this_machine(tmp_path / "https")
    assert first == again
    assert {"192.168.1.20", "bench.local", "127.0.0.1"} <= set(first.names)
    assert first.outside()[0] == "192.168.1.20"
    for name in ("key.pem", "authority.key"):
        assert stat.S_IMODE((tmp_path / "https" / name).stat().st_mode) == 0o600


def test_another_network_makes_a_certificate_of_the_same_authority(tmp_path, names):
    first = subject.certificate_of_this_machine(tmp_path)
    trusted = first.authority.read_bytes()
    names("10.2.3.4")
    second = subject.certificate_of_this_machine(tmp_path)
    assert second.fingerprint != first.fingerprint
    assert {"10.2.3.4", "192.168.1.20"} <= set(second.names)
    assert second.authority.read_bytes() == trusted


def test_an_authority_signs_for_no_other_site(tmp_path, names):
    first = subject.certificate_of_this_machine(tmp_path)
    trusted = first.authority.read_bytes()
    names("elsewhere.example.org")
    second = subject.certificate_of_this_machine(tmp_path)
    assert second.authority.read_bytes() != trusted


def test_a_certificate_that_ends_soon_or_is_damaged_is_made_anew(tmp_path, names, monkeypatch):
    monkeypatch.setattr(subject, "VALID", datetime.timedelta(days=20))
    first = subject.certificate_of_this_machine(tmp_path)
    monkeypatch.setattr(subject, "VALID", datetime.timedelta(days=365))
    second = subject.certificate_of_this_machine(tmp_path)
    assert second.until > first.until
    (tmp_path / "key.pem").write_text("")
    assert subject.certificate_of_this_machine(tmp_path).fingerprint != second.fingerprint


@pytest.mark.timeout(300)
def test_serve_answers_over_tls(make_site):
    site = make_site("sqlite", "folders")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = site.start(site.manage_py, "serve", "--https", "--port", str(port))
    authority = site.var / "https" / "authority.pem"

    def get(path: str):
        trust = ssl.create_default_context(cafile=str(authority))
        return urllib.request.urlopen(f"https://localhost:{port}{path}", timeout=5, context=trust)

    def answers() -> bool:
        try:
            with get("/healthz") as answer:
                return answer.status == 200
        except OSError:
            return False

    try:
        deadline = time.monotonic() + 240
        while not answers():
            assert time.monotonic() < deadline, site.log()
        with get("/accounts/login/") as answer:
            assert answer.status == 200
            assert "Secure" in answer.headers["Set-Cookie"]
        with get("/authority.pem") as answer:
            assert answer.read() == authority.read_bytes()
        with get("/static/amgs/images/app.webmanifest") as answer:
            assert answer.headers["Content-Type"] == "application/manifest+json"
            assert json.load(answer)["start_url"] == "/record/"
    finally:
        serve.send_signal(signal.SIGTERM)
        serve.wait(40)
    assert "fingerprint" in site.log()

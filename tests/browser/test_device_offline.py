"""The page that scores on the device, without a network: opened anew, with the site gone."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.service("browser"), pytest.mark.django_db(transaction=True)]

PATIENCE = 120_000
PAGE = "/score/on-device/"
PHONE = {"width": 390, "height": 844}
SHELVES = """async () => {
  const found = {};
  for (const name of await caches.keys()) {
    if (!name.startsWith("amgs-device")) continue;
    const cache = await caches.open(name);
    found[name] = (await cache.keys()).map(({ url }) => new URL(url).pathname);
  }
  return found;
}"""


class Door:
    """A way to the site that can be shut: what asks through it then finds nobody."""

    def __init__(self, host: str, port: int) -> None:
        self.site = (host, port)
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://localhost:{self.listening.getsockname()[1]}"
        self.held: list[socket.socket] = []
        self.silent = False
        threading.Thread(target=self._let_in, daemon=True).start()

    def _let_in(self) -> None:
        while True:
            try:
                near, _ = self.listening.accept()
            except OSError:
                return
            far = socket.create_connection(self.site)
            self.held += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if not self.silent:
                    other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def shut(self) -> None:
        """Close the door and every connection that goes through it."""
        # A thread that waits in accept would else keep the port open.
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        for one in self.held:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@pytest.fixture
def door(live_server) -> Iterator[Door]:
    """Return a way to the site of this test."""
    made = Door(live_server.thread.host, live_server.thread.port)
    yield made
    if made.listening.fileno() >= 0:
        made.shut()


def ready(page: Any) -> None:
    """Wait until the page says that it works without a network."""
    page.get_by_text("Ready: this page works without a network now.").wait_for(timeout=PATIENCE)


def newer(version: Any, settings: Any) -> Any:
    """Let a version with another digest and the same graphs serve in place of this one."""
    from amgs.registry.bundles import bundle_folder
    from amgs.registry.models import ModelVersion

    digest = "f" * 64
    shutil.copytree(bundle_folder(version), Path(settings.VAR) / "cache" / "bundles" / digest)
    ModelVersion.objects.filter(pk=version.pk).update(digest=digest)
    return ModelVersion.objects.get(pk=version.pk)


def opened(open_page: Any, **options: Any) -> Any:
    page = open_page(**options)
    page.set_default_timeout(PATIENCE)
    page.goto(PAGE)
    return page


def test_opened_once_the_page_scores_the_same_with_the_site_gone(
    shipped, open_page, phantom_clip, score_here, door, picture
):
    film = phantom_clip(2)
    page = opened(open_page, base_url=door.address, viewport=PHONE)
    ready(page)
    picture(page, "device-offline-ready", whole=False)
    there = score_here(page, film)
    door.shut()
    page.reload()
    page.get_by_role("heading", name="Score on this device").wait_for()
    again = score_here(page, film)
    assert again["result"] == there["result"]
    assert again["predictions"] == there["predictions"]
    # Shut and opened anew, also known to be without a network.
    context = page.context
    page.close()
    context.set_offline(True)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(PAGE)
    page.get_by_text("There is no network. This page works from what is kept").wait_for()
    assert score_here(page, film)["result"] == there["result"]
    picture(page, "device-offline-away", whole=False)


def test_a_network_that_takes_and_gives_nothing_is_not_waited_for_long(
    shipped, open_page, phantom_clip, score_here, door
):
    page = opened(open_page, base_url=door.address)
    ready(page)
    door.silent = True
    begun = time.monotonic()
    page.reload()
    assert score_here(page, phantom_clip(2))["result"]["score"] is not None
    assert time.monotonic() - begun < 60


def test_what_a_person_sees_is_not_kept(shipped, open_page, story):
    page = opened(open_page, user=story.person("Zita Example"))
    ready(page)
    assert page.get_by_text("Zita Example").count()
    kept = page.evaluate(f"async () => (await caches.match('{PAGE}')).text()")
    assert "Zita" not in kept
    assert "Sign in" in kept


def test_another_model_takes_the_place_of_the_old_one(shipped, open_page, settings):
    page = opened(open_page)
    ready(page)
    (before,) = page.evaluate(SHELVES).items()
    assert shipped.digest in before[0]
    assert {"finder.onnx", "frame.onnx", "device.json"} <= {
        path.rsplit("/", 1)[1] for path in before[1]
    }
    assert any(path.endswith(".wasm") for path in before[1])
    other = newer(shipped, settings)
    # Until the new one is kept whole, the old one stays.
    last = re.compile(r"temporal\.onnx$")
    page.context.route(last, lambda route: route.abort())
    page.goto(PAGE)
    page.get_by_text("Not ready to work without a network").wait_for()
    assert before in page.evaluate(SHELVES).items()
    page.context.unroute(last)
    page.goto(PAGE)
    ready(page)
    (after,) = page.evaluate(SHELVES).items()
    assert other.digest in after[0]
    assert not [path for path in after[1] if shipped.digest in path]


def test_a_page_that_is_not_kept_whole_says_so(shipped, open_page):
    page = open_page()
    page.set_default_timeout(PATIENCE)
    page.context.route(re.compile(r"frame\.onnx$"), lambda route: route.abort())
    page.goto(PAGE)
    page.get_by_text("Not ready to work without a network").wait_for()
    page.context.unroute(re.compile(r"frame\.onnx$"))
    page.get_by_role("button", name="Keep it on this device").click()
    ready(page)


def test_the_site_names_all_that_the_page_loads(shipped, client):
    html = client.get(PAGE).content.decode()
    told = json.loads(re.search(r'id="device-kept"[^>]*>(.*?)</script>', html, re.S)[1])
    kept = {address for address, _ in told["files"]}
    named = set(re.findall(r'(?:src|href|data-\w+)="(/static/[^"]+)"', html))
    assert named <= kept
    static = Path(__file__).resolve().parents[2] / "platform/amgs/web/static"
    for script in static.glob("amgs/device/*.js"):
        for module in re.findall(r'from "(\.[^"]+)"', script.read_text()):
            path = (script.parent / module).resolve().relative_to(static)
            assert f"/static/{path}" in kept, f"{script.name} loads {module}"

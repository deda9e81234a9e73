"""Uploads that survive: bad networks, killed clients, another device; on files and on S3."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from amgs_client import Client
from amgs_client.folder import fetch

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]
MIB = 1024 * 1024
PART = 5 * MIB  # the least that S3 puts together
LANES = 3


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.service("s3"))])
def networks(request, settings, live_server, bad_network, worker) -> Callable[..., list]:
    """Put the site, and the storage where it is another server, behind bad networks."""

    def start(**facts) -> list:
        if request.param == "s3":
            url = request.getfixturevalue("s3_url")
            endpoint = request.getfixturevalue("s3_server").facts["endpoint"]
            storage = bad_network(endpoint, **facts)
            settings.STORAGE_URL = f"{url}&public={storage.url}"
            return [bad_network(live_server.url, **facts), storage]
        return [bad_network(live_server.url, **facts)]

    settings.UPLOAD_PART_BYTES = PART
    yield start
    if request.param == "s3":
        from amgs.files.storage import get_storage

        for key in list(get_storage().list("")):
            get_storage().delete(key)


@pytest.fixture
def version(alice, harbour):
    """An empty draft of Alice's lab."""
    from amgs.repository.services import create_dataset

    return create_dataset(by=alice, lab=harbour, title="Films", licence="CC0-1.0", metadata={})


@pytest.fixture
def amgs(alice, token_of, tmp_path):
    """Start the command line as Alice; each start is another device, which remembers nothing."""
    token, started = token_of(alice), []

    def start(url: str, *words: str) -> subprocess.Popen:
        home = tmp_path / f"device-{len(started)}"
        environment = os.environ | {
            "AMGS_TOKEN": token,
            "XDG_CONFIG_HOME": str(home),
            "PYTHONPATH": str(ROOT / "platform"),
        }
        command = [sys.executable, "-m", "amgs_client", "--site", url, "--patience", "3", *words]
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def film(folder: Path, name: str, size: int, seed: int) -> str:
    """Write bytes that are like no other's; return their SHA-256."""
    data = random.Random(seed).randbytes(size)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def held(name: str) -> int:
    """Return how many parts of a file the storage holds."""
    from amgs.files.models import Upload
    from amgs.files.queries import held_parts

    upload = Upload.objects.filter(name=name).first()
    return len(held_parts(upload)) if upload else 0


def test_a_folder_survives_a_bad_network_and_killed_clients(
    networks, amgs, version, tmp_path, until
):
    from amgs.files.services import open_blob
    from amgs.repository.models import Recording

    folder = tmp_path / "films"
    digests = {
        "a.mp4": film(folder, "a.mp4", 6 * PART + 123, 1),
        "day 2/b.mp4": film(folder, "day 2/b.mp4", 3 * PART, 2),
        "still.png": film(folder, "still.png", 4567, 3),
    }
    network = networks(share=0.15, seed=7, stall=6)
    words = ("upload", str(folder), "--dataset", version.identifier.partition("/")[0])
    told = []
    for wish in (1, 4):  # kill the client when so many parts have arrived
        device = amgs(network[0].url, *words, "--lanes", str(LANES))
        until(
            f"{wish} parts arrive",
            lambda wish=wish, device=device: held("a.mp4") >= wish or device.poll() is not None,
        )
        device.kill()
        told.append(device.communicate()[0])
    for _ in range(6):  # a person who tries again
        device = amgs(network[0].url, *words)
        told.append(device.communicate(timeout=120)[0])
        if device.returncode == 0:
            break
    assert device.returncode == 0, "\n".join(told)
    rows = {row.name: row.blob for row in Recording.objects.select_related("blob")}
    assert {name: blob.sha256 for name, blob in rows.items()} == digests
    for name, blob in rows.items():
        with open_blob(blob) as stream:
            assert stream.read() == (folder / name).read_bytes()
    met = {kind for one in network for kind, count in one.counts().items() if count}
    assert {"cut inside", "flip", "answer 500"} & met


def test_a_killed_client_costs_no_more_than_a_part_per_lane(
    networks, amgs, version, tmp_path, until
):
    folder = tmp_path / "films"
    size = 12 * PART
    film(folder, "a.mp4", size, 4)
    network = networks(share=0, hold=5 * PART, stall=60)
    words = ("upload", str(folder), "--dataset", version.identifier)
    device = amgs(network[0].url, *words, "--lanes", str(LANES))
    until("some parts arrive", lambda: held("a.mp4") >= 2)
    until("parts stand still", lambda: network[-1].counts().get("bytes put", 0) >= 5 * PART)
    device.kill()
    device.wait()
    for one in network:
        one.be_good()
    again = amgs(network[0].url, *words, "--lanes", str(LANES))
    told = again.communicate(timeout=120)[0]
    assert again.returncode == 0, told
    put = sum(one.counts().get("bytes put", 0) for one in network)
    assert size <= put <= size + LANES * PART


def test_what_was_sent_is_fetched_and_compared(networks, alice, token_of, version, tmp_path, amgs):
    folder = tmp_path / "films"
    film(folder, "a.mp4", PART + 1, 5)
    network = networks(share=0)
    name = version.identifier
    sent = amgs(network[0].url, "upload", str(folder), "--dataset", name)
    assert "1 sent and checked" in sent.communicate(timeout=60)[0]
    again = amgs(network[0].url, "upload", str(folder), "--dataset", name)
    assert "0 sent and checked, 1 there before" in again.communicate(timeout=60)[0]
    compared = amgs(network[0].url, "validate", str(folder), "--dataset", name)
    assert "is not recognised as a video" in compared.communicate(timeout=60)[0]
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.mp4.part").write_bytes((folder / "a.mp4").read_bytes()[:MIB])  # begun before
    with Client(network[0].url, token_of(alice)) as client:
        (outcome,) = fetch(client, version.public_id, out)
        assert (outcome.became, outcome.problem) == ("sent", "")
        assert (out / "a.mp4").read_bytes() == (folder / "a.mp4").read_bytes()
        (outcome,) = fetch(client, version.public_id, out)
        assert outcome.became == "held"
        assert client.unfinished_uploads() == []

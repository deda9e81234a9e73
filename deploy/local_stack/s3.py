"""A real S3 server: Ceph's gateway over one monitor and one storage daemon in memory.

What it stores is gone when it stops. It is the smallest S3 server that Debian ships which checks
signatures, dates and presigned addresses as a production server does.
"""

from __future__ import annotations

import secrets
import uuid
from pathlib import Path
from urllib.parse import quote

from deploy.local_stack.server import LOOPBACK, Server, call, find_program, free_port

PROGRAMS = (
    "radosgw",
    "radosgw-admin",
    "ceph-mon",
    "ceph-osd",
    "ceph",
    "ceph-authtool",
    "monmaptool",
)
REGION = "us-east-1"
BUCKET = "amgs"
ENTITIES = {
    "mon.": {"mon": "allow *"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *"},
    "client.rgw": {"mon": "allow *", "osd": "allow *"},
}
"""Who may do what inside this Ceph; the gateway does not start when authentication is off."""
MEMORY_BYTES = 4 * 2**30
"""What the store claims to hold; memory is taken only for what is stored."""


def start(folder: Path, *, bucket: str = BUCKET) -> Server:
    """Start the server with one user and one empty bucket.

    The address is ``s3+http://KEY:SECRET@127.0.0.1:PORT/BUCKET?region=us-east-1``; the facts
    hold ``endpoint`` (``http://127.0.0.1:PORT``), ``access_key``, ``secret_key``, ``bucket``
    and ``region``.
    """
    found = {name: find_program(name, package=_package(name)) for name in PROGRAMS}
    port, monitor_port, monitor_port_v1 = free_port(), free_port(), free_port()
    key, secret = secrets.token_hex(10).upper(), secrets.token_hex(20)
    url = f"s3+http://{quote(key)}:{quote(secret)}@{LOOPBACK}:{port}/{bucket}?region={REGION}"
    server = Server("s3", url, folder)
    configuration = server.folder / "ceph.conf"
    fsid = str(uuid.uuid4())
    monitor = f"[v2:{LOOPBACK}:{monitor_port}/0,v1:{LOOPBACK}:{monitor_port_v1}/0]"
    for name in ("mon", "osd", "run"):
        (server.folder / name).mkdir(exist_ok=True)
    configuration.write_text(_configuration(server.folder, fsid, monitor, port), encoding="utf-8")
    use = ("--conf", configuration)
    map_file = server.folder / "monmap"
    call(
        [
            *(found["monmaptool"], "--create", "--clobber", "--fsid", fsid),
            *("--addv", "a", monitor, map_file),
        ]
    )
    keyring = server.folder / "keyring"
    keyring.touch(mode=0o600)
    for name, may in ENTITIES.items():
        caps = [word for kind, cap in may.items() for word in ("--cap", kind, cap)]
        call([found["ceph-authtool"], keyring, "--gen-key", "-n", name, *caps])
    call(
        [
            *(found["ceph-mon"], *use, "--mkfs", "-i", "a"),
            *("--monmap", map_file, "--keyring", keyring),
        ]
    )
    server.spawn([found["ceph-mon"], *use, "-f", "-i", "a"])
    daemon = str(uuid.uuid4())  # the monitor lets only the daemon that it has this name of boot
    number = call([found["ceph"], *use, "osd", "new", daemon]).strip()
    call([found["ceph-osd"], *use, "-i", number, "--mkfs", "--osd-uuid", daemon])
    server.spawn([found["ceph-osd"], *use, "-f", "-i", number])
    server.spawn([found["radosgw"], *use, "-f", "-n", "client.rgw"])
    call(
        [
            *(found["radosgw-admin"], *use, "-n", "client.rgw", "user", "create"),
            *("--uid=amgs", "--display-name=aMGS", f"--access-key={key}", f"--secret={secret}"),
        ]
    )
    server.facts |= {
        "endpoint": f"http://{LOOPBACK}:{port}",
        "access_key": key,
        "secret_key": secret,
        "bucket": bucket,
        "region": REGION,
    }

    def answers() -> bool:
        client = connect(server)
        if not client.bucket_exists(bucket):
            client.make_bucket(bucket)
        return True

    server.wait_until(answers, seconds=60)
    return server


def connect(server: Server, *, secret: str | None = None):
    """A client of the started server; ``secret`` replaces the right one (to see it refused)."""
    import urllib3
    from minio import Minio

    facts = server.facts
    return Minio(
        facts["endpoint"].removeprefix("http://"),
        access_key=facts["access_key"],
        secret_key=secret or facts["secret_key"],
        region=facts["region"],
        secure=False,
        http_client=urllib3.PoolManager(timeout=5, retries=False),
    )


def _package(program: str) -> str:
    return program if program in ("ceph-mon", "ceph-osd") else "radosgw"


def _configuration(folder: Path, fsid: str, monitor: str, port: int) -> str:
    return f"""[global]
fsid = {fsid}
mon host = {monitor}
public addr = {LOOPBACK}
cluster addr = {LOOPBACK}
ms bind ipv6 = false
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
run dir = {folder}/run
admin socket = {folder}/run/$name.$pid.asok
pid file =
log to file = false
log to stderr = true
err to stderr = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon max pg per osd = 1000
mon cluster log to file = false
[mon]
mon data = {folder}/mon
mon data avail crit = 1
mon data avail warn = 1
mon osd initial require min compat client = luminous
paxos propose interval = 0.05
[osd]
osd data = {folder}/osd
osd journal = {folder}/osd/journal
osd objectstore = memstore
memstore device bytes = {MEMORY_BYTES}
osd class update on start = false
osd crush update on start = true
osd memory target = 939524096
[client.rgw]
rgw frontends = beast endpoint={LOOPBACK}:{port}
rgw data = {folder}
rgw enable ops log = false
rgw enable usage log = false
rgw enable gc threads = false
rgw enable lc threads = false
rgw enable quota threads = false
rgw run sync thread = false
rgw thread pool size = 32
rgw dns name = {LOOPBACK}
"""

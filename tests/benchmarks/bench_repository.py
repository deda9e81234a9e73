"""What an upload costs beside the least it could, and pages and exports beside bare ones."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
GIB = 1 << 30
PAIRS = 5
LANES = 4
PART = 8 * 1024 * 1024
HALF = GIB // 2 + PART // 2 + 12345  # in the middle of parts
REQUESTS = 300
LOAD_S = 5.0
S3_BYTES = GIB // 4
"""The S3 server of the tests keeps what it stores in memory, three times while it is checked."""


def upload_ratio() -> Iterator[dict[str, Any]]:
    """Upload of 1 GiB to a verified blob, beside SHA-256 + copy with fsync + SHA-256 of it."""
    sites = _load()
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        with sites.serve(_new(Path(folder), "files")) as site:
            value = _ratio(sites, site, Path(folder), GIB)
        yield {"name": "repository.upload_ratio", "value": value, "unit": "", "target": "≤ 2"}


def upload_ratio_s3() -> Iterator[dict[str, Any]]:
    """The same for 256 MiB on the S3 server of the tests; reported, not judged."""
    sys.path.insert(0, str(HERE.parents[1]))
    from deploy.local_stack import s3

    sites = _load()
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        server = s3.start(_new(Path(folder), "s3"))
        try:
            with sites.serve(_new(Path(folder), "site"), server.url) as site:
                value = _ratio(sites, site, Path(folder), S3_BYTES)
        finally:
            server.stop(gracefully=False)
        yield {"name": "repository.upload_ratio_s3", "value": value, "unit": "", "target": "≥ 0"}


def resent_after_kill() -> Iterator[dict[str, Any]]:
    """Parts per lane that are sent again after SIGKILL of a client half through 1 GiB."""
    sites = _load()
    with tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder:
        film = Path(folder) / "film.mp4"
        sites.write_film(film, GIB)
        with (
            sites.serve(_new(Path(folder), "files")) as site,
            sites.bad_network(site.url, share=0, hold=HALF, stall=600) as network,
        ):
            client = site.send(network, film)
            while _counts(network).get("bytes put", 0) < HALF:
                time.sleep(0.05)
            client.kill()
            client.communicate()
            urllib.request.urlopen(  # noqa: S310 - our own proxy
                urllib.request.Request(f"{network}/.proxy?share=0", method="PUT")  # noqa: S310
            ).close()
            again = site.send(network, film)
            told, problem = again.communicate()
            if again.returncode:
                raise RuntimeError(problem[-2000:])
            if told.strip() != _sha256(film):
                raise RuntimeError("what was stored is not what was sent")
            resent = _counts(network)["bytes put"] - GIB
    value = resent / PART / LANES
    yield {
        "name": "repository.resent_parts_per_lane",
        "value": value,
        "unit": "parts",
        "target": "≤ 1",
    }


def pages_and_export() -> Iterator[dict[str, Any]]:
    """Pages of a million frames, and a million of five million ratings as Parquet, on PostgreSQL.

    A page is compared with a bare view of the same server that sends the same statements with a
    cursor, and with one that answers a constant. ``BENCH_SCALE=0.01`` tries it with less.
    """
    import pyarrow.parquet as pq

    sys.path.insert(0, str(HERE.parents[1]))
    big = _load("big_site")
    scale = float(os.environ.get("BENCH_SCALE", "1"))
    frames, ratings, exported = (int(scale * count) for count in (1e6, 5e6, 1e6))
    with (
        tempfile.TemporaryDirectory(prefix="amgs-bench-") as folder,
        big.serve(Path(folder), frames, ratings, exported) as site,
    ):
        bare = f"/bare/same-sql?page={urllib.parse.quote(big.PAGE, safe='')}"
        last = big.last_page(site)
        site.many([big.PAGE, bare, last], 20)  # warms up
        took = site.many([big.PAGE, bare, last], REQUESTS)
        for name, share in (("p50", 0.5), ("p95", 0.95)):
            ratio = big.quantile(took[big.PAGE], share) / big.quantile(took[bare], share)
            yield _row(f"page_{name}_to_bare", ratio, "≤ 3")
        first, deep = (statistics.median(took[where]) for where in (big.PAGE, last))
        yield _row("last_page_to_first", deep / first, "≤ 1.2")
        rates = [
            site.rate(where, LOAD_S) for _ in range(3) for where in ("/bare/constant", big.PAGE)
        ]
        ratio = statistics.median(rates[1::2]) / statistics.median(rates[::2])
        yield _row("page_rate_to_constant", ratio, "≥ 0.15")
        yield _row("page_rate", statistics.median(rates[1::2]), None, "1/s")
        target = Path(folder) / "ratings.parquet"
        seconds, growth = site.download(big.EXPORT, target)
        rows = pq.ParquetFile(target).metadata.num_rows
        if rows != exported:
            raise RuntimeError(f"{rows} of {exported} ratings were exported")
        yield _row("export_ratings", seconds, "≤ 60", "s")
        yield _row("export_memory", growth, "≤ 150", "MiB")


def _row(name: str, value: float, target: str | None, unit: str = "") -> dict[str, Any]:
    return {"name": f"repository.{name}", "value": value, "unit": unit, "target": target}


def _ratio(sites: ModuleType, site: Any, folder: Path, size: int) -> float:
    """Median over alternating pairs; every film is new and a byte longer than the last."""
    from amgs_client import Client

    ratios = []
    with Client(site.url, site.token) as client:
        for number in range(PAIRS + 1):
            film = folder / f"film-{number}.mp4"
            sites.write_film(film, size + number)
            least = _seconds_of_the_least(film)
            begun = time.monotonic()
            upload = client.upload(film, "recording", wait=True)
            ratio = (time.monotonic() - begun) / least
            if upload["sha256"] != _sha256(film):
                raise RuntimeError("what was stored is not what was sent")
            film.unlink()
            if number:  # the first pair warms up
                ratios.append(ratio)
    return statistics.median(ratios)


def _seconds_of_the_least(film: Path) -> float:
    copy = film.with_suffix(".copy")
    begun = time.monotonic()
    _sha256(film)
    with film.open("rb") as source, copy.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    _sha256(copy)
    seconds = time.monotonic() - begun
    copy.unlink()
    return seconds


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _counts(network: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{network}/.proxy") as answer:  # noqa: S310 - our own proxy
        counts: dict[str, int] = json.load(answer)
    return counts


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _load(name: str = "upload_site") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module

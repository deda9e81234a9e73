"""A hundred uploads of 1 GiB through a bad network, by clients that are killed at random."""

from __future__ import annotations

import filecmp
import importlib.util
import random
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
UPLOADS = 100
GIB = 1 << 30
KILLS = 2
TRIES = 20


def uploads(state: Any) -> Iterator[dict[str, Any]]:
    """Count the uploads that are byte-identical in the end; each client begins from nothing."""
    sites = _load()
    done: list[dict[str, Any]] = state.get("uploads", [])
    with tempfile.TemporaryDirectory(prefix="amgs-endurance-") as name:
        folder = Path(name)
        (folder / "site").mkdir()
        with (
            sites.serve(folder / "site") as site,
            sites.bad_network(site.url, share=0.03, stall=8, seed=len(done)) as network,
        ):
            while len(done) < UPLOADS:
                film = folder / f"film-{len(done)}.mp4"
                sites.write_film(film, GIB + len(done))
                done = [*done, _one(site, network, film, random.Random(len(done)))]
                state["uploads"] = done
                film.unlink()
    identical = sum(one["identical"] for one in done)
    yield {
        "name": "repository.uploads_identical",
        "value": identical,
        "unit": "of 100",
        "target": "= 100",
    }
    yield {
        "name": "repository.uploads_clients_killed",
        "value": sum(one["killed"] for one in done),
        "unit": "clients",
        "target": "≥ 1",
    }


def _one(site: Any, network: str, film: Path, chance: random.Random) -> dict[str, Any]:
    killed = 0
    for _ in range(TRIES):
        client = site.send(network, film, patience=5.0)
        try:
            # A client that is to be killed gets some seconds, any other its time.
            wait = chance.uniform(1, 10) if killed < KILLS else 900
            told, _problem = client.communicate(timeout=wait)
        except subprocess.TimeoutExpired:
            client.kill()
            client.communicate()
            killed += 1
            continue
        if client.returncode == 0:
            blob = site.objects / "blobs" / told[:2] / told.strip()
            same = filecmp.cmp(film, blob, shallow=False)
            blob.unlink()  # the next needs the room
            return {"identical": same, "killed": killed}
    return {"identical": False, "killed": killed}


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("upload_site", HERE / "upload_site.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

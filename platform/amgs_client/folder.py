"""A folder of recordings and score sheets: look at it, send it, compare it, fetch it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from amgs_client.client import Client, Json
from amgs_client.errors import SiteError
from amgs_client.uploading import LANES, resume, send_file, sha256_of

VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".mts", ".m4v", ".mpg", ".mpeg", ".wmv", ".webm"}
STILLS = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}
FILES_AT_ONCE = 2
FileTold = Callable[[str, int, int], None]
"""``(name, sent, size)`` in bytes."""


@dataclass(frozen=True)
class Outcome:
    """What became of one file: ``sent``, ``held`` (it was there already) or a ``problem``."""

    name: str
    became: str
    problem: str = ""


def plan_of(folder: Path) -> Json:
    """Return what ``dataset.json`` says, or a plan of every video and still in the folder."""
    path = folder / "dataset.json"
    if path.exists():
        try:
            plan: Json = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SiteError(f"'{path}' cannot be read as JSON: {error}.") from error
        return plan
    found = sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*")
        if file.is_file()
        and file.suffix.lower() in VIDEOS | STILLS
        and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
    return {"recordings": [{"file": name} for name in found]}


def look_at(folder: Path) -> list[str]:
    """Return a sentence for everything that would stop a folder from being sent."""
    if not folder.is_dir():
        return [f"'{folder}' is no folder."]
    plan, problems = plan_of(folder), []
    rows = plan.get("recordings", [])
    if not rows:
        problems.append(f"There are no videos or stills in '{folder}'.")
    observations = {(row["animal"], row["name"]) for row in plan.get("observations", [])}
    seen: set[str] = set()
    for row in rows:
        name = row["file"]
        file = folder / name
        if name in seen:
            problems.append(f"'{name}' is listed twice.")
        seen.add(name)
        if not file.is_file():
            problems.append(f"'{name}' is listed in dataset.json, but there is no such file.")
        elif file.stat().st_size == 0:
            problems.append(f"'{name}' is empty (0 bytes).")
        where = (row.get("animal"), row.get("observation"))
        if any(where) and where not in observations and "observations" in plan:
            problems.append(
                f"'{name}' belongs to '{where[1]}' of '{where[0]}', which the design lacks."
            )
    return problems


def compare(client: Client, version: str, folder: Path) -> list[str]:
    """Return a sentence for every file of a folder that the version does not hold as it is."""
    held = {row["name"]: row for row in client.recordings(version)}
    problems = []
    for row in plan_of(folder)["recordings"]:
        name = row["file"]
        if name not in held:
            problems.append(f"'{name}' is not in this version.")
        elif held[name]["sha256"] is None:
            problems.append(f"'{name}' has not arrived yet.")
        elif held[name]["sha256"] != sha256_of(folder / name):
            problems.append(f"'{name}' is stored with other bytes than this folder's.")
        elif held[name]["problem"]:
            problems.append(held[name]["problem"])
    return problems


def find_draft(client: Client, name: str) -> Json:
    """Return the version called ``AMGS-000123/2``, or the newest one of ``AMGS-000123``."""
    if "/" in name or "." in name:
        return client.version(name.replace("/", "."))
    rows = [row for row in client.datasets() if row["dataset"]["identifier"] == name]
    if not rows:
        return client.version(name)
    return next((row for row in rows if row["state"] == "draft"), rows[0])


def send_folder(
    client: Client,
    version: Json,
    folder: Path,
    *,
    told: FileTold | None = None,
    lanes: int = LANES,
    files_at_once: int = FILES_AT_ONCE,
) -> Iterator[Outcome]:
    """Send what a draft does not hold of a folder; yield what became of each file, in order.

    Sending the same folder again goes on where it stopped. Every file has been stored and
    checked when its outcome is yielded; one that fails does not stop the others.
    """
    plan = plan_of(folder)
    held = {row["name"]: row for row in client.recordings(version["id"])}
    sheets = {row["name"] for row in client.labels(version["id"]) if row["status"] != "undone"}

    def recording(row: Json) -> Outcome:
        return _attempt(
            row["file"], lambda: _recording(client, version, folder, row, held, say, lanes)
        )

    def sheet(path: Path) -> Outcome:
        return _attempt(path.name, partial(_sheet, client, version, path, plan, sheets, say))

    def say(name: str) -> Callable[[int, int], None]:
        return lambda sent, size: told(name, sent, size) if told else None

    with ThreadPoolExecutor(files_at_once) as pool:
        yield from pool.map(recording, plan["recordings"])
    for path in sorted(folder.glob("scores*.csv")):
        yield sheet(path)


def _attempt(name: str, act: Callable[[], bool]) -> Outcome:
    try:
        return Outcome(name, "sent" if act() else "held")
    except (SiteError, OSError) as problem:
        return Outcome(name, "problem", str(problem))


def _recording(
    client: Client,
    version: Json,
    folder: Path,
    row: Json,
    held: dict[str, Json],
    say: Callable[[str], Callable[[int, int], None]],
    lanes: int,
) -> bool:
    """Send a recording and add it; false where the version holds it already."""
    name, path = row["file"], folder / row["file"]
    there = held.get(name)
    if there is not None and there["sha256"] is not None:
        if there["sha256"] != sha256_of(path):
            raise SiteError(
                f"'{name}' is there already with other bytes; remove it from the draft first, or "
                "give the file another name."
            )
        return False
    if there is not None and there["upload"] is not None:
        upload = client.http.ask("GET", f"uploads/{there['upload']}")
        resume(client.http, upload, path, told=say(name), lanes=lanes, wait=True)
        return True
    upload = send_file(
        client.http,
        path,
        purpose="recording",
        target=version["id"],
        lab=version["lab"]["id"],
        name=name,
        told=say(name),
        lanes=lanes,
        wait=True,
    )
    client.attach_recording(version["id"], upload, name, row.get("animal"), row.get("observation"))
    return True


def _sheet(
    client: Client,
    version: Json,
    path: Path,
    plan: Json,
    held: set[str],
    say: Callable[[str], Callable[[int, int], None]],
) -> bool:
    if path.name in held:
        return False
    upload = send_file(
        client.http,
        path,
        purpose="labels",
        target=version["id"],
        lab=version["lab"]["id"],
        told=say(path.name),
        wait=True,
    )
    client.attach_labels(version["id"], upload, path.name, plan.get("declared", {}))
    return True


def make_draft(client: Client, lab: str, plan: Json) -> Json:
    """Make a dataset as a plan describes it, without its files; return its version."""
    if "title" not in plan:
        raise SiteError(
            "There is no dataset.json with a title in this folder. Write one, or make the dataset "
            "on the site and name it with --dataset."
        )
    fields = ("title", "description", "licence", "ethics", "funder", "metadata", "contributors")
    fields += ("phantom",)
    version = client.create_dataset(
        {"lab": lab} | {key: plan[key] for key in fields if key in plan}
    )
    client.set_design(
        version["id"],
        groups=plan.get("groups", []),
        animals=plan.get("animals", []),
        observations=plan.get("observations", []),
    )
    if "permissions" in plan:
        # Signing nothing is an answer too: no use is allowed.
        allowed = [kind for kind, given in plan["permissions"].items() if given]
        client.sign_permissions(
            version["id"],
            allowed,
            plan.get("signer", "the lab's head"),
            right_to_share=bool(plan.get("right_to_share", False)),
        )
    return version


def contribute_folder(
    client: Client,
    folder: Path,
    lab: str,
    *,
    told: Callable[[int, int], None] | None = None,
    files: Iterable[str] | None = None,
) -> Json:
    """Contribute a folder with ``dataset.json`` (and ``scores*.csv``) as a new dataset.

    Returns the version, not yet submitted; its files may still be in the check. ``told(done,
    all)`` counts files; ``files`` limits which recordings are sent.
    """
    plan = plan_of(folder)
    wanted = set(files) if files is not None else None
    recordings = [row for row in plan["recordings"] if wanted is None or row["file"] in wanted]
    version = make_draft(client, lab, plan)
    sheets = sorted(folder.glob("scores*.csv"))
    total = len(recordings) + len(sheets)
    for done, row in enumerate(recordings):
        if told:
            told(done, total)
        client.add_recording(
            version["id"],
            folder / row["file"],
            row["file"],
            row.get("animal"),
            row.get("observation"),
        )
    for done, sheet in enumerate(sheets, start=len(recordings)):
        if told:
            told(done, total)
        client.add_labels(version["id"], sheet, plan.get("declared", {}))
    if told:
        told(total, total)
    return client.version(version["id"])


def fetch(
    client: Client, version: str, folder: Path, told: FileTold | None = None
) -> Iterator[Outcome]:
    """Fetch the recordings of a version into a folder; yield what became of each.

    A file that was begun is taken up again, and each is compared with its SHA-256.
    """
    for row in client.recordings(version):
        yield _attempt(row["name"], partial(_fetch, client, version, row, folder, told))


def _fetch(client: Client, version: str, row: Json, folder: Path, told: FileTold | None) -> bool:
    name, digest = row["name"], row["sha256"]
    if digest is None:
        raise SiteError(f"'{name}' has not been stored.")
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise SiteError(f"'{name}' would be written outside of '{folder}'.")
    if path.exists() and sha256_of(path) == digest:
        return False
    found = client.recording_file(version, row["id"])
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    with draft.open("ab") as file:
        came = file.tell()

        def say(count: int) -> None:
            nonlocal came
            came += count
            if told:
                told(name, came, found["size"])

        client.http.download(found["url"], file, say)
    if sha256_of(draft) != digest:
        draft.unlink()
        raise SiteError(f"'{name}' came damaged; fetch it again.")
    draft.replace(path)
    return True


def fetch_all(
    client: Client, version: str, folder: Path, told: FileTold | None = None
) -> Iterator[Outcome]:
    """Fetch a version as its zip has it, file by file, so that it can be interrupted.

    The recordings lie in ``recordings/``; ``manifest.json``, written at the end, names every file
    with its SHA-256, the licence and the citation. Yields what became of each file.
    """
    about = client.manifest(version)
    beside: list[Json] = []

    def keep(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        beside.append({"path": name, "size": len(data), "sha256": digest})

    def ratings(name: str) -> bool:
        digest = client.save_export(version, name, folder / name)
        size = (folder / name).stat().st_size
        beside.append({"path": name, "size": size, "sha256": digest})
        return True

    folder.mkdir(parents=True, exist_ok=True)
    yield from fetch(client, version, folder / "recordings", told)
    for name in ("ratings.csv", "ratings.parquet"):
        yield _attempt(name, partial(ratings, name))
    cite = client.citation(version)
    keep("CITATION.bib", cite["bibtex"].encode())
    keep("CITATION.ris", cite["ris"].encode())
    about["files"] += beside
    text = json.dumps(about, indent=1, ensure_ascii=False)
    (folder / "manifest.json").write_text(text, encoding="utf-8")
    yield Outcome("manifest.json", "sent")


def unfinished_line(row: dict[str, Any]) -> str:
    """Return one line about an unfinished upload."""
    share = 100 * (row["held_bytes"] or 0) / max(1, row["size"])
    state = "being checked" if row["state"] == "checking" else f"{share:3.0f} % has arrived"
    return f"{row['id']}  {state:<20}  {row['name']}"

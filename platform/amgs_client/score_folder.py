"""Score many recordings into a folder, and go on there after whatever broke it off.

Each recording has a folder of its own with ``result.json``, ``predictions.parquet`` and
``frames.csv``; ``summary.csv`` has a row for each. What is under way is kept beside them in
``.amgs.json``, so that neither a file is sent nor a score asked for twice.
"""

from __future__ import annotations

import csv
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amgs_client.client import Client, Json
from amgs_client.errors import Gone, NotReached, SiteError
from amgs_client.folder import STILLS, VIDEOS
from amgs_client.scores import Region, Score
from amgs_client.uploading import LANES, begin, resume, sha256_of

FILES = ("predictions.parquet", "frames.csv", "result.json")
"""What is fetched; ``result.json`` comes last, so that where it lies everything does."""
STATE, SUMMARY = ".amgs.json", "summary.csv"
AT_ONCE = 3
WATCHED = 4
"""Scores that are asked about in one round: the site works from the oldest on."""
PAUSE_S, PAUSE_PUBLIC_S, LONGEST_PAUSE_S = 0.4, 1.5, 3.0
"""Pauses between the rounds, which grow while nothing happens: people without an account may ask
less often (``API_RATE_PUBLIC``)."""
MOST_MISSED = 10
"""Rounds in which the files of a score may be out of reach."""
SILENCE_S = 300.0
"""How long a site that is watched may be away before it is given up."""
COLUMNS = (
    "recording",
    "state",
    "score",
    "interval_low",
    "interval_high",
    "coverage",
    "outcome",
    "frames",
    "graded",
    "model",
    "phantom",
    "not_independent",
    "region",
    "sentence",
    "token",
    "file_sha256",
    "scored_at",
)


@dataclass(frozen=True)
class Recording:
    """A file to be scored: what it is called, and the part of its picture that is meant."""

    file: str
    path: Path
    region: Region | None = None

    @property
    def name(self) -> str:
        """Its name in tables and as a folder: each animal of a picture has its own."""
        return f"{self.file} ({self.region[0]})" if self.region else self.file


@dataclass(frozen=True)
class Outcome:
    """What became of a recording.

    ``became``: ``scored`` (also where too little could be graded), ``held`` (it was scored
    before), ``asked`` (not waited for), ``failed`` (by the site), ``not_sent``, ``not_over``.
    """

    recording: Recording
    became: str
    score: Score | None = None
    problem: str = ""


@dataclass(frozen=True)
class Wish:
    """How all of them are to be scored. ``serving`` is the version that serves now."""

    out: Path
    model: str = ""
    serving: str = ""
    notify: bool = False
    lanes: int = LANES


Sent = Callable[[str, int, int], None]
Told = Callable[[str, Score], None]


def find(words: Iterable[str], regions: Sequence[Region], out: Path) -> list[Recording]:
    """Return the recordings that files, folders and patterns name; raises ``SiteError``.

    A folder stands for every video and picture in it. Names must differ, since each has a folder
    in ``out``; ``out`` itself is left out.
    """
    found: dict[str, Path] = {}
    for word in words:
        for name, path in _named(Path(word), word, out.resolve()):
            other = found.setdefault(name, path)
            if other.resolve() != path.resolve():
                raise SiteError(
                    f"'{name}' is named twice ('{other}' and '{path}'), and each recording has one "
                    "folder of results; score them into two folders with --out."
                )
    if not found:
        raise SiteError("There is no video or picture among what you named.")
    return [
        Recording(name, path, (region[0], tuple(region[1])) if region else None)
        for name, path in found.items()
        for region in regions or [None]
    ]


def _named(path: Path, word: str, out: Path) -> Iterator[tuple[str, Path]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            inner = file.relative_to(path)
            hidden = any(part.startswith(".") for part in inner.parts)
            media = file.suffix.lower() in VIDEOS | STILLS
            if media and not hidden and file.is_file() and out not in file.resolve().parents:
                yield inner.as_posix(), file
    elif path.exists():
        yield path.name, path
    else:  # a shell that expands no patterns hands them on
        pattern = path.relative_to(path.anchor).as_posix()
        matches = sorted(Path(path.anchor).glob(pattern)) if set("*?[") & set(word) else []
        if not matches:
            raise SiteError(f"There is no file '{word}'.")
        yield from ((match.name, match) for match in matches if match.is_file())


def score_all(
    client: Client,
    recordings: Sequence[Recording],
    wish: Wish,
    *,
    wait: bool = True,
    timeout: float = 0.0,
    at_once: int = AT_ONCE,
    sent: Sent = lambda name, count, size: None,
    told: Told = lambda name, score: None,
) -> Iterator[Outcome]:
    """Send, wait for and fetch recordings; yield what became of each, as it is over.

    Call it again after it was broken off, however that was: only what is missing is done.
    ``timeout`` in seconds is for all of them, 0 is none.
    """
    return _Scoring(client, wish, sent, told).run(recordings, wait, timeout, at_once)


class _Stopped(SiteError):
    """Whoever called does not want to go on."""


class _Scoring:
    """One call of ``score_all``: some files on their way, some scores being waited for."""

    def __init__(self, client: Client, wish: Wish, sent: Sent, told: Told) -> None:
        self.client, self.wish, self.sent, self.told = client, wish, sent, told
        self._stop = threading.Event()
        # The animals of one picture share its upload.
        self._lock = threading.Lock()
        self._locks: dict[Path, threading.Lock] = {}
        self._uploads: dict[Path, Json] = {}
        self._missed: Counter[str] = Counter()

    def run(
        self, recordings: Sequence[Recording], wait: bool, timeout: float, at_once: int
    ) -> Iterator[Outcome]:
        end = time.monotonic() + timeout if timeout else float("inf")
        waiting: dict[Recording, Score] = {}
        pool = ThreadPoolExecutor(max(1, at_once))
        try:
            sending = {pool.submit(self._ask, one): one for one in recordings}
            first = PAUSE_S if self.client.http.signed_in else PAUSE_PUBLIC_S
            pause = first
            while sending or waiting:
                before = len(sending) + len(waiting)
                for future in self._done(sending, pause):
                    outcome = self._asked(future, sending.pop(future))
                    if outcome.became == "asked" and wait:
                        waiting[outcome.recording] = outcome.score  # type: ignore[assignment]
                    else:
                        yield outcome
                for outcome in self._over(waiting):
                    del waiting[outcome.recording]
                    yield outcome
                if time.monotonic() > end:
                    break
                moved = len(sending) + len(waiting) < before
                pause = first if moved else min(LONGEST_PAUSE_S, 1.3 * pause)
            for recording, score in waiting.items():
                problem = f"It was not over after {timeout:.0f} s; run the same command again."
                yield Outcome(recording, "not_over", score, problem)
            for recording in sending.values():
                yield Outcome(recording, "not_over", None, "There was no time to send it.")
        finally:
            self._stop.set()
            pool.shutdown(wait=True, cancel_futures=True)

    @staticmethod
    def _done(sending: dict[Future[Outcome], Recording], pause: float) -> set[Future[Outcome]]:
        if not sending:
            time.sleep(pause)
            return set()
        return wait_for(list(sending), timeout=pause, return_when=FIRST_COMPLETED).done

    def _asked(self, future: Future[Outcome], recording: Recording) -> Outcome:
        try:
            return future.result()
        except (SiteError, OSError) as problem:
            return Outcome(recording, "not_sent", None, str(problem))

    # Sending ------------------------------------------------------------------------------

    def _ask(self, recording: Recording) -> Outcome:
        """Return the outcome of a recording that was scored before, else ask for its score."""
        if recording.path.stat().st_size == 0:
            raise SiteError("The file is empty (0 bytes).")
        place = _Place(self.wish.out / recording.name, recording, self.wish, self.client.http.site)
        known = place.result()
        if known is not None:
            return Outcome(recording, "held", known)
        if token := place.state.get("token"):
            try:
                score = self.client.get_score(token)
            except Gone:
                score = None
            if score is not None and not (score.is_over and score.state != "done"):
                return Outcome(recording, "asked", score)
        with self._lock:
            lock = self._locks.setdefault(recording.path, threading.Lock())
        with lock:
            upload = self._uploads.get(recording.path) or self._upload(recording, place)
            self._uploads[recording.path] = upload
        score = self.client.ask_once(
            upload,
            place.sha256,
            model_now=self.wish.model or self.wish.serving,
            region=recording.region,
            name=recording.file,
            model=self.wish.model,
            notify=self.wish.notify,
        )
        place.keep(token=score.token)
        return Outcome(recording, "asked", score)

    def _upload(self, recording: Recording, place: _Place) -> Json:
        """Return the finished upload of a recording: the one begun before, or a new one."""
        http, upload = self.client.http, None

        def told(count: int, size: int) -> None:
            if self._stop.is_set():
                raise _Stopped("It was stopped; run the same command again to go on.")
            self.sent(recording.name, count, size)

        if known := place.state.get("upload"):
            try:
                upload = http.ask("GET", f"uploads/{known}")
            except Gone:
                upload = None
            if upload is not None and upload["state"] in {"refused", "discarded"}:
                upload = None
        if upload is None:
            body = {
                "name": recording.path.name,
                "size": recording.path.stat().st_size,
                "purpose": "score",
                "target": "",
            }
            told(0, body["size"])
            upload = begin(http, recording.path, body)
            place.keep(upload=upload["id"])
        done = resume(http, upload, recording.path, told=told, lanes=self.wish.lanes, wait=True)
        self.sent(recording.name, done["size"], done["size"])
        return done

    # Waiting ------------------------------------------------------------------------------

    def _over(self, waiting: dict[Recording, Score]) -> Iterator[Outcome]:
        """Ask about the oldest scores; yield those that are over, with their files fetched."""
        for recording in list(waiting)[:WATCHED]:
            score = waiting[recording]
            if not score.is_over:
                try:
                    score = self._look(score.token)
                except SiteError as problem:
                    yield Outcome(recording, "failed", score, str(problem))
                    continue
                waiting[recording] = score
                self.told(recording.name, score)
            if not score.is_over:
                continue
            if score.state != "done":
                yield Outcome(recording, "failed", score, score.error or f"It was {score.state}.")
                continue
            try:
                _Place(self.wish.out / recording.name, recording, self.wish, "").fetch(
                    self.client, score
                )
            except NotReached as problem:
                # The network may be back in the next round.
                self._missed[score.token] += 1
                if self._missed[score.token] == MOST_MISSED:
                    yield Outcome(recording, "not_over", score, f"Not fetched: {problem}")
            except (SiteError, OSError) as problem:
                yield Outcome(recording, "not_over", score, f"Not fetched: {problem}")
            else:
                yield Outcome(recording, "scored", score)

    def _look(self, token: str) -> Score:
        """Return a score; a site that is away for some minutes is waited for."""
        end = time.monotonic() + SILENCE_S
        while True:
            try:
                return self.client.get_score(token)
            except NotReached:
                if time.monotonic() > end:
                    raise
                time.sleep(2.0)


class _Place:
    """The folder of one recording: what is known of its upload, its score and its results."""

    def __init__(self, folder: Path, recording: Recording, wish: Wish, site: str) -> None:
        self.folder, self.recording, self.wish = folder, recording, wish
        self.state: Json = {}
        self.sha256 = ""
        if not site:
            return
        stat = recording.path.stat()
        try:
            before = json.loads((folder / STATE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        same = (before.get("size"), before.get("mtime_ns")) == (stat.st_size, stat.st_mtime_ns)
        self.sha256 = before["sha256"] if same else sha256_of(recording.path)
        region = [recording.region[0], list(recording.region[1])] if recording.region else None
        facts = {"sha256": self.sha256, "site": site, "model": wish.model, "region": region}
        if any(before.get(name) != value for name, value in facts.items()):
            before = {}  # another file, another site or another question
        self.state = before | facts
        self.keep(size=stat.st_size, mtime_ns=stat.st_mtime_ns)

    def keep(self, **facts: Any) -> None:
        """Remember facts for the next time."""
        self.state |= facts
        self.folder.mkdir(parents=True, exist_ok=True)
        _write(self.folder / STATE, json.dumps(self.state, indent=1).encode())

    def result(self) -> Score | None:
        """Return the score whose files lie here, where it answers this very question."""
        path = self.folder / "result.json"
        if "token" not in self.state or not self.state.get("fetched") or not path.exists():
            return None
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            provenance = told["provenance"]
        except (OSError, ValueError, KeyError):
            return None
        if provenance.get("file_sha256") != self.sha256:
            return None
        done = {"state": "done", "progress": 1.0, "note": "", "error": ""}
        data = {"token": self.state["token"], "name": self.recording.name, "job": done}
        return Score.of(data | {"result": told["result"], "provenance": provenance})

    def fetch(self, client: Client, score: Score) -> None:
        """Save the files of a score that is done, each whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            if name in score.files:
                _write(self.folder / name, client.result_file(score, name))
        if "result.json" not in score.files:  # nothing could be graded, so there are no tables
            whole = {"result": score.result, "provenance": score.provenance}
            _write(self.folder / "result.json", json.dumps(whole, indent=2).encode())
        state = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        _write(self.folder / STATE, json.dumps(state | {"fetched": True}, indent=1).encode())


def _write(path: Path, data: bytes) -> None:
    draft = path.with_name(f"{path.name}.part")
    draft.write_bytes(data)
    draft.replace(path)


# The table ------------------------------------------------------------------------------------


def row_of(outcome: Outcome) -> dict[str, Any]:
    """Return the row of a recording in the summary; a score never stands without its coverage."""
    score = outcome.score
    state = "scored" if outcome.became == "held" else outcome.became
    row: dict[str, Any] = dict.fromkeys(COLUMNS, None)
    row |= {"recording": outcome.recording.name, "state": state, "sentence": outcome.problem}
    if outcome.recording.region:
        row["region"] = outcome.recording.region[0]
    if score is None:
        return row
    row["token"] = score.token
    if score.state != "done":
        return row
    low, high = score.interval or (None, None)
    return row | {
        "score": score.score,
        "interval_low": low,
        "interval_high": high,
        "coverage": score.coverage,
        "outcome": score.result.get("outcome"),
        "frames": score.result.get("frames"),
        "graded": score.result.get("graded"),
        "model": score.model,
        "phantom": _said(score.phantom),
        "not_independent": _said(score.not_independent),
        "sentence": outcome.problem or score.sentence,
        "file_sha256": score.provenance.get("file_sha256"),
        "scored_at": score.provenance.get("scored_at"),
    }


def _said(value: bool | None) -> str:
    return {True: "yes", False: "no", None: "unknown"}[value]


def write_summary(out: Path, outcomes: Iterable[Outcome]) -> Path:
    """Write ``summary.csv``, one row per recording in the order of their names."""
    path = out / SUMMARY
    out.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.part")
    with draft.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for outcome in sorted(outcomes, key=lambda one: one.recording.name):
            row = row_of(outcome)
            table.writerow({name: _cell(value) for name, value in row.items()})
    draft.replace(path)
    return path


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return f"'{value}" if isinstance(value, str) and value[:1] in set("=+-@\t\r") else value

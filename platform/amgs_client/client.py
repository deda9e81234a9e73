"""Everything a program does with a site, one method per act."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from amgs_client.errors import SiteError, SiteRefused
from amgs_client.scores import OVER, Region, Score, key_of
from amgs_client.studies import Studies
from amgs_client.transport import Transport
from amgs_client.uploading import Told, send_file, sha256_of, unfinished

Json = dict[str, Any]
MOST_TRIES = 10
"""How often a score that failed is asked for anew within the day that a key is kept."""


class Client:
    """A signed-in (or anonymous) caller of one site.

    Every method raises ``SiteRefused`` with the site's own sentence, or ``NotReached``. Versions
    are named by public id or as ``AMGS-000123.2``.
    """

    def __init__(self, url: str, token: str | None = None, timeout: float = 60.0) -> None:
        self.http = Transport(url, token, timeout)
        self.studies = Studies(self)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.http.close()

    # People -------------------------------------------------------------------------------

    def me(self) -> Json:
        """Return who this client speaks for, with roles and labs."""
        return self.http.ask("GET", "me")

    def create_lab(self, name: str, institution: str = "") -> Json:
        """Make a lab whose head I am."""
        return self.http.ask("POST", "labs", json={"name": name, "institution": institution})

    # Waiting ------------------------------------------------------------------------------

    def job(self, job_id: str) -> Json:
        """Return a job."""
        return self.http.ask("GET", f"jobs/{job_id}")

    def wait_until(
        self,
        read: Callable[[], Json],
        until: Callable[[Json], bool],
        timeout: float,
        what: str,
        pause: float = 0.25,
        told: Callable[[Json], None] | None = None,
    ) -> Json:
        """Read again and again until a condition holds; ``SiteError`` after ``timeout`` s."""
        end = time.monotonic() + timeout
        while True:
            seen = read()
            if told:
                told(seen)
            if until(seen):
                return seen
            if time.monotonic() > end:
                raise SiteError(f"{what} was not over after {timeout:.0f} s.")
            time.sleep(pause)

    def wait_for_job(self, job_id: str, timeout: float = 600.0) -> Json:
        """Wait until a job is over and return it; raises ``SiteError`` where it failed."""
        job = self.wait_until(
            lambda: self.job(job_id), lambda row: row["state"] in OVER, timeout, "The work"
        )
        if job["state"] != "done":
            raise SiteError(job["error"] or f"The work was {job['state']}.")
        return job

    # Contributing -------------------------------------------------------------------------

    def upload(
        self,
        path: Path,
        purpose: str,
        target: str = "",
        name: str = "",
        told: Told | None = None,
        *,
        wait: bool = False,
    ) -> Json:
        """Send a file in parts, or what is missing of it; return the upload.

        With ``wait`` its blob exists when this returns; without it a job may still check it.
        """
        return send_file(
            self.http, Path(path), purpose=purpose, target=target, name=name, told=told, wait=wait
        )

    def unfinished_uploads(self) -> list[Json]:
        """Return the uploads of my labs that are not over, with ``held_bytes``."""
        return unfinished(self.http)

    def discard_upload(self, upload: str) -> None:
        """Give an unfinished upload up."""
        self.http.ask("DELETE", f"uploads/{upload}")

    def create_dataset(self, body: Mapping[str, Any]) -> Json:
        """Make a dataset with its first version; return the version."""
        return self.http.ask("POST", "datasets", json=dict(body))

    def datasets(self, **filters: str) -> Iterator[Json]:
        """Yield every dataset I may see."""
        yield from self._pages("datasets", filters)

    def version(self, version: str) -> Json:
        """Return a version."""
        return self.http.ask("GET", f"versions/{version}")

    def edit_version(self, version: str, **fields: Any) -> Json:
        """Change fields of a draft."""
        return self.http.ask("PATCH", f"versions/{version}", json=fields)

    def set_design(
        self,
        version: str,
        *,
        groups: Sequence[Json],
        animals: Sequence[Json],
        observations: Sequence[Json],
    ) -> Json:
        """Say which groups, animals and observations there are."""
        body = {"groups": groups, "animals": animals, "observations": observations}
        return self.http.ask("PUT", f"versions/{version}/design", json=body)

    def sign_permissions(
        self,
        version: str,
        kinds: Sequence[str],
        signer_name: str,
        *,
        right_to_share: bool = False,
    ) -> Json:
        """Allow uses of a version, signed with a name."""
        body = {
            "kinds": list(kinds),
            "signer_name": signer_name,
            "right_to_share": right_to_share,
        }
        return self.http.ask("PUT", f"versions/{version}/permissions", json=body)

    def add_recording(
        self, version: str, path: Path, name: str, animal: str | None, observation: str | None
    ) -> Json:
        """Send a recording and add it to a draft."""
        upload = self.upload(path, "recording", version, name=name)
        return self.attach_recording(version, upload, name, animal, observation)

    def attach_recording(
        self, version: str, upload: Json, name: str, animal: str | None, observation: str | None
    ) -> Json:
        """Add an upload to a draft as a recording; doing so twice is no error."""
        body = {
            "upload": upload["id"],
            "name": name,
            "animal": animal,
            "observation": observation,
        }
        return self.http.ask("POST", f"versions/{version}/recordings", json=body, again=True)

    def recordings(self, version: str) -> Iterator[Json]:
        """Yield the recordings of a version."""
        yield from self._pages(f"versions/{version}/recordings", {})

    def recording_file(self, version: str, recording: str) -> Json:
        """Return ``{url, size, sha256, name, derived_from}`` of a recording's file.

        The address runs out. Others than the lab get a copy without private tags and sound, and
        the SHA-256 of the original it was ``derived_from``.
        """
        return self.http.ask("GET", f"versions/{version}/recordings/{recording}/file")

    def remove_recording(self, recording: str) -> None:
        """Take a recording out of a draft."""
        self.http.ask("DELETE", f"recordings/{recording}")

    def add_labels(self, version: str, path: Path, declared: Mapping[str, Any]) -> Json:
        """Send a score sheet and let it be read."""
        upload = self.upload(path, "labels", version)
        return self.attach_labels(version, upload, Path(path).name, declared)

    def attach_labels(
        self, version: str, upload: Json, name: str, declared: Mapping[str, Any]
    ) -> Json:
        """Let an upload be read as a score sheet of a draft."""
        body = {"upload": upload["id"], "name": name, "declared": dict(declared)}
        return self.http.ask("POST", f"versions/{version}/labels", json=body)

    def labels(self, version: str) -> list[Json]:
        """Return the score sheets of a version."""
        return list(self._pages(f"versions/{version}/labels", {}))

    def look_at_labels(self, version: str, upload: Json, name: str) -> Json:
        """Have an upload looked at as a label file; the one there is where it came before."""
        body = {"upload": upload["id"], "name": name, "confirmed": False}
        return self.http.ask("POST", f"versions/{version}/labels", json=body)

    def label_file(self, label_import: str) -> Json:
        """Return a label file with its look: what was recognised, what is asked, the first rows."""
        return self.http.ask("GET", f"labels/{label_import}")

    def answer_labels(self, label_import: str, answers: Mapping[str, Any]) -> Json:
        """Say how a label file is to be read: ``mapping``, ``places`` and ``declared``."""
        return self.http.ask("PATCH", f"labels/{label_import}", json=dict(answers))

    def confirm_labels(self, label_import: str) -> Json:
        """Confirm what the last look proposes; the file is then read by a job."""
        return self.http.ask("POST", f"labels/{label_import}/confirm")

    def redo_labels(self, label_import: str) -> Json:
        """Read an undone label file again, as it was read before."""
        return self.http.ask("POST", f"labels/{label_import}/redo")

    def label_rows(self, label_import: str, kind: str) -> Iterator[Json]:
        """Yield imported rows that are no ratings, such as ``observation_scores``."""
        yield from self._pages(f"labels/{label_import}/rows/{kind}", {})

    def remove_labels(self, label_import: str) -> None:
        """Undo the import of a label file as a whole."""
        self.http.ask("DELETE", f"labels/{label_import}")

    def manifest(self, version: str) -> Json:
        """Return licence, citation, and every recording of a version with its SHA-256."""
        return self.http.ask("GET", f"versions/{version}/manifest")

    def citation(self, version: str) -> Json:
        """Return how a version is cited: a sentence, BibTeX, RIS and its DOI."""
        return self.http.ask("GET", f"versions/{version}/citation")

    def save_export(
        self,
        version: str,
        what: str,
        target: Path,
        told: Callable[[int], None] = lambda count: None,
    ) -> str:
        """Save ``export.zip``, ``ratings.csv`` or ``ratings.parquet``; return its SHA-256."""
        return self.http.save(f"versions/{version}/{what}", Path(target), told)

    def frames(self, version: str, **filters: str) -> Iterator[Json]:
        """Yield the frames of a version, recording by recording."""
        yield from self._pages(f"versions/{version}/frames", {"limit": "200", **filters})

    def screening(self, version: str) -> Json:
        """Return what the checks said last."""
        return self.http.ask("GET", f"versions/{version}/screening")

    def audit(self, version: str) -> Json:
        """Return the progress and the agreement of the blind audit."""
        return self.http.ask("GET", f"versions/{version}/audit")

    def history(self, version: str) -> list[Json]:
        """Return the decisions on a version."""
        return list(self._pages(f"versions/{version}/history", {}))

    def act(self, version: str, action: str, why: str = "") -> Json:
        """Do one act of the lifecycle of a version: submit, accept, publish, …"""
        return self.http.ask("POST", f"versions/{version}/actions/{action}", json={"why": why})

    # Rating -------------------------------------------------------------------------------

    def next_to_rate(self) -> Json | None:
        """Return the next assignment, or ``None`` when nothing waits for me."""
        return self.http.ask("GET", "rating/next")["assignment"]

    def still(self, address: str) -> bytes:
        """Return the JPEG of an assignment or a result."""
        return self.http.get_bytes(address)

    def rate(self, assignment: str, grades: Mapping[str, Any], seconds: float) -> Json:
        """Commit grades: per unit 0, 1, 2 or ``{"reason": key}``."""
        body = {"grades": dict(grades), "seconds": seconds}
        return self.http.ask("POST", f"rating/{assignment}", json=body)

    # Training and models ------------------------------------------------------------------

    def policy(self) -> Json:
        """Return when the site retrains by itself."""
        return self.http.ask("GET", "training/policy")

    def edit_policy(self, **fields: Any) -> Json:
        """Change when the site retrains by itself."""
        return self.http.ask("PATCH", "training/policy", json=fields)

    def triggers(self) -> Iterator[Json]:
        """Yield the evaluations of the policy, newest first."""
        yield from self._pages("training/triggers", {})

    def runs(self) -> Iterator[Json]:
        """Yield the training runs, newest first."""
        yield from self._pages("training/runs", {})

    def run(self, run: str) -> Json:
        """Return a training run."""
        return self.http.ask("GET", f"training/runs/{run}")

    def start_run(self, **body: Any) -> Json:
        """Start a training run by hand."""
        return self.http.ask("POST", "training/runs", json=body)

    def snapshot(self, snapshot: str) -> Json:
        """Return a snapshot."""
        return self.http.ask("GET", f"snapshots/{snapshot}")

    def models(self) -> Iterator[Json]:
        """Yield the model versions, newest first."""
        yield from self._pages("models", {})

    def model(self, model: str) -> Json:
        """Return a model version with report and verdicts."""
        return self.http.ask("GET", f"models/{model}")

    def serving(self) -> Json | None:
        """Return the model version that serves, or ``None``."""
        try:
            return self.http.ask("GET", "models/serving")
        except SiteRefused as refusal:
            if refusal.status == 404:
                return None
            raise

    def decide_model(
        self, model: str, action: str, why: str = "", ticks: dict[str, str] | None = None
    ) -> Json:
        """Do one act of the lifecycle of a model version: approve, promote, …

        To approve, ``ticks`` gives the reason for each gate that was not assessed, by its name.
        """
        body: Json = {"why": why} | ({"ticks": ticks} if ticks else {})
        return self.http.ask("POST", f"models/{model}/actions/{action}", json=body)

    # Scoring ------------------------------------------------------------------------------

    def score(
        self,
        path: str | Path,
        *,
        name: str = "",
        model: str = "",
        region: Region | None = None,
        webhook: str = "",
        notify: bool = False,
        wait: bool = True,
        timeout: float = 3600.0,
        told: Callable[[Score], None] | None = None,
        sent: Told | None = None,
    ) -> Score:
        """Send a video or picture to be scored; return its score, by default when it is over.

        ``model`` is a version by id or identifier (the serving one by default). ``region`` scores
        one of several animals: its name, and the left, top, right and bottom edge in pixels of the
        part of the picture that shows it. ``webhook`` is an address that is told when it is over,
        ``notify`` tells me. ``sent(bytes, of)`` and ``told(score)`` say how far it is. With an
        account, asking again for the same file and model within a day returns the same score.
        """
        path = Path(path)
        upload = self.upload(path, "score", told=sent, wait=True)
        asked = model or str((self.serving() or {}).get("id", ""))
        name = name or path.name
        score = self.ask_once(
            upload,
            upload["sha256"] or sha256_of(path),
            model_now=asked,
            name=name,
            model=model,
            region=region,
            webhook=webhook,
            notify=notify,
        )
        return self.wait(score, timeout=timeout, told=told) if wait else score

    def ask_for_score(
        self,
        upload: str,
        *,
        name: str = "",
        model: str = "",
        region: Region | None = None,
        webhook: str = "",
        notify: bool = False,
        key: str = "",
    ) -> Score:
        """Ask for the score of an upload of the purpose ``score``; with a ``key``, once."""
        body: Json = {"upload": upload, "name": name, "model": model, "webhook": webhook}
        body["notify"] = notify
        if region is not None:
            body["region"] = {"name": region[0], "box": list(region[1])}
        return Score.of(self.http.ask("POST", "scores", json=body, key=key))

    def ask_once(
        self, upload: Json, sha256: str, *, model_now: str, region: Region | None, **asked: Any
    ) -> Score:
        """Ask for a score under a key made of the file's digest and the model.

        ``model_now`` is the version that is asked for or serves. What was asked for before is
        returned; where that failed or was cancelled it is asked for anew.
        """
        facts = {"model": model_now, "region": list(region) if region else None, **asked}
        for tries in range(MOST_TRIES):
            key = key_of(sha256, {**facts, "tries": tries})
            score = self.ask_for_score(upload["id"], region=region, key=key, **asked)
            if not score.is_over or score.state == "done":
                return score
        return score

    def get_score(self, token: str) -> Score:
        """Return a score as it is now; raises ``Gone`` where it was revoked or removed."""
        return Score.of(self.http.ask("GET", f"scores/{token}"))

    def scores(self) -> Iterator[Score]:
        """Yield my own scores, newest first."""
        yield from map(Score.of, self._pages("scores", {}))

    def wait(
        self,
        score: Score | str,
        *,
        timeout: float = 3600.0,
        told: Callable[[Score], None] | None = None,
    ) -> Score:
        """Wait until a score (or that of a token) is over; ``SiteError`` after ``timeout`` s."""
        token = score if isinstance(score, str) else score.token
        row = self.wait_until(
            lambda: self.http.ask("GET", f"scores/{token}"),
            lambda row: row["job"]["state"] in OVER,
            timeout,
            "Scoring",
            told=(lambda row: told(Score.of(row))) if told else None,
        )
        return Score.of(row)

    def rescore(self, score: Score | str, model: str) -> Score:
        """Score the recording again with another version; the first score stays as it is."""
        token = score if isinstance(score, str) else score.token
        answer = self.http.ask("POST", f"scores/{token}/rescore", json={"model": model}, again=True)
        return Score.of(answer)

    def contribute_score(self, score: Score | str, version: str, **place: str) -> Json:
        """Add the recording of my score to a draft, at ``animal`` and ``observation`` if given.

        Its file is not sent again; doing so twice is no error. ``name`` is the file's by default.
        """
        token = score if isinstance(score, str) else score.token
        body = {"version": version, **place}
        return self.http.ask("POST", f"scores/{token}/contribution", json=body, again=True)

    def result_file(self, score: Score, name: str) -> bytes:
        """Return one output of a score, such as ``predictions.parquet``."""
        return self.http.get_bytes(score.files[name])

    def webhook_secret(self) -> Json:
        """Return what my webhooks are signed with."""
        return self.http.ask("GET", "webhooks/secret")

    def rotate_webhook_secret(self) -> Json:
        """Make another secret; for a day messages are signed with the old one as well."""
        return self.http.ask("POST", "webhooks/secret/rotate")

    def webhook_log(self, score: Score | str) -> Json:
        """Return every try to tell the webhook of a score, and when the next one is."""
        token = score if isinstance(score, str) else score.token
        return self.http.ask("GET", f"scores/{token}/webhook")

    # --------------------------------------------------------------------------------------

    def _pages(self, path: str, filters: Mapping[str, str]) -> Iterator[Json]:
        after: str | None = None
        while True:
            query = dict(filters) | ({"after": after} if after else {})
            answer = self.http.ask("GET", path, params=query)
            yield from answer["results"]
            after = answer["next"]
            if after is None:
                return

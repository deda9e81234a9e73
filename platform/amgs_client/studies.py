"""What a program does with studies, one method per act."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from amgs_client.errors import SiteError
from amgs_client.scores import OVER

if TYPE_CHECKING:
    from amgs_client.client import Client

Json = dict[str, Any]
Told = Callable[[float, str], None]
"""Called with how far the work is (0–1) and what it does."""


class Studies:
    """The studies of whoever a client speaks for; every method raises ``SiteRefused``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._http = client.http

    def all(self) -> Iterator[Json]:
        """Yield my studies, newest first."""
        yield from self._client._pages("studies", {})

    def create(self, title: str, key: str = "") -> Json:
        """Make an empty study; with an idempotency ``key`` once a day."""
        return self._http.ask("POST", "studies", json={"title": title}, key=key)

    def get(self, study: str) -> Json:
        """Return a study with its plan, its locked versions and how far its analysis is."""
        return self._http.ask("GET", f"studies/{study}")

    def entries(self, study: str) -> list[Json]:
        """Return the rows of the table; their scores are in it once the plan was locked."""
        return list(self._http.ask("GET", f"studies/{study}/entries")["entries"])

    def add(self, study: str, scores: Sequence[str], model: str = "") -> list[Json]:
        """Put scores (links or tokens) into the table; those in it already are passed over.

        Scores of several versions are refused unless ``model`` names the one for all.
        """
        body = {"scores": list(scores)} | ({"model": model} if model else {})
        answer = self._http.ask("POST", f"studies/{study}/entries", json=body, again=True)
        return list(answer["entries"])

    def fill(self, study: str, text: str) -> int:
        """Take over a table as text (CSV); return how many rows it changed."""
        answer = self._http.ask("PUT", f"studies/{study}/table", json={"text": text})
        return len(answer["undo"])

    def set_plan(self, study: str, plan: Mapping[str, Any]) -> Json:
        """Keep a draft of the plan; return it as it is kept, with its ``digest``."""
        return self._http.ask("PUT", f"studies/{study}/plan", json={"plan": dict(plan)})

    def lock(self, study: str, digest: str = "", why: str = "") -> Json:
        """Lock the draft with this digest; a change of a locked plan needs a reason."""
        body = {"digest": digest, "why": why}
        return self._http.ask("POST", f"studies/{study}/lock", json=body)

    def analyse(
        self, study: str, timeout: float = 3600.0, told: Told = lambda share, note: None
    ) -> Json:
        """Analyse a study by its locked plan; return the results when they are there.

        Rows that still get their score are waited for. Raises ``SiteError`` where the analysis
        failed, or was not over after ``timeout`` seconds.
        """
        wait = self._client.wait_until
        wait(
            lambda: self.get(study),
            lambda row: not row["waiting"]["waiting"],
            timeout,
            "Scoring the rows of the study",
            told=lambda row: told(0.0, f"{row['waiting']['waiting']} rows are being scored"),
        )
        # A key of this call: whatever breaks, it asks once.
        asked = self._http.ask("POST", f"studies/{study}/results", key=f"amgs-{uuid.uuid4().hex}")

        def job(row: Json) -> Json:
            newest = row["analysis"] or {}
            if newest.get("id") != asked["id"]:
                raise SiteError("Another analysis of this study was asked for meanwhile.")
            return dict(newest["job"])

        ended = job(
            wait(
                lambda: self.get(study),
                lambda row: job(row)["state"] in OVER,
                timeout,
                "The analysis",
                told=lambda row: told(job(row)["progress"], job(row)["note"]),
            )
        )
        if ended["state"] != "done":
            raise SiteError(ended["error"] or f"The analysis was {ended['state']}.")
        return self.results(study)

    def results(self, study: str) -> Json:
        """Return what the newest analysis found."""
        return self._http.ask("GET", f"studies/{study}/results")

    def save_file(self, study: str, name: str, target: Path) -> None:
        """Save a file of the newest results, such as ``study.zip``; it appears when it is whole."""
        address = self._http.address(f"studies/{study}/files/{name}")
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f"{target.name}.part")
        with draft.open("wb") as file:
            self._http.download(address, file, lambda count: None)
        draft.replace(target)

    def deletion(self, study: str) -> list[Json]:
        """Return what a deletion would take away and what stays, one sentence each."""
        return list(self._http.ask("GET", f"studies/{study}/deletion")["consequences"])

    def delete(self, study: str) -> None:
        """Delete a study; for some days it can be brought back."""
        self._http.ask("DELETE", f"studies/{study}", again=False)

    def deleted(self) -> Iterator[Json]:
        """Yield my deleted studies that can be brought back, newest first."""
        yield from self._client._pages("deleted-studies", {})

    def restore(self, study: str) -> Json:
        """Bring a deleted study back as it was."""
        return self._http.ask("POST", f"deleted-studies/{study}/restore")

"""The stages of the main job, all through the public interfaces."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from amgs.demo.people import Person
from amgs.demo.raters import Eyes, Grader, rate_all
from amgs.demo.show import Facts, Told
from amgs_client import Client
from amgs_client.folder import contribute_folder

PATIENCE = 240.0  # seconds that any one step may take before the demo gives up
NOT_WAITING = {"screened", "changes_requested"}
REASON = "The audit's raters agree as people do, and the checks found nothing in the way."


@dataclass
class Demo:
    """What the stages share."""

    url: str
    study: Path
    contributors: dict[str, Person]  # by folder name of the study
    curator: Person
    maintainer: Person
    real: Path | None
    grader: Callable[[str, int], Grader]
    eyes: Eyes = field(default_factory=Eyes)
    versions: dict[str, str] = field(default_factory=dict)  # folder name → public id

    def client(self, person: Person | None) -> Client:
        """Return a client that speaks for a person (or for nobody)."""
        return Client(self.url, person.token if person else None)

    # 1. -----------------------------------------------------------------------------------

    def contribute(self, folders: list[str], told: Told) -> Facts:
        """Labs send their recordings and score sheets, each with its own account."""
        sent = dict.fromkeys(folders, 0.0)

        def one(folder: str) -> str:
            person = self.contributors[folder]
            with self.client(person) as client:

                def count(done: int, total: int) -> None:
                    sent[folder] = done / max(total, 1)
                    told(sum(sent.values()) / len(sent), f"{person.name.split()[0]} sends files")

                version = contribute_folder(client, self.study / folder, person.lab, told=count)
            return version["id"]

        with ThreadPoolExecutor(2) as pool:
            self.versions |= dict(zip(folders, pool.map(one, folders), strict=True))
        return {
            "datasets": len(folders),
            "recordings": sum(
                len(json.loads((self.study / name / "dataset.json").read_text())["recordings"])
                for name in folders
            ),
            "labs": [self.contributors[name].lab for name in folders],
        }

    def contribute_real(self, told: Told) -> Facts:
        """The real stills and videos, where they are at hand, as a dataset without grades."""
        if self.real is None:
            return {"real": "absent: ../shared/data is not there"}
        files = sorted((self.real / "mouse-video-side").glob("*.mp4"))
        files += sorted((self.real / "mouse-faces-side").glob("*.jpg"))[:4]
        person = next(iter(self.contributors.values()))
        with self.client(person) as client:
            version = client.create_dataset(
                {
                    "lab": person.lab,
                    "title": "Real mice, side view, without grades",
                    "description": "Public recordings of head-fixed mice (MIT licence).",
                    "ethics": "Published by others; see the sources of the recordings.",
                    "phantom": False,
                    "metadata": {
                        "assay": "other_assay",
                        "assigned_unit": "animal",
                        "people_and_cards": "none_seen",
                    },
                }
            )
            # Nobody has said yes to any use of this dataset, so nobody rates or publishes it.
            client.sign_permissions(version["id"], [], person.name)
            unknown = {"strain": "unknown", "sex": "unknown", "coat": darkest_coat()}
            animals = [{"name": path.stem} | unknown for path in files]
            client.set_design(
                version["id"],
                groups=[],
                animals=animals,
                observations=[{"animal": path.stem, "name": "baseline"} for path in files],
            )
            for done, path in enumerate(files):
                told(done / len(files), f"real recording {path.name}")
                client.add_recording(version["id"], path, path.name, path.stem, "baseline")
        self.versions["real"] = version["id"]
        return {"real": version["identifier"], "real_recordings": len(files)}

    # 2. -----------------------------------------------------------------------------------

    def screen(self, folders: list[str], told: Told) -> Facts:
        """Submit; the checks answer. Returns the state and blocking sentences of each."""
        with self.client(self.contributors[folders[0]]) as client:
            for done, folder in enumerate(folders):
                self._ingested(client_of=folder, told=told, share=done / len(folders))
        answers: dict[str, Facts] = {}
        for folder in folders:
            with self.client(self._owner(folder)) as client:
                client.act(self.versions[folder], "submit")
        for folder in folders:
            with self.client(self._owner(folder)) as client:
                version = self._until_screened(client, self.versions[folder])
                results = client.screening(version["id"])["results"]
            answers[folder] = {
                "state": version["state"],
                "checks": len(results),
                "blocking": [
                    row["sentence"]
                    for row in results
                    if row["severity"] == "blocks" and not row["passed"]
                ],
            }
        return answers

    def _owner(self, folder: str) -> Person:
        return self.contributors.get(folder) or next(iter(self.contributors.values()))

    def _ingested(self, client_of: str, told: Told, share: float) -> None:
        with self.client(self._owner(client_of)) as client:
            version = self.versions[client_of]

            def pending() -> Facts:
                rows = list(client.recordings(version))
                waiting = sum(row["status"] == "pending" for row in rows)
                sheets = sum(row["status"] == "pending" for row in client.labels(version))
                return {"waiting": waiting, "sheets": sheets, "all": len(rows)}

            client.wait_until(
                pending,
                lambda row: not row["waiting"] and not row["sheets"],
                PATIENCE,
                "Reading the recordings",
                pause=0.5,
                told=lambda row: told(
                    share, f"{row['all'] - row['waiting']} of {row['all']} recordings read"
                ),
            )

    def _until_screened(self, client: Client, version: str) -> Facts:
        return client.wait_until(
            lambda: client.version(version),
            lambda row: row["state"] in NOT_WAITING,
            PATIENCE,
            "Screening",
        )

    def mend(self, folder: str, told: Told) -> Facts:
        """Mend the planted fault the refusal names (a missing licence and ethics statement)."""
        plan = json.loads((self.study / folder / "dataset.json").read_text())
        version = self.versions[folder]
        with self.client(self._owner(folder)) as client:
            client.act(version, "reopen")
            client.edit_version(version, licence=plan["licence"], ethics=plan["ethics"])
            told(0.8, "mended and submitted again")
            client.act(version, "submit")
            state = self._until_screened(client, version)["state"]
        return {"mended_to": state}

    # 3. -----------------------------------------------------------------------------------

    def curate(self, folders: list[str], told: Told) -> Facts:
        """Rate the audit sample blind, look at the agreement, accept, publish."""
        facts: Facts = {"published": [], "agreement": {}}
        with self.client(self.curator) as curator:
            for folder in folders:
                curator.act(self.versions[folder], "start_review")
            for folder in folders:
                curator.wait_until(
                    lambda folder=folder: curator.version(self.versions[folder]),
                    lambda row: row["state"] == "in_review",
                    PATIENCE,
                    "Drawing the audit sample",
                )
            wanted = sum(curator.audit(self.versions[name])["ratings_wanted"] for name in folders)
            facts["ratings"] = self._rate(wanted, told)
            for folder in folders:
                version = self.versions[folder]
                self._until_allowed(curator, version, "accept")
                audit = curator.audit(version)
                facts["agreement"][folder] = {
                    unit: row["kappa_pairwise_quadratic"]
                    for unit, row in audit["agreement"]["units"].items()
                }
                curator.act(version, "accept", REASON)
            for folder in folders:
                self._until_allowed(curator, self.versions[folder], "publish")
                done = curator.act(self.versions[folder], "publish")
                facts["published"].append(done["identifier"])
        facts["sentence"] = f"{', '.join(facts['published'])} published"
        return facts

    @staticmethod
    def _until_allowed(client: Client, version: str, action: str) -> None:
        """Wait until what an act rests on (agreement, consensus) has been worked out."""
        client.wait_until(
            lambda: client.version(version),
            lambda row: any(
                act["action"] == action and act["allowed"] and not act.get("warning")
                for act in row["actions"]
            ),
            PATIENCE,
            f"Preparing to {action}",
        )

    def _rate(self, wanted: int, told: Told) -> int:
        counter = itertools.count(1)

        def one(numbered: tuple[int, Person]) -> int:
            number, person = numbered
            with self.client(person) as client:
                return rate_all(
                    client,
                    self.eyes,
                    self.grader(person.name, number),
                    lambda: told(
                        min(next(counter) / max(wanted, 1), 1.0), f"{wanted} blind ratings wanted"
                    ),
                )

        people = {person.email: person for person in self.contributors.values()}
        raters = list(enumerate(people.values()))
        with ThreadPoolExecutor(len(raters)) as pool:
            return sum(pool.map(one, raters))

    # 4., 5. -------------------------------------------------------------------------------

    def graded_frames(self, folders: list[str]) -> int:
        """Return how many frames the score sheets of these folders name."""
        named = set()
        for folder in folders:
            with (self.study / folder / "scores.csv").open(newline="") as file:
                named |= {(folder, row["file"], row["frame"]) for row in csv.DictReader(file)}
        return len(named)

    def wait_for_snapshot(self, known: set[str], told: Told) -> Facts:
        """Wait until the policy, asked by beat, has frozen a snapshot and begun a run."""
        with self.client(self.maintainer) as client:

            def newest() -> Facts:
                rows = [row for row in client.runs() if row["id"] not in known]
                rows = [row for row in rows if row["snapshot"] and not row["negative_control"]]
                return rows[0] if rows else {}

            run = client.wait_until(
                newest,
                bool,
                PATIENCE,
                "Waiting for the policy",
                pause=0.5,
                told=lambda _: told(0.5, "the policy is asked by Celery beat"),
            )
            trigger = next(row for row in client.triggers() if row["run"] == run["id"])
            snapshot = client.snapshot(run["snapshot"])
        return {
            "run": run["id"],
            "snapshot": snapshot["id"],
            "digest": snapshot["digest"],
            "frames": snapshot["frames"],
            "animals": snapshot["animals"],
            "counts": snapshot["header"]["counts"],
            "trigger": trigger["reason"],
            "sentence": trigger["reason"],
        }

    def wait_for_run(self, run: str, told: Told) -> Facts:
        """Wait until a run is over and the gates have judged its model version."""
        with self.client(self.maintainer) as client:
            row = client.wait_until(
                lambda: client.run(run),
                lambda row: row["job"]["state"] in {"done", "failed", "cancelled"},
                PATIENCE,
                "Training",
                pause=0.5,
                told=lambda row: told(row["job"]["progress"], row["job"]["note"]),
            )
            if row["job"]["state"] != "done":
                raise RuntimeError(f"The run ended as {row['job']['state']}: {row['job']['error']}")
            model = client.model(row["model"])
        if not model["verdicts"]:
            raise RuntimeError(f"{model['identifier']} was registered without a judgement.")
        return model

    def wait_for_mlflow(self, model: str, alias: str = "") -> Facts:
        """Wait until MLflow knows a version, under an alias where one is named."""
        with self.client(self.maintainer) as client:
            return client.wait_until(
                lambda: client.model(model),
                lambda row: (
                    bool(row["mlflow"]["version"])
                    and (not alias or row["mlflow"]["alias"] == alias)
                ),
                PATIENCE,
                "Telling MLflow of a version",
                pause=0.5,
            )

    # 6. -----------------------------------------------------------------------------------

    def promote(self, model: str, told: Told) -> Facts:
        """The maintainer looks at the gates and promotes."""
        with self.client(self.maintainer) as client:
            for action in ("submit_for_review", "approve", "promote"):
                told(0.1, action.replace("_", " "))
                row = client.model(model)
                if any(
                    act["action"] == action and act["allowed"] and not act.get("warning")
                    for act in row["actions"]
                ):
                    client.decide_model(
                        model,
                        action,
                        "No gate of the demo profile refused.",
                        _ticks(row) if action == "approve" else None,
                    )
            serving = client.serving()
        if serving is None or serving["id"] != model:
            raise RuntimeError("The promoted version does not serve.")
        return serving

    # 7. -----------------------------------------------------------------------------------

    def score(self, path: Path, told: Told) -> Facts:
        """Anybody, without an account, has a video scored."""
        with self.client(None) as client:
            run = client.score(
                path,
                timeout=PATIENCE,
                told=lambda row: told(row.progress, f"{path.name} {row.note}"),
            )
        if run.state != "done":
            raise RuntimeError(f"Scoring {path.name} failed: {run.error}")
        result = run.result
        return {
            "video": path.name,
            "outcome": result["outcome"],
            "frames": result["frames"],
            "graded": result["graded"],
            "not_scorable": result["not_scorable"],
            "states": result["states"],
            "coverage": result["coverage"],
            "score": result["score"],
            "sentence": result["sentence"],
            "phantom": result["phantom"],
            "model": run.model,
            "address": f"{self.url}/score/{run.token}",
        }


def darkest_coat() -> str:
    """Return the coat key of the scale with the darkest fur (the real mice here are dark)."""
    from models.scale import load_scale

    return min(load_scale().coats, key=lambda coat: sum(coat.fur)).key


def _ticks(model: Facts) -> dict[str, str]:
    """Return the maintainer's answer to each gate that small studies cannot assess."""
    why = "The demonstration's studies are small; nothing is claimed about this group."
    return {
        row["gate"]: why for row in model["verdicts"] if row["passed"] is None and not row["told"]
    }

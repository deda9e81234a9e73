"""The order of the stages: the main job of the platform from end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from django.conf import settings

from amgs.demo import people
from amgs.demo.people import Person
from amgs.demo.raters import Grader
from amgs.demo.show import Facts, Screen, Told
from amgs.demo.stages import Demo

# Filled while the demo runs; printed at the end.
PEOPLE: list[Person] = []
PROFILE = "demo"
RECIPE = "demo"


def render(folder: Path, seed: int, told: Told) -> tuple[list[str], list[str]]:
    """Render the study, one more dataset and an unseen clip; return the two lists of folders.

    Child processes render, so that this one stays small.
    """

    def phantom(*arguments: str, share: float = 0.0) -> None:
        command = [sys.executable, "-m", "models", "phantom", *arguments]
        with subprocess.Popen(
            command, cwd=settings.ROOT, stdout=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None  # noqa: S101  (narrowing; a pipe was asked for)
            for line in child.stdout:
                event = json.loads(line)
                if event["event"] == "progress":
                    told(share * event["fraction"], event["sentence"])
        if child.returncode:
            raise RuntimeError(f"Rendering the phantom ended with status {child.returncode}.")

    folders: list[list[str]] = []
    for plan, number in (("demo", seed), ("another", seed + 100)):
        place = folder / plan
        phantom(
            "study", "--plan", plan, "--seed", str(number), "--processes", "2",
            "--out", str(place), share=0.5,
        )  # fmt: skip
        labs = json.loads((place / "study.json").read_text())["labs"]
        folders.append([f"{plan}/{lab}" for lab in labs])
    phantom("clip", "--seed", str(seed), "--out", str(folder / "unseen.mp4"))
    return folders[0], folders[1]


def plant_fault(folder: Path) -> None:
    """Take licence and ethics statement out of a dataset, as a forgetful person would."""
    path = folder / "dataset.json"
    plan = json.loads(path.read_text())
    (folder / "dataset.whole.json").write_text(json.dumps(plan))
    path.write_text(json.dumps(plan | {"licence": "", "ethics": ""}))


def unplant_fault(folder: Path) -> None:
    """Put the dataset's plan back as it was rendered."""
    (folder / "dataset.whole.json").replace(folder / "dataset.json")


def grader(name: str, number: int) -> Grader:
    """Return how a simulated rater grades what it has recognised, with a bias of its own."""
    import numpy as np

    from models.phantom.raters import draw_rater, rate
    from models.phantom.render import FaceTruth
    from models.scale import load_scale

    scale = load_scale()
    rater = draw_rater(name, seed=number)
    rng = np.random.default_rng(number)

    def grade(row: dict[str, str]) -> dict[str, Any]:
        because = scale.state(row["state"]).reason or scale.reason_because("unnamed").key
        truth = FaceTruth(
            intensities={unit: float(row[f"{unit}_intensity"]) for unit in scale.unit_keys},
            not_scorable={
                unit: because for unit in scale.unit_keys if row[f"{unit}_scorable"] == "0"
            },
            state=row["state"],
            box=(0.0, 0.0, 0.0, 0.0),
            landmarks={},
            view="frontal",
            yaw=0.0,
        )
        return {
            vote.unit: vote.grade if vote.grade is not None else {"reason": vote.reason}
            for vote in rate(truth, rater, rng, scale)
        }

    return grade


def whole_loop(url: str, screen: Screen, *, folder: Path, seed: int, real: Path | None) -> None:
    """Contribute → curate → snapshot → retrain → register → promote → score."""
    state: dict[str, Any] = {}
    walk = screen.walk

    def contribute(told: Told) -> Facts:
        first, more = render(folder, seed, told)
        contributors, curator, maintainer = people.make_people(
            [f"Phantom lab {Path(name).name.removeprefix('phantom-').title()}" for name in first]
        )
        PEOPLE[:] = [*contributors, curator, maintainer]
        owners = dict(zip(first, contributors, strict=True))
        # The dataset that comes later is a second experiment of the second lab (`another_plan`).
        owners |= dict.fromkeys(more, contributors[1])
        demo = Demo(
            url,
            folder,
            owners,
            curator,
            maintainer,
            real,
            grader,
        )
        state.update(demo=demo, first=first, more=more)
        plant_fault(folder / first[1])
        with demo.client(maintainer) as client:
            served = client.serving()
            state["shipped"] = served["identifier"] if served else None
            # The first run waits for all three labs; the second for the one dataset more.
            client.edit_policy(
                enabled=True,
                min_new_frames=demo.graded_frames(first),
                recipe=RECIPE,
                profile=PROFILE,
                warm_start=True,
            )
        facts = demo.contribute(first, told)
        facts |= demo.contribute_real(told)
        unplant_fault(folder / first[1])
        facts["serving"] = state["shipped"]
        facts["sentence"] = f"{facts['recordings']} recordings of 3 labs"
        return facts

    screen.stage("contribute", "Three labs contribute", contribute)
    demo: Demo = state["demo"]
    first: list[str] = state["first"]

    def check(told: Told) -> Facts:
        names = first + (["real"] if "real" in demo.versions else [])
        facts = demo.screen(names, told)
        faulty = facts[first[1]]
        if faulty["state"] != "changes_requested" or not faulty["blocking"]:
            raise RuntimeError("The planted fault was not found.")
        faulty |= demo.mend(first[1], told)
        for name in names:
            final = facts[name].get("mended_to", facts[name]["state"])
            if final != "screened":
                raise RuntimeError(f"{name} did not pass: {facts[name]['blocking']}")
        return {"sentence": f"refused and mended: {faulty['blocking'][0]}", "datasets": facts}

    screen.stage("screen", "Automatic checks screen them", check)

    def curate(told: Told) -> Facts:
        for name in first:
            demo.eyes.learn(folder / name)
        return demo.curate(first, told)

    screen.stage("curate", "Blind audit, agreement, decision, publication", curate)
    frozen = screen.stage(
        "snapshot",
        "The policy freezes a snapshot",
        lambda told: demo.wait_for_snapshot(set(), told),
    )

    def train(told: Told) -> Facts:
        model = demo.wait_for_run(frozen["run"], told)
        state["model"] = model
        return _model_facts(model) | {
            "measured_against": model["measured_against"],
            "comparison": model["comparison"],
        }

    screen.stage("retrain", "Lightning trains, the gates judge a challenger", train)

    def promote(told: Told) -> Facts:
        model = state["model"]
        served = demo.promote(model["id"], told)
        # Not the version that the site began with: the champion is the one trained just now.
        if served["run"] != frozen["run"]:
            raise RuntimeError("The version that serves was not trained in this demo.")
        walk.champion = {
            "version": served["identifier"],
            "run": served["run"],
            "measured_against": served["measured_against"],
            "report": served["report"],
            "gates": served["verdicts"],
            "profile": served["profile"],
        }
        known = {frozen["run"]}
        with demo.client(demo.maintainer) as client:
            control = client.start_run(
                recipe=RECIPE,
                profile=PROFILE,
                negative_control=True,
                why="A challenger trained on shuffled labels must be refused.",
            )
            client.edit_policy(min_new_frames=demo.graded_frames(state["more"]))
        told(0.2, "one more dataset while the negative control trains")
        _one_more(demo, state["more"], folder, told)
        second = demo.wait_for_snapshot(known, told)
        refused = demo.wait_for_run(control["id"], told)
        challenger = demo.wait_for_run(second["run"], told)
        walk.refused = _model_facts(refused) | {"verdicts": refused["verdicts"]}
        if refused["state"] != "rejected" or not walk.refused["refused_by"]:
            raise RuntimeError("The challenger trained on shuffled labels was not refused.")
        if not challenger["comparison"]:
            raise RuntimeError("The second run was not compared with the champion.")
        state["challenger"] = challenger
        return {
            "champion": served["identifier"],
            "second": _model_facts(challenger) | {"trigger": second["trigger"]},
            "comparison": challenger["comparison"],
            "refused": walk.refused,
            "sentence": f"{served['identifier']} serves; the negative control was refused by "
            + ", ".join(walk.refused["refused_by"]),
        }

    screen.stage("promote", "Gates, promotion, a second run, a refusal", promote)

    def score(told: Told) -> Facts:
        videos = [folder / "unseen.mp4"]
        facts: Facts = {}
        if real is not None:
            videos.append(real / "mouse-video-side" / "head_fixed_side.mp4")
        else:
            facts["real"] = "absent: ../shared/data is not there"
        walk.scores = [demo.score(path, told) for path in videos]
        phantom = walk.scores[0]
        if phantom["outcome"] != "scored":
            raise RuntimeError(f"The unseen clip was not scored: {phantom['sentence']}")
        for row in walk.scores[1:]:
            # No model here has learned from a real graded mouse.
            if row["outcome"] == "scored":
                raise RuntimeError(f"{row['video']} was given a grade that nothing supports.")
        # MLflow was told beside the work; at the end of the walk it must know both.
        told(0.9, "MLflow is told of both versions")
        facts["mlflow"] = [
            demo.wait_for_mlflow(state["model"]["id"], "champion")["mlflow"],
            demo.wait_for_mlflow(state["challenger"]["id"])["mlflow"],
        ]
        return facts | {"sentence": phantom["sentence"], "videos": len(videos)}

    screen.stage("score", "The public scorer scores videos it has never seen", score)


def _one_more(demo: Demo, folders: list[str], folder: Path, told: Told) -> None:
    demo.contribute(folders, told)
    answers = demo.screen(folders, told)
    for name, answer in answers.items():
        if answer["state"] != "screened":
            raise RuntimeError(f"{name} did not pass: {answer['blocking']}")
        demo.eyes.learn(folder / name)
    demo.curate(folders, told)


def _model_facts(model: Facts) -> Facts:
    report = model["report"]["image_score"]
    return {
        "version": model["identifier"],
        "state": model["state"],
        "rmse": report["rmse"],
        "constant_rmse": report["constant_rmse"],
        "human_rmse": report["human_rmse"],
        "r": report["r"],
        "refused_by": [row["gate"] for row in model["verdicts"] if row["passed"] is False],
        "sentence": f"{model['identifier']}: RMSE {report['rmse']:.2f} "
        f"(always the mean: {report['constant_rmse']:.2f})",
    }

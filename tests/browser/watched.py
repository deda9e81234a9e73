"""What the pages about watching and validating show: drawn weeks, readings, a study, a call."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np


def weeks(version: Any) -> None:
    """Give a version a reference and six weeks of counts; the last one has other coats."""
    from django.utils import timezone

    from amgs.scoring.models import WatchedWeek, WatchReference
    from amgs.scoring.watching import monday
    from models.glance import COAT, features
    from models.scale import load_scale

    rng = np.random.default_rng(0)
    known = features(load_scale())
    shapes = {one.key: rng.dirichlet(np.full(one.bins, 2.0)) for one in known}

    def counts(n: int, drifted: bool = False) -> dict[str, list[float]]:
        told = {key: rng.multinomial(n, p).astype(float).tolist() for key, p in shapes.items()}
        if drifted:
            told[COAT] = [2.0, float(n - 2), *[0.0] * (len(told[COAT]) - 2)]
        return told

    reference = counts(60)
    reference[COAT] = [52.0, 8.0, *[0.0] * (len(reference[COAT]) - 2)]
    WatchReference.objects.create(
        model_version=version, recordings=60, counts=reference, coats_right=0.97
    )
    today = monday(timezone.localdate())
    for back, n in enumerate((41, 38, 3, 44, 29, 35)):
        week = today - timedelta(days=7 * back)
        WatchedWeek.objects.create(
            week=week, model_version=version, recordings=n, counts=counts(n, drifted=back == 0)
        )


def readings(version: Any) -> None:
    """Give a version a day of readings of its probe, the last one moved."""
    from django.utils import timezone

    from amgs.scoring.models import ProbeReading
    from amgs.scoring.probing import keep

    state = ProbeReading.State
    for number in range(40):
        kind = state.FINE if number else state.REFERENCE
        row = keep(version, kind, "As at first.", moved_by=0.001 * (number % 3), seconds=1.4)
        at = timezone.now() - timedelta(minutes=30 * (41 - number))
        ProbeReading.objects.filter(pk=row.pk).update(created_at=at)
    sentence = "The answer moved by 0.210 grades (score); 0.02 are tolerated."
    keep(version, state.MOVED, sentence, moved_by=0.21, seconds=1.5)


def validation(version: Any) -> None:
    """Give a version a validation page of drawn animals: an effect, none, and too few."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import Validation
    from curation.validation import FEWEST_UNITS, LEAST_EFFECT, LEVEL, describe
    from models.scale import load_scale

    scale = load_scale()
    parts = [
        _study("Harbour", "post_surgical", scale.coat_keys[0], 20, 0.8, 0.6, drugged=9),
        _study("Meadow", "neuropathic", scale.coat_keys[1], 12, 0.0, 0.0),
        _study("Meadow", "inflammatory", scale.coat_keys[1], 4, 0.5, 0.5),
    ]
    import pandas as pd

    frames = pd.concat([frames for frames, _ in parts])
    design = {key: one for _, held in parts for key, one in held.items()}
    job = Job.objects.create(
        kind="scoring.validate_model", queue="train", state="done", due_at=timezone.now()
    )
    content = {
        "model": version.identifier,
        "model_id": version.public_id,
        "bundle_digest": version.digest,
        "snapshot": "01SNAPSHOT",
        "snapshot_digest": "c" * 64,
        "phantom": True,
        "made_at": "2026-01-31T10:00:00+00:00",
        "rules": {"fewest_units": FEWEST_UNITS, "least_effect": LEAST_EFFECT, "level": LEVEL},
        "claims": describe({"unseen_animals": frames}, design, {}, scale),
    }
    Validation.objects.create(model_version=version, job=job, content=content, digest="d" * 64)


def _study(
    lab: str, assay: str, coat: str, animals: int, raters: float, model: float, drugged: int = 0
) -> tuple[Any, dict[str, Any]]:
    import pandas as pd

    from curation.validation import Observation
    from models.scale import load_scale

    rng = np.random.default_rng(len(lab + assay))
    rows, design = [], {}
    for number in range(animals):
        drug = "carprofen" if number < drugged else "vehicle"
        base = rng.normal(0.3, 0.1)
        for name, hours in (("baseline", -24.0), ("after", 4.0)):
            key = f"{lab}-{assay}-{number}-{name}"
            animal = f"{lab}-{assay}-{number}"
            design[key] = Observation(name, animal, hours=hours, assay=assay, drug=drug)
            part = (hours > 0) * (0.5 if drug == "carprofen" else 1.0)
            truth, score = (
                base + part * effect + rng.normal(0, 0.12) for effect in (raters, model)
            )
            cells = {f"{unit}__truth": truth for unit in load_scale().unit_keys}
            cells |= {f"{unit}__expected": score for unit in load_scale().unit_keys}
            place = {"lab": lab, "coat": coat, "assay": assay, "sex": "female"}
            names = {"animal": animal, "observation": key, "truth": truth, "score": score}
            rows.append(place | names | cells)
    return pd.DataFrame(rows), design


def second_score(first_token: str, version: Any, told: dict[str, Any]) -> str:
    """Score a recording again with another version, somewhat higher; return the token."""
    from django.utils import timezone

    from amgs.core.models import Job
    from amgs.scoring.models import ToolRun

    first = ToolRun.objects.get(token=first_token)
    bins = [
        one | {"score": min(one["score"] + 0.05 + 0.2 * (place > 20), 2.0)}
        if one["score"] is not None
        else one
        for place, one in enumerate(told["bins"])
    ]
    job = Job.objects.create(
        kind="scoring.score_video", queue="score", state="done", due_at=timezone.now()
    )
    run = ToolRun.objects.create(
        name=first.name,
        job=job,
        model_version=version,
        rescored_from=first,
        parameters={"model": version.public_id},
        result=told | {"bins": bins, "score": told["score"] + 0.2},
        provenance=first.provenance
        | {"model": version.identifier, "model_id": version.public_id, "bundle_digest": "e" * 64},
    )
    return run.token

"""What the site needs of ``models.study``, with next to no statistics."""

from __future__ import annotations

import json
import zipfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class StudyRow:
    name: str
    animal: str
    cage: str
    group: str
    time_h: float
    dose: str
    result: Path
    predictions: Path | None = None
    excluded: str = ""
    human_score: float | None = None


@dataclass(frozen=True)
class StudyPlan:
    unit: str = "animal"
    primary: str = "mean_score"
    primary_time_h: float | None = None
    units: tuple[str, ...] = ()
    baseline_h: float | None = None
    control: str = ""
    vehicle: str = ""
    drug: str = ""
    cut_off: float | None = None
    alpha: float = 0.05
    gated: bool = True
    draws: int = 9999
    seed: int = 0
    least_effect: float = 0.1
    locked_on: str = ""

    @classmethod
    def from_json(cls, data):
        known = {field.name for field in fields(cls)}
        if unknown := set(data) - known:
            raise ValueError(f"unknown fields {sorted(unknown)}")
        return cls(**{**data, "units": tuple(data.get("units", ()))})

    def check(self, scale):
        pass

    def to_json(self):
        return {**asdict(self), "units": list(self.units)}


def run_study(rows, plan, out, on_progress=None):
    means = {}
    for row in rows:
        told = json.loads(Path(row.result).read_text())["result"]
        if not row.excluded:
            means.setdefault(row.group, []).append(told["score"])
    (out / "course.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="600" height="300">'
        '<rect width="600" height="300" fill="#fff"/>'
        '<path d="M20 280 L580 30" stroke="#065"/></svg>'
    )
    (out / "course.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (out / "groups.csv").write_text("group,mean\n")
    (out / "methods.txt").write_text("Grimace was scored.")
    (out / "report.html").write_text("<!doctype html><title>Study</title>")
    report = {
        "warnings": ["There are few units: 2 in one group."],
        "figures": [{"name": "course", "title": "Time course", "alt": "Mean score over time."}],
        "tables": [
            {
                "name": "groups",
                "title": "Groups",
                "columns": ["group", "mean"],
                "rows": [
                    [key, sum(v for v in values if v is not None) / len(values)]
                    for key, values in means.items()
                ],
            }
        ],
        "methods": "Grimace was scored by the stand-in.",
    }
    (out / "report.json").write_text(json.dumps(report))
    with zipfile.ZipFile(out / "study.zip", "w") as archive:
        archive.write(out / "report.json", "report.json")
    if on_progress:
        on_progress(1.0, "done")
    return report

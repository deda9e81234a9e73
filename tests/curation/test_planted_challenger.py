"""A challenger that learned one lab's labels shuffled is refused, and the gates name that lab."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from curation.gates import PROFILES, Evidence, judge, refused_by
from curation.side_by_side import worst_groups
from models.compare import compare
from models.scale import load_scale

LABS = ("Harbour", "Meadow", "Field")
COAT = load_scale().coat_keys[0]


def evaluated(folder: Path, truth: pd.DataFrame, said: np.ndarray) -> Path:
    """An evaluation folder in which a model said this of the frames."""
    folder.mkdir()
    table = truth.assign(score=np.clip(said, 0, 2))
    for unit in load_scale().unit_keys:
        table[f"{unit}__truth"] = truth["truth"]
        table[f"{unit}__grade"] = np.round(table["score"])
    table.to_parquet(folder / "predictions.parquet")
    (folder / "report.json").write_text(json.dumps({"benchmark_digest": "b" * 64}))
    return folder


@pytest.fixture
def frames() -> pd.DataFrame:
    """Twelve animals of each lab, ten frames of each, with what raters say."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "frame": f"{lab}-{animal}-{frame}",
            "dataset": "AMGS-000001/1",
            "lab": lab,
            "animal": f"{lab}-{animal}",
            "coat": COAT,
            "truth": float(np.clip(rng.normal(animal / 8, 0.3), 0, 2)),
        }
        for lab in LABS
        for animal in range(12)
        for frame in range(10)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("profile", ["standard", "demo"])
def test_the_lab_whose_labels_were_shuffled_is_named(
    frames: pd.DataFrame, challenger: Evidence, tmp_path: Path, profile: str
) -> None:
    rng = np.random.default_rng(6)
    truth = frames["truth"].to_numpy()
    champion = truth + rng.normal(0, 0.2, len(frames))
    # A little better wherever its labels were true; where they were not, it learned the mean.
    planted = truth + rng.normal(0, 0.17, len(frames))
    meadow = (frames["lab"] == "Meadow").to_numpy()
    planted[meadow] = truth[meadow].mean() + rng.normal(0, 0.1, meadow.sum())
    found = compare(
        evaluated(tmp_path / "challenger", frames, planted),
        evaluated(tmp_path / "champion", frames, champion),
        draws=200,
    )
    verdicts = judge(replace(challenger, comparison=found), PROFILES[profile])
    refused = refused_by(verdicts)
    assert f"non_inferiority:Meadow|{COAT}" in refused
    assert {gate.partition(":")[2] for gate in refused} <= {"", f"Meadow|{COAT}"}
    sentence = next(v.sentence for v in verdicts if v.gate == f"non_inferiority:Meadow|{COAT}")
    assert "in lab Meadow" in sentence
    assert worst_groups(found)[0]["group"] == f"Meadow|{COAT}"
    assert {row["lab"] for row in found["differ"]} == {"Meadow"}

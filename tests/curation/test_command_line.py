"""`python -m curation agreement TABLE…` and `python -m curation check FOLDER`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from curation.__main__ import main
from curation.folder import UnreadableFolder, facts_of_folder
from models.scale import load_scale

SCALE = load_scale()
WIDE = "filename,ot1,nb1,ot2,nb2,ot4,nb4\n" + "".join(
    f"f{n}.png,{n % 3},{n % 2},{n % 3},9,{(n + n // 7) % 3},-\n" for n in range(30)
)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """The folder of a small lab with two stills and a score sheet, in order."""
    folder = tmp_path / "lab-a"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for number in (1, 2):
        picture = rng.integers(0, 255, (320, 400, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"r{number:04d}.png"), picture)
    (folder / "scores.csv").write_text(
        f"file,frame,rater,{','.join(SCALE.unit_keys)}\n"
        "r0001.png,0,1,0,1,2,9,-\nr0002.png,0,1,0,1,2,9,-\n"
    )
    (folder / "truth.csv").write_text("file,frame\nr0001.png,0\n")
    _describe(folder)
    return folder


def _describe(folder: Path, **changes: Any) -> None:
    told = {
        "title": "A small study",
        "phantom": True,
        "licence": "CC0-1.0",
        "ethics": "None needed: rendered",
        "metadata": {
            "assay": "post_surgical",
            "assigned_unit": "animal",
            "people_and_cards": "none_seen",
        },
        "permissions": dict.fromkeys(("outside_raters", "train", "show_frames", "download"), True),
        "groups": [{"name": "one", "treatment": {}}],
        "animals": [
            {
                "name": "m1",
                "group": "one",
                "cage": "c1",
                "sex": "female",
                "strain": "CD-1",
                "coat": SCALE.coat_keys[0],
                "age_weeks": 9,
            }
        ],
        "observations": [
            {"animal": "m1", "name": "baseline", "hours_after_procedure": -24.0},
            {"animal": "m1", "name": "after", "hours_after_procedure": 4.0},
        ],
        "recordings": [
            {"file": "r0001.png", "animal": "m1", "observation": "baseline"},
            {"file": "r0002.png", "animal": "m1", "observation": "after"},
        ],
    }
    (folder / "dataset.json").write_text(json.dumps(told | changes))


def test_agreement_prints_figures_and_writes_them_with_the_problems(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, out = tmp_path / "t.csv", tmp_path / "o.json"
    table.write_text(WIDE + "g.png,3,0,0,0,0,0\n")
    assert main(["agreement", str(table), "--json", str(out), "--draws", "20"]) == 0
    found = json.loads(out.read_text())
    assert list(found["units"]) == list(SCALE.unit_keys[:2])
    first = found["units"][SCALE.unit_keys[0]]
    assert first["n_frames"] == 31
    assert first["n_raters"] == 3
    assert 0 < first["kappa_pairwise_quadratic"] < 1
    assert len(first["icc_2_k_interval"]) == 2
    assert [(problem["row"], problem["column"]) for problem in found["problems"]] == [(32, "ot1")]
    printed = capsys.readouterr()
    assert SCALE.units[0].title in printed.out
    assert "row 32, column ot1" in printed.err


def test_a_wide_sheet_of_eleven_raters_with_every_odd_cell_is_read(tmp_path: Path) -> None:
    numbers = [number for number in range(1, 13) if number != 7]
    shorts = ("ot", "nb", "cb", "ep", "wc")
    rng = np.random.default_rng(3)
    rows = []
    for picture in range(40):
        truth = rng.uniform(-0.5, 2.0)
        cells = [str(int(np.clip(round(truth + rng.normal(0, 0.4)), 0, 2))) for _ in range(55)]
        for at in rng.choice(55, 15, replace=False):
            cells[at] = str(rng.choice(["9", "-", ""]))
        rows.append(f"p{picture}.png," + ",".join(cells))
    rows[4] = "p4.png,3," + rows[4].split(",", 2)[2]
    header = "filename," + ",".join(f"{short}{number}" for number in numbers for short in shorts)
    table, out = tmp_path / "wide.csv", tmp_path / "o.json"
    table.write_text("\n".join([header, *rows]) + "\n")
    assert main(["agreement", str(table), "--json", str(out), "--draws", "30"]) == 0
    found = json.loads(out.read_text())
    assert list(found["units"]) == list(SCALE.unit_keys)
    assert found["n_raters"] == 11
    assert "7" not in found["raters"]
    assert [problem["row"] for problem in found["problems"]] == [6]
    for row in found["units"].values():
        assert 0 < row["not_scorable"] < 0.2
        assert row["icc_1_1"] > 0.3
        assert row["icc_2_k_interval"][0] < row["icc_2_k"]


def test_a_long_sheet_and_several_sheets_are_compared(tmp_path: Path) -> None:
    header = "file,rater," + ",".join(SCALE.unit_keys)
    for name, shift in (("one.csv", 0), ("two.csv", 1)):
        lines = [
            f"f{n}.png,{rater},{n % 3},{(n + shift * rater) % 3},9,-,{n % 2}"
            for n in range(20)
            for rater in (1, 3)
        ]
        (tmp_path / name).write_text("\n".join([header, *lines]) + "\n")
    out = tmp_path / "o.json"
    tables = [str(tmp_path / "one.csv"), str(tmp_path / "two.csv")]
    assert main(["agreement", *tables, "--json", str(out), "--draws", "10"]) == 0
    found = json.loads(out.read_text())
    assert list(found["datasets"]) == ["one.csv", "two.csv"]
    assert found["n_raters"] == 4
    assert found["n_frames"] == 40
    first, second = SCALE.unit_keys[:2]
    assert found["datasets"]["one.csv"]["units"][second]["exact"] == 1
    assert found["datasets"]["two.csv"]["units"][second]["exact"] < 1
    assert found["units"][first]["kappa_pairwise_quadratic"] == 1
    assert found["units"][SCALE.unit_keys[2]]["not_scorable"] == 1
    assert SCALE.unit_keys[3] not in found["units"]
    assert main(["agreement", tables[0], "--json", str(out), "--draws", "0"]) == 0
    assert "datasets" not in json.loads(out.read_text())


def test_agreement_of_what_is_no_sheet_ends_with_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "t.csv"
    table.write_text("dear diary")
    assert main(["agreement", str(table)]) == 2
    assert "t.csv is no score sheet" in capsys.readouterr().err


def test_the_quorum_is_simulated_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, picture = tmp_path / "o.json", tmp_path / "curve.svg"
    assert main(["quorum", "--frames", "60", "--json", str(out), "--draw", str(picture)]) == 0
    found = json.loads(out.read_text())
    assert found["plain"]["5"]["ratings"] == 1
    assert found["fixed"]["2"]["ratings"] == pytest.approx(0.4)
    assert "asked where open" in capsys.readouterr().out
    assert picture.read_text(encoding="utf-8").startswith("<?xml")


def test_a_sound_folder_passes_and_its_truth_is_no_score_sheet(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "o.json"
    assert main(["check", str(lab), "--json", str(out)]) == 0
    assert "blocks" not in capsys.readouterr().out
    found = json.loads(out.read_text())
    assert [sheet["file"] for sheet in found["facts"]["labels"]] == ["scores.csv"]
    assert found["facts"]["has_grades"]
    bad = {one["check"] for one in found["outcomes"] if not one["passed"]}
    # No face finder looks at a folder, and nothing is compared with other datasets.
    assert bad == {"phantom", "measured"}


def test_a_planted_fault_blocks(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (lab / "r0002.png").write_text("no picture")
    _describe(lab, licence="")
    assert main(["check", str(lab)]) == 1
    printed = capsys.readouterr().out
    assert "blocks   Licence: No licence is chosen" in printed
    assert "blocks   Recordings can be opened: 1 recording cannot be opened" in printed


def test_a_sheet_of_other_recordings_blocks(lab: Path) -> None:
    text = (lab / "scores.csv").read_text().replace("r000", "x000")
    (lab / "scores.csv").write_text(text)
    (lab / "notes.csv").write_text("dear diary")
    facts = facts_of_folder(lab)
    assert [(one.frames_matched, one.frames_unmatched) for one in facts.labels] == [(0, 0), (0, 2)]
    assert not facts.has_grades
    assert main(["check", str(lab)]) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "holds no dataset.json"),
        ("{", "not valid JSON"),
        ("[]", "not valid JSON"),
        ('{"animals": [{}]}', "not laid out as expected"),
        ('{"animals": 5}', "not laid out as expected"),
    ],
)
def test_a_folder_without_a_readable_description_is_refused(
    tmp_path: Path, content: str | None, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / "dataset.json").write_text(content)
    with pytest.raises(UnreadableFolder, match=sentence):
        facts_of_folder(tmp_path)
    assert main(["check", str(tmp_path)]) == 2
    assert sentence in capsys.readouterr().err

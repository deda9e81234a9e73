"""`amgs labels`: look at a label file, answer, import, undo and redo it from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amgs.repository.models import LabelImport, PictureClass, Rating
from amgs_client.__main__ import main

pytestmark = pytest.mark.django_db(transaction=True)

DECLARED = {
    "scored_from": "video",
    "raters_blind": "yes",
    "frames_chosen": "random",
    "raters_experience": "ten years",
}
LONG = "file,frame,rater,ot,nb,cb,ep,wc\nr0001.mp4,2,anna,0,1,2,9,-\nr0001.mp4,3,anna,0,1,7,0,0\n"


@pytest.fixture
def amgs(live_server, token_of, alice, worker, monkeypatch, tmp_path, capsys):
    """Run the command line as Alice; return its status and all it said."""
    monkeypatch.setenv("AMGS_SITE", live_server.url)
    monkeypatch.setenv("AMGS_TOKEN", token_of(alice))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*words: object) -> tuple[int, str]:
        status = main([str(word) for word in words])
        said = capsys.readouterr()
        return status, " ".join((said.out + said.err).split())

    return run


@pytest.fixture
def version(draft):
    """Alice's draft with two films of one animal."""
    return draft(animals=1, grades=False)


def test_a_sheet_is_looked_at_answered_imported_undone_and_redone(
    amgs, version, tmp_path: Path
) -> None:
    sheet, answers = tmp_path / "scores.csv", tmp_path / "answers.json"
    sheet.write_text(LONG)
    name = version.identifier
    status, said = amgs("labels", sheet, "--dataset", name)
    assert status == 1
    assert "ot → Orbital tightening" in said
    assert "Not imported" in said  # nobody is there to say yes
    assert not Rating.objects.exists()

    status, said = amgs("labels", sheet, "--dataset", name, "--yes")
    assert (status, "not declared" in said) == (1, True)
    answers.write_text(json.dumps({"declared": DECLARED, "mapping": {"frames_from": 1}}))
    status, said = amgs("labels", sheet, "--dataset", name, "--answers", answers, "--yes")
    assert status == 0, said
    assert "'scores.csv' is imported: 7 graded, 1 not scorable, 1 not assigned" in said
    assert "scores.csv, row 3, column cb: 7 is not possible" in said
    row = LabelImport.objects.get()
    assert set(Rating.objects.values_list("frame__number", flat=True)) == {1, 2}

    status, said = amgs("labels", sheet, "--dataset", name, "--yes")
    assert (status, "nothing was doubled" in said) == (0, True)
    status, said = amgs("labels", "--undo", row.public_id)
    assert (status, Rating.objects.visible().exists()) == (0, False)
    status, said = amgs("labels", "--redo", row.public_id)
    assert (status, Rating.objects.visible().count()) == (0, 8), said


def test_what_is_asked_and_what_is_unknown_end_with_a_sentence(amgs, version, tmp_path) -> None:
    means = tmp_path / "means.csv"
    means.write_text("mouse,day,score\nm1,baseline,8\n")
    status, said = amgs("labels", means, "--dataset", version.identifier, "--yes")
    assert status == 1
    assert "conversion = 0-8:share: The sum of 4 units, 0 to 8." in said
    assert "--answers" in said
    other = tmp_path / "weights.csv"
    other.write_text("name,weight\nm1,23\n")
    status, said = amgs("labels", other, "--dataset", version.identifier, "--yes")
    assert (status, "is no score sheet" in said) == (1, True)
    status, said = amgs("labels", means)
    assert (status, "--dataset" in said) == (1, True)
    strange = tmp_path / "answers.json"
    strange.write_text('{"colour": 1}')
    status, said = amgs("labels", means, "--dataset", version.identifier, "--answers", strange)
    assert (status, "'colour'" in said) == (1, True)


def test_a_folder_of_classes_is_sent_as_an_archive(amgs, version, clip, tmp_path, alice) -> None:
    import cv2
    import numpy as np

    from amgs_client import Client

    folder = tmp_path / "faces"
    for place in ("pain/a.png", "no pain/b.png"):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((40, 60, 3), 90 + len(place), np.uint8))
    import os

    with Client(os.environ["AMGS_SITE"], os.environ["AMGS_TOKEN"]) as client:
        for path in folder.rglob("*.png"):
            client.add_recording(version.public_id, path, path.name, "m1", "after")
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({"declared": DECLARED}))
    name = version.identifier
    status, said = amgs("labels", folder, "--dataset", name, "--answers", answers, "--yes")
    assert status == 0, said
    assert set(PictureClass.objects.values_list("label", flat=True)) == {"pain", "no pain"}
    status, said = amgs("labels", folder, "--dataset", name, "--yes")
    assert (status, "nothing was doubled" in said) == (0, True)

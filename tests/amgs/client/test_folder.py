"""What the command line says of folders and of what is unfinished."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from amgs_client.__main__ import main
from amgs_client.folder import look_at, plan_of

MIB = 1024 * 1024


@pytest.fixture
def amgs(live_server, alice, token_of, monkeypatch, capsys):
    """Give a command as Alice; return its exit status and what it said."""
    monkeypatch.setenv("AMGS_TOKEN", token_of(alice))
    monkeypatch.setenv("AMGS_SITE", live_server.url)

    def give(*words: str) -> tuple[int, str]:
        status = main(list(words))
        told = capsys.readouterr()
        return status, " ".join((told.out + told.err).split())

    return give


def test_a_folder_without_a_plan_is_its_videos_and_stills(tmp_path: Path) -> None:
    for name in ("b.MP4", "day 1/a.png", "notes.txt", ".hidden.mp4", ".git/c.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert [row["file"] for row in plan_of(tmp_path)["recordings"]] == ["b.MP4", "day 1/a.png"]
    assert look_at(tmp_path) == []
    assert look_at(tmp_path / "day 1") == []
    assert "is no folder" in look_at(tmp_path / "absent")[0]
    (tmp_path / "empty").mkdir()
    assert "no videos or stills" in look_at(tmp_path / "empty")[0]


def test_what_would_stop_a_folder_is_said_before_anything_is_sent(tmp_path: Path, capsys) -> None:
    plan = {
        "observations": [{"animal": "m1", "name": "baseline"}],
        "recordings": [
            {"file": "a.mp4", "animal": "m1", "observation": "later"},
            {"file": "a.mp4"},
            {"file": "gone.mp4"},
        ],
    }
    (tmp_path / "dataset.json").write_text(json.dumps(plan))
    (tmp_path / "a.mp4").touch()
    assert main(["validate", str(tmp_path)]) == 1
    told = " ".join(capsys.readouterr().err.split())
    for sentence in (
        "'a.mp4' is empty",
        "'a.mp4' belongs to 'later' of 'm1', which the design lacks",
        "'a.mp4' is listed twice",
        "'gone.mp4' is listed in dataset.json, but there is no such file",
    ):
        assert sentence in told
    (tmp_path / "dataset.json").write_text("{")
    assert main(["upload", str(tmp_path)]) == 1
    assert "cannot be read as JSON" in " ".join(capsys.readouterr().err.split())


@pytest.mark.django_db(transaction=True)
def test_what_is_unfinished_is_shown_and_given_up(amgs, alice, harbour) -> None:
    from amgs.files import services
    from amgs.files.storage import get_storage

    upload = services.open_upload(
        user=alice, lab=harbour, name="a.mp4", size=16 * MIB, purpose="recording"
    )
    get_storage().put(services.part_key(upload, 1), bytes(8 * MIB))
    status, told = amgs("status")
    assert (status, f"{upload.public_id} 50 % has arrived a.mp4" in told) == (0, True)
    assert amgs("discard", upload.public_id) == (0, f"{upload.public_id} was given up.")
    assert "Unfinished" not in amgs("status")[1]
    status, told = amgs("discard", upload.public_id)
    assert (status, "cannot be given up" in told) == (1, True)


@pytest.mark.django_db(transaction=True)
def test_a_file_that_is_there_with_other_bytes_is_not_replaced(
    amgs, alice, harbour, worker, tmp_path
) -> None:
    from amgs.repository.services import create_dataset

    version = create_dataset(by=alice, lab=harbour, title="Films", licence="CC0-1.0", metadata={})
    words = ("upload", str(tmp_path), "--dataset", version.identifier)
    (tmp_path / "a.mp4").write_bytes(b"as it was")
    assert "1 sent and checked" in amgs(*words)[1]
    (tmp_path / "a.mp4").write_bytes(b"cut later")
    status, told = amgs(*words)
    assert (status, "is there already with other bytes" in told) == (1, True)
    assert "stored with other bytes" in amgs("validate", *words[1:])[1]

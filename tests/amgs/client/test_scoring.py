"""Many recordings are scored into a folder, once each, whatever breaks off."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from amgs_client import Client, Score, SiteError
from amgs_client.__main__ import main
from amgs_client.score_folder import COLUMNS, find

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]


@pytest.fixture
def amgs(live_server, monkeypatch, tmp_path, capsys):
    """Run the command line against the site; return exit status and what it printed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("AMGS_TOKEN", raising=False)
    monkeypatch.chdir(tmp_path)

    def run(*words: str, token: str = "") -> tuple[int, str, str]:
        if token:
            monkeypatch.setenv("AMGS_TOKEN", token)
        status = main(["--site", live_server.url, *words])
        return status, *capsys.readouterr()

    return run


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(newline="") as file:
        return {row["recording"]: row for row in csv.DictReader(file)}


def counts() -> tuple[int, int]:
    from amgs.files.models import Upload
    from amgs.scoring.models import ToolRun

    return Upload.objects.filter(purpose="score").count(), ToolRun.objects.count()


def test_a_folder_is_scored_and_only_what_is_missing_is_done_again(
    amgs, serving, worker, film, tmp_path, alice, token_of
):
    clips = tmp_path / "clips"
    first = film(clips / "a.mp4", 1)
    film(clips / "day 2" / "b.mp4", 2)
    (clips / "notes.txt").write_text("no film")
    token = token_of(alice)
    status, told, _ = amgs("score", "clips", "--out", "results", token=token)
    assert status == 0
    assert {line.partition(":")[0] for line in told.splitlines()} == {"a.mp4", "day 2/b.mp4"}
    out = tmp_path / "results"
    for name in ("a.mp4", "day 2/b.mp4"):
        assert {"result.json", "predictions.parquet", "frames.csv"} <= {
            path.name for path in (out / name).iterdir()
        }
    rows = table(out)
    row, result = rows["a.mp4"], json.loads((out / "a.mp4" / "result.json").read_text())
    assert tuple(row) == COLUMNS
    assert float(row["coverage"]) == pytest.approx(result["result"]["coverage"], rel=1e-5)
    if result["result"]["score"] is not None:
        assert float(row["score"]) == pytest.approx(result["result"]["score"], rel=1e-5)
    assert (row["model"], row["phantom"]) == (serving.identifier, "yes")
    assert row["not_independent"] in {"yes", "no", "unknown"}
    assert row["file_sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert counts() == (2, 2)

    film(clips / "c.mp4", 3)
    (out / "a.mp4" / "frames.csv").unlink()  # nobody looks for what a person removed
    status, told, said = amgs("score", "clips", "--out", "results", "--json", token=token)
    assert status == 0
    assert {json.loads(line)["recording"] for line in told.splitlines()} == set(table(out))
    assert "1 scored, 2 scored before" in " ".join(said.split())
    assert counts() == (3, 3)
    # Another device, or a folder that was lost: the site knows what it has.
    status, *_ = amgs("score", "clips", "--out", "elsewhere", token=token)
    assert status == 0
    assert counts()[1] == 3
    assert {row["token"] for row in table(tmp_path / "elsewhere").values()} == {
        row["token"] for row in table(out).values()
    }


def test_what_failed_is_said_by_the_exit_status(amgs, serving, worker, film, tmp_path, settings):
    film(tmp_path / "good.mp4", 1)
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "odd.mp4").write_bytes(b"this is no film")
    status, told, _ = amgs("score", "*.mp4", "--out", "out")
    assert status == 3
    rows = table(tmp_path / "out")
    assert rows["empty.mp4"]["state"] == "not_sent"
    assert "empty" in rows["empty.mp4"]["sentence"]
    assert rows["good.mp4"]["state"] == "scored"
    # A file that is no film is an answer about the file.
    assert (rows["odd.mp4"]["state"], rows["odd.mp4"]["outcome"]) == ("scored", "unreadable")
    assert rows["odd.mp4"]["score"] == ""
    assert json.loads((tmp_path / "out" / "odd.mp4" / "result.json").read_text())["provenance"]
    assert "empty.mp4: The file is empty" in told
    status, _, said = amgs("score", "nothing.mp4", "--out", "out")
    assert (status, "no file 'nothing.mp4'" in said) == (1, True)


def test_scores_are_asked_for_now_and_fetched_later(amgs, serving, film, tmp_path, run_jobs):
    film(tmp_path / "a.mp4", 1)
    stop = threading.Event()
    thread = threading.Thread(target=_check_uploads, args=(stop,))
    thread.start()
    try:
        status, told, _ = amgs("score", "a.mp4", "--no-wait")
        assert status == 0
        assert "/score/" in told
        assert table(tmp_path / "results")["a.mp4"]["state"] == "asked"
        assert not (tmp_path / "results" / "a.mp4" / "result.json").exists()
        status, *_ = amgs("score", "a.mp4", "--timeout", "1")
        assert status == 5
    finally:
        stop.set()
        thread.join()
    run_jobs()
    status, *_ = amgs("score", "a.mp4")
    assert status == 0
    assert table(tmp_path / "results")["a.mp4"]["state"] == "scored"
    assert counts() == (1, 1)


def _check_uploads(stop: threading.Event) -> None:
    """Work on uploads alone, as a site whose scorers are busy."""
    from django.db import connection

    from amgs.core import jobs
    from amgs.core.models import Job

    while not stop.wait(0.05):
        rows = Job.objects.filter(kind="files.check_upload", state="queued")
        for public_id in list(rows.values_list("public_id", flat=True)):
            jobs.run(public_id)
    connection.close()


def test_a_score_that_failed_is_asked_for_anew(amgs, serving, worker, film, tmp_path, monkeypatch):
    from amgs.core.errors import Refused
    from amgs.scoring import services

    film(tmp_path / "a.mp4", 1)
    whole = services.grading_model
    asked = []

    def fails_once(*given):
        asked.append(given)
        if len(asked) == 2:  # the first time the site asks, the second time the job
            raise Refused("The model was being replaced.")
        return whole(*given)

    monkeypatch.setattr(services, "grading_model", fails_once)
    status, told, _ = amgs("score", "a.mp4")
    assert status == 4
    assert "The model was being replaced." in told
    status, *_ = amgs("score", "a.mp4")
    assert status == 0
    assert counts() == (1, 2)


def test_a_killed_client_goes_on_without_sending_or_scoring_twice(
    live_server, serving, worker, film, tmp_path, until, bad_network, settings
):
    """Without an account: the site remembers nothing, the folder does."""
    from amgs.files.models import Upload
    from amgs.files.queries import held_parts
    from amgs.scoring.models import ToolRun

    mib = 1024 * 1024
    settings.UPLOAD_PART_BYTES = mib
    clips = tmp_path / "clips"
    film(clips / "a.mp4", 1)
    with (clips / "a.mp4").open("ab") as file:  # what follows the film does no harm
        file.write(os.urandom(8 * mib))
    film(clips / "b.mp4", 2)
    network = bad_network(live_server.url, share=0, hold=4 * mib, stall=60)

    def start() -> subprocess.Popen:
        environment = os.environ | {
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "PYTHONPATH": str(ROOT / "platform"),
        }
        environment.pop("AMGS_TOKEN", None)
        command = [sys.executable, "-m", "amgs_client", "--site", network.url]
        command += ["score", str(clips), "--out", str(tmp_path / "out"), "--lanes", "2"]
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def arrived() -> bool:
        upload = Upload.objects.filter(name="a.mp4").first()
        return upload is not None and len(held_parts(upload)) >= 2

    device = start()
    until("two parts arrive", arrived)
    device.kill()
    device.communicate()
    network.be_good()
    before = network.counts().get("bytes put", 0)
    device = start()
    told = device.communicate(timeout=150)[0]
    assert device.returncode == 0, told
    assert Upload.objects.filter(name="a.mp4").count() == 1
    assert network.counts()["bytes put"] - before < 8 * mib
    assert ToolRun.objects.count() == 2
    assert set(table(tmp_path / "out")) == {"a.mp4", "b.mp4"}
    device = start()
    told = device.communicate(timeout=60)[0]
    assert "0 scored, 2 scored before" in " ".join(told.split())
    assert ToolRun.objects.count() == 2


def test_two_animals_share_one_upload(amgs, serving, worker, film, tmp_path):
    film(tmp_path / "a.mp4", 1)
    status, *_ = amgs(
        *("score", "a.mp4", "--region", "left=0,0,160,240", "--region", "right=160,0,320,240")
    )
    assert status == 0
    rows = table(tmp_path / "results")
    assert {row["region"] for row in rows.values()} == {"left", "right"}
    assert counts() == (1, 2)


def test_the_library_scores_and_lists(
    live_server, serving, worker, film, tmp_path, alice, token_of
):
    path = film(tmp_path / "a.mp4", 1)
    told, sent = [], []
    with Client(live_server.url, token_of(alice)) as site:
        score = site.score(path, told=told.append, sent=lambda *given: sent.append(given))
        assert isinstance(score, Score)
        assert score.state == "done"
        assert score.is_over
        assert score.model == serving.identifier
        assert score.phantom is True
        assert 0 <= score.coverage <= 1
        low, high = score.interval or (score.score, score.score)
        assert low <= score.score <= high
        assert "welfare" in score.disclaimer
        assert told[-1].state == "done"
        assert sent[-1] == (path.stat().st_size, path.stat().st_size)
        again = site.score(path, wait=False)
        assert again.token == score.token
        assert site.wait(again).token == score.token
        assert [one.token for one in site.scores()] == [score.token]
        chosen = site.score(path, model=serving.identifier, name="again")
        assert (chosen.model, chosen.name) == (serving.identifier, "again")
        assert site.result_file(score, "predictions.parquet")[:4] == b"PAR1"
        with pytest.raises(SiteError, match="There is no"):
            site.score(path, model="mouse-v99")


def test_a_score_reads_the_sites_answer():
    result = {"score": 0.5, "score_interval": [0.4, 0.7], "independence": {"independent": "no"}}
    job = {"state": "done", "progress": 1.0, "note": "", "error": ""}
    whole = {"token": "t", "name": "a", "job": job, "result": result, "provenance": None}
    score = Score.of(whole)
    assert (score.interval, score.not_independent, score.model) == ((0.4, 0.7), True, "")
    assert Score.of(whole | {"result": None}).score is None
    for said, means in (("yes", False), ("unknown", None)):
        told = result | {"independence": {"independent": said}}
        assert Score.of(whole | {"result": told}).not_independent is means


def test_names_that_would_meet_are_refused(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.mp4").write_bytes(b"a")
    with pytest.raises(SiteError, match="named twice"):
        find([str(tmp_path / "x"), str(tmp_path / "y" / "a.mp4")], [], tmp_path / "out")
    with pytest.raises(SiteError, match="no video or picture"):
        find([str(tmp_path / "x")], [], tmp_path / "x")


def test_a_webhook_is_checked_by_its_receiver():
    from amgs.scoring.webhooks import new_secret, signature
    from amgs_client.webhooks import NotSigned, verify

    secret, body = new_secret(), b'{"state": "done"}'
    now = int(time.time())
    headers = {
        "Webhook-Id": "m1",
        "Webhook-Timestamp": str(now),
        "Webhook-Signature": f"v1,other {signature(secret, 'm1', now, body)}",
    }
    verify(secret, headers, body)
    for wrong in (
        {**headers, "Webhook-Id": "m2"},
        {**headers, "Webhook-Timestamp": str(now - 1000)},
        {**headers, "Webhook-Timestamp": "soon"},
        {"Webhook-Id": "m1"},
    ):
        with pytest.raises(NotSigned):
            verify(secret, wrong, body)
    with pytest.raises(NotSigned):
        verify(new_secret(), headers, body)
    with pytest.raises(NotSigned):
        verify(secret, headers, body + b" ")

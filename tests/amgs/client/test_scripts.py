"""The scripts of the page *Score from a script* are run as they stand, against a site."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "howto" / "score-from-a-script.md"


def blocks(language: str) -> list[str]:
    """Return the code of a language on the page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def run_script(live_server, tmp_path, serving, worker, film):
    """Run a script on a film, as a stranger or with a token; return what it printed."""
    film(tmp_path / "cage 7.mp4", 1)

    def run(program: list, code: str, token: str = "") -> str:
        script = tmp_path / "script"
        script.write_text(code)
        environment = os.environ | {
            "AMGS_SITE": live_server.url,
            "PYTHONPATH": str(ROOT / "platform"),
        }
        environment.pop("AMGS_TOKEN", None)
        if token:
            environment["AMGS_TOKEN"] = token
        done = subprocess.run(
            [*program, str(script), "cage 7.mp4"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def rows_of_frames(path: Path) -> int:
    lines = path.read_text().splitlines()
    return len(list(csv.DictReader(line for line in lines if not line.startswith("#"))))


def only_run():
    from amgs.scoring.models import ToolRun

    return ToolRun.objects.get()


def test_the_python_script_scores(run_script, tmp_path, serving):
    told = run_script([sys.executable], blocks("python")[0])
    run = only_run()
    assert run.result["sentence"] in told
    assert f"by {serving.identifier}, phantom: True" in told
    assert (tmp_path / "predictions.parquet").read_bytes()[:4] == b"PAR1"


@pytest.mark.parametrize("signed_in", [False, True])
def test_the_curl_script_scores(
    curl, run_script, tmp_path, serving, alice, token_of, signed_in, settings
):
    settings.UPLOAD_PART_BYTES = 1024 * 1024
    with (tmp_path / "cage 7.mp4").open("ab") as file:
        file.write(os.urandom(2 * 1024 * 1024))  # so that there are parts
    (code,) = blocks("bash")
    token = token_of(alice) if signed_in else ""
    told = json.loads(run_script(["bash"], code, token))
    run = only_run()
    assert told["sentence"] == run.result["sentence"]
    assert (told["model"], told["phantom"]) == (serving.identifier, True)
    assert rows_of_frames(tmp_path / "frames.csv") == run.result["frames"]
    if signed_in:  # the same file under the same key is scored once
        again = json.loads(run_script(["bash"], code, token))
        assert again == told
        assert only_run().pk == run.pk


@pytest.mark.parametrize("signed_in", [False, True])
def test_the_r_script_scores(rscript, run_script, tmp_path, serving, alice, token_of, signed_in):
    (code,) = blocks("r")
    told = run_script([str(rscript), "--vanilla"], code, token_of(alice) if signed_in else "")
    run = only_run()
    assert run.result["sentence"] in told
    assert serving.identifier in told
    assert f"{run.result['frames']} rows in frames.csv" in told


def test_the_receiver_takes_a_message_once_and_refuses_strangers(
    live_server, worker, serving, film, tmp_path, alice, token_of
):
    import httpx

    from amgs.scoring import webhooks
    from amgs_client import Client

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = os.environ | {
        "PORT": str(port),
        "AMGS_WEBHOOK_SECRET": webhooks.secret_of(alice).secret,
        "PYTHONPATH": str(ROOT / "platform"),
    }
    receiver = subprocess.Popen(
        [sys.executable, "-c", blocks("python")[1]],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        path = film(tmp_path / "a.mp4", 1)
        address = f"http://127.0.0.1:{port}/"
        with Client(live_server.url, token_of(alice)) as site:
            score = site.score(path, webhook=address)
            assert receiver.stdout.readline() == f"a.mp4 done {score.sentence}\n"
            assert httpx.post(address, content=b"{}").status_code == 403
            log = site.webhook_log(score)
        assert log["deliveries"][-1]["status"] == 204
    finally:
        receiver.kill()
        receiver.wait()
        receiver.stdout.close()

"""The parts that only run in processes of their own: folders as a broker, beat, the supervisor."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from kombu import Connection

from amgs.core.supervisor import Child, Supervisor
from amgs.settings import services


def until(fact, what: str, seconds: float = 30.0):
    """Poll a fact until it is true; fail with what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := fact():
            return found
        time.sleep(0.05)
    return pytest.fail(f"waited {seconds:.0f} s in vain: {what}")


@pytest.fixture
def link(tmp_path):
    """A connection to a broker of folders."""
    found = services.broker("", tmp_path)
    with Connection(
        found["url"], transport=found["transport"], transport_options=found["options"]
    ) as connection:
        yield connection


def test_messages_in_folders_come_in_order_and_leave_nothing(link, tmp_path):
    with link.SimpleQueue("ordered") as queue:
        for number in range(5):
            queue.put({"number": number})
        assert queue.qsize() == 5
        for number in range(5):
            message = queue.get(timeout=5)
            assert message.payload == {"number": number}
            message.ack()
    left = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.name for path in left] == ["ordered.exchange"]


def test_queues_in_folders_do_not_mix(link):
    with link.SimpleQueue("slow") as slow, link.SimpleQueue("very.slow") as other:
        other.put("other")
        slow.put("mine")
        assert slow.get(timeout=5).payload == "mine"
        assert other.get(timeout=5).payload == "other"


@pytest.mark.parametrize(
    ("url", "engine"),
    [
        ("", "sqlite3"),
        ("sqlite:////data/amgs.sqlite3", "sqlite3"),
        ("postgresql://u:p%40ss@db:5433/amgs?sslmode=require", "postgresql"),
        ("postgresql:///amgs?host=/run/pg", "postgresql"),
    ],
)
def test_a_database_url_says_which_database(url, engine, tmp_path):
    found = services.database(url, tmp_path)
    assert found["ENGINE"] == f"django.db.backends.{engine}"
    if "5433" in url:
        assert (found["USER"], found["PASSWORD"], found["HOST"], found["PORT"]) == (
            *("u", "p@ss", "db", "5433"),
        )
        assert found["OPTIONS"] == {"sslmode": "require"}
    if "host=" in url:
        assert (found["HOST"], found["NAME"]) == ("/run/pg", "amgs")


def test_a_url_of_an_unknown_kind_is_refused_with_what_to_use(tmp_path):
    with pytest.raises(Exception, match="use postgresql://"):
        services.database("mysql://u@h/d", tmp_path)
    with pytest.raises(Exception, match="use amqp://, redis://"):
        services.broker("kafka://h", tmp_path)


@pytest.mark.parametrize("url", ["redis://127.0.0.1:9/0", "amqp://guest@127.0.0.1:9//"])
def test_a_broker_that_is_away_is_given_up_soon(url, tmp_path):
    found = services.broker(url, tmp_path)
    began = time.monotonic()
    with (
        Connection(found["url"], transport_options=found["options"], connect_timeout=3) as away,
        pytest.raises(Exception, match=r"refused|Connection"),
    ):
        away.SimpleQueue("quick").put("hint", retry=False)
    assert time.monotonic() - began < 5


@pytest.fixture
def children(tmp_path):
    """Start a supervisor in a process of its own over two sleeping children."""
    script = tmp_path / "supervise.py"
    script.write_text(
        "import os, sys\n"
        "from pathlib import Path\n"
        "from amgs.core.supervisor import Child, Supervisor\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "Supervisor([Child('web', sleep, after_ready=False), Child('worker', sleep, nice=5)],\n"
        "    dict(os.environ), Path('.'), lambda: True, print).run()\n"
    )
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'platform'}"},
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    me = psutil.Process(process.pid)
    until(lambda: len(me.children()) == 2, "two children run")
    yield process, me.children()
    if process.poll() is None:
        process.kill()
    process.wait()


def test_the_supervisor_restarts_a_child_that_died(children):
    process, (web, worker) = children
    assert worker.nice() == 5
    web.kill()
    me = psutil.Process(process.pid)
    until(lambda: {c.pid for c in me.children()} - {web.pid, worker.pid}, "a new child runs")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_child_outlives_the_supervisor(children, number):
    process, running = children
    process.send_signal(number)
    process.wait(20)
    _, alive = psutil.wait_procs(running, timeout=10)
    assert alive == []
    if number != signal.SIGKILL:
        assert process.returncode == 0


@pytest.mark.usefixtures("signals_kept")
def test_a_child_that_dies_at_once_is_not_restarted_in_a_hurry(tmp_path, capsys):
    starts = []
    child = Child("web", [sys.executable, "-c", "raise SystemExit(3)"], after_ready=False)

    def ready() -> bool:
        if child.process is not None and child.process.pid not in starts:
            starts.append(child.process.pid)
        if child.failures >= 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    Supervisor([child], dict(os.environ), tmp_path, ready, lambda seconds: None).run()
    assert len(starts) == 2
    assert child.start_at > child.started + 1
    assert "web ended (exit status 3); it is started again in 2 s." in capsys.readouterr().err


_AT_THE_GATE = (
    "import sys, time; from pathlib import Path; from amgs.processes import wait_at_gate;"
    "Path('loaded').touch(); wait_at_gate(); Path('through').touch(); time.sleep(600)"
)


@pytest.fixture
def signals_kept():
    """Put the handlers of signals back that a supervisor in this process replaces."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    kept = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, kept, strict=True):
        signal.signal(number, handler)


def _gated(tmp_path, prepare):
    root = Path(__file__).resolve().parents[3]
    return Supervisor(
        [
            Child("web", [sys.executable, "-c", _AT_THE_GATE], after_ready=False),
            Child("worker", [sys.executable, "-c", "import time; time.sleep(600)"]),
        ],
        {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'platform'}"},
        tmp_path,
        lambda: (tmp_path / "through").exists(),
        lambda seconds: os.kill(os.getpid(), signal.SIGTERM),
        prepare,
    )


@pytest.mark.usefixtures("signals_kept")
def test_the_site_loads_while_the_database_is_prepared_and_waits_for_it(tmp_path):
    seen = []

    def prepare():
        until(lambda: (tmp_path / "loaded").exists(), "the child has loaded its code")
        time.sleep(0.3)
        seen.append((tmp_path / "through").exists())

    assert _gated(tmp_path, prepare).run() == 0
    assert seen == [False]
    assert (tmp_path / "through").exists()


@pytest.mark.usefixtures("signals_kept")
def test_where_the_database_cannot_be_prepared_nothing_is_left_running(tmp_path):
    def prepare():
        until(lambda: (tmp_path / "loaded").exists(), "the child has loaded its code")
        raise CommandError("the database is from a newer version")

    supervisor = _gated(tmp_path, prepare)
    began = time.monotonic()
    with pytest.raises(CommandError, match="newer version"):
        supervisor.run()
    assert time.monotonic() - began < 15
    assert not any(child.runs for child in supervisor.children)


def test_serving_on_a_taken_port_is_refused_with_what_to_do():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(CommandError, match="choose another one"):
            call_command("serve", port=taken.getsockname()[1])


@pytest.mark.timeout(120)
def test_serve_answers_runs_a_job_and_ends_with_all_its_processes(make_site):
    site = make_site("sqlite", "folders")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    serve = site.start(site.manage_py, "serve", "--port", str(port))

    def answers():
        try:
            url = f"http://127.0.0.1:{port}/readyz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return b'"broker":"ok"' in answer.read()
        except OSError:
            return False

    until(answers, f"the site answers\n{site.log()}", 60)
    (job,) = site.ask("walk", steps=2)
    until(lambda: site.job(job)[0] == "done", f"the job is done\n{site.log()}", 60)
    everyone = psutil.Process(serve.pid).children(recursive=True)
    names = " ".join(" ".join(process.cmdline()) for process in everyone)
    for part in ("gunicorn", "quick,ingest,score", "-Q train", "beat"):
        assert part in names
    litter = {path.name for path in site.var.iterdir()} - {
        *("amgs.sqlite3", "amgs.sqlite3-shm", "amgs.sqlite3-wal", "broker", "log.txt"),
        *("objects", "secret_key", "serve.lock", "static"),
    }
    assert litter == set()
    serve.send_signal(signal.SIGTERM)
    serve.wait(40)
    assert psutil.wait_procs(everyone, timeout=10)[1] == []

"""Real servers for the tests that need them, and what the end of a run says about them.

A server starts when the first test asks for it and stops with the session. Where it is missing
the test is skipped with the reason; ``AMGS_REQUIRE_SERVICES=all`` (or a list of names) makes
that a failure. *Exercised* means that a test which asked for the server ran and ended.

Test processes beside each other (``pytest -n 2``) start servers of their own; what they learned
comes together in the process that reports.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from deploy.local_stack import (
    NotInstalled,
    Server,
    StartFailed,
    mlflow,
    nginx,
    postgresql,
    rabbitmq,
    redis,
    s3,
    scripting,
)
from deploy.local_stack import browser as browser_program
from tests.priority import same_priority

# How long an example takes says more about a shared machine than about the code.
settings.register_profile(
    "unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile("unhurried")

TITLES = {
    "postgresql": "PostgreSQL",
    "redis": "Redis",
    "rabbitmq": "RabbitMQ",
    "s3": "S3 server",
    "mlflow": "MLflow server",
    "browser": "browser",
    "nginx": "reverse proxy",
    "curl": "curl",
    "r": "R",
}
FIXTURES = {
    "postgresql_url": "postgresql",
    "redis_url": "redis",
    "rabbitmq_url": "rabbitmq",
    "s3_url": "s3",
    "s3_server": "s3",
    "mlflow_url": "mlflow",
    "browser": "browser",
    "start_proxy": "nginx",
    "curl": "curl",
    "rscript": "r",
}
"""Fixture → the service that a test exercises by asking for it."""


@dataclass
class Ledger:
    """What the session learned about its services."""

    folder: Path
    started: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    exercised: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Folder of tests → seconds its tests took, set-up and tear-down included."""

    def told(self) -> dict[str, Any]:
        """Return what another process can be told: missing, exercised and seconds."""
        exercised = {name: sorted(tests) for name, tests in self.exercised.items()}
        return {"missing": self.missing, "exercised": exercised, "seconds": dict(self.seconds)}

    def hear(self, told: dict[str, Any]) -> None:
        """Add what another process learned."""
        self.missing |= told["missing"]
        for name, tests in told["exercised"].items():
            self.exercised[name] |= set(tests)
        for folder, seconds in told["seconds"].items():
            self.seconds[folder] += seconds

    def get(self, name: str, start: Callable[[], Any]) -> Any:
        """Start a service once; skip, or fail where it is required, when the machine lacks it."""
        if name not in self.started and name not in self.missing:
            try:
                self.started[name] = start()
            except NotInstalled as reason:
                self.missing[name] = str(reason)
        if reason := self.missing.get(name):
            if name in required_services():
                pytest.fail(f"{TITLES[name]} is required here: {reason}", pytrace=False)
            pytest.skip(reason)
        return self.started[name]


LEDGER = pytest.StashKey[Ledger]()


def required_services() -> set[str]:
    """Names of the services whose absence fails a run."""
    wish = os.environ.get("AMGS_REQUIRE_SERVICES", "")
    return set(TITLES) if wish == "all" else {name for name in wish.split(",") if name}


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Ledger:
    """The session's services; tests ask for the addresses below instead."""
    return request.config.stash[LEDGER]


@pytest.fixture(scope="session")
def postgresql_url(services: Ledger) -> str:
    """Address of a PostgreSQL server with an empty database ``amgs``."""
    return services.get("postgresql", lambda: postgresql.start(services.folder / "postgresql")).url


@pytest.fixture(scope="session")
def redis_url(services: Ledger) -> str:
    """Address of an empty Redis."""
    return services.get("redis", lambda: redis.start(services.folder / "redis")).url


@pytest.fixture(scope="session")
def rabbitmq_url(services: Ledger) -> str:
    """Address of a RabbitMQ without queues."""
    return services.get("rabbitmq", lambda: rabbitmq.start(services.folder / "rabbitmq")).url


@pytest.fixture(scope="session")
def s3_server(services: Ledger) -> Server:
    """A started S3 server; its facts hold endpoint, keys, bucket and region."""
    return services.get("s3", lambda: s3.start(services.folder / "s3"))


@pytest.fixture(scope="session")
def s3_url(s3_server: Server) -> str:
    """``s3+http://KEY:SECRET@127.0.0.1:PORT/BUCKET?region=us-east-1``: a value for STORAGE_URL."""
    return s3_server.url


@pytest.fixture(scope="session")
def mlflow_url(services: Ledger) -> str:
    """Address of an MLflow tracking server on SQLite that passes artifacts through."""
    return services.get("mlflow", lambda: mlflow.start(services.folder / "mlflow")).url


@pytest.fixture(scope="session")
def browser(services: Ledger) -> Any:
    """A running Chromium (Playwright's ``Browser``); open a context of your own per test."""

    def start() -> Any:
        program = browser_program.find()
        from playwright.sync_api import sync_playwright

        # Playwright's synchronous interface runs an event loop in this thread, where Django
        # would refuse every query that a test makes besides driving the browser.
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
        driver = sync_playwright().start()
        services.started["browser driver"] = driver
        try:
            return driver.chromium.launch(
                executable_path=str(program), args=list(browser_program.FLAGS)
            )
        except Exception as problem:
            raise StartFailed(f"{program} did not start: {problem}") from problem

    return services.get("browser", start)


@pytest.fixture(scope="session")
def curl(services: Ledger) -> Path:
    """Path of curl; jq is there as well."""
    return services.get("curl", scripting.find_curl)


@pytest.fixture(scope="session")
def rscript(services: Ledger) -> Path:
    """Path of Rscript; its packages httr2 and jsonlite are there as well."""
    return services.get("r", scripting.find_r)


@pytest.fixture
def start_proxy(services: Ledger, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start the site's reverse proxy: ``site=``, ``storage=``, ``bucket=`` and ``scheme=``."""
    started: list[Server] = []

    def start(**addresses: str) -> Server:
        services.get("nginx", nginx.find)
        started.append(nginx.start(tmp_path / "nginx", **addresses))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """No test leaves the process in another priority than it found."""
    with same_priority():
        return (yield)


def pytest_configure(config: pytest.Config) -> None:
    folder = Path(tempfile.mkdtemp(prefix="amgs-services-"))
    folder.chmod(0o711)  # PostgreSQL under root runs as another user and must get through
    config.stash[LEDGER] = Ledger(folder)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    outcome = yield
    report = outcome.get_result()
    ledger = item.config.stash[LEDGER]
    top = "/".join(Path(item.nodeid.split("::")[0]).parts[:3][:-1]) or "."
    ledger.seconds[top] += call.duration
    if call.when == "call" and report.outcome != "skipped":
        asked = {FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in FIXTURES}
        # A parameter such as the broker's kind reaches its server through `getfixturevalue`,
        # which leaves no trace in the names; such a test carries the marker.
        asked |= {mark.args[0] for mark in item.iter_markers("service")} & set(ledger.started)
        for name in asked & set(ledger.started):
            ledger.exercised[name].add(item.nodeid)


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    ledger = config.stash[LEDGER]
    if terminalreporter.config.option.collectonly or not ledger.seconds:
        return
    terminalreporter.section("minutes per folder")
    for folder, seconds in sorted(ledger.seconds.items(), key=lambda entry: -entry[1]):
        terminalreporter.write_line(f"{seconds / 60:7.2f}  {folder}")
    terminalreporter.write_line(f"{sum(ledger.seconds.values()) / 60:7.2f}  all")
    terminalreporter.section("real services")
    for name, title in TITLES.items():
        if tests := ledger.exercised.get(name):
            terminalreporter.write_line(f"{title:<15} exercised by {len(tests)} tests", green=True)
        else:
            reason = ledger.missing.get(name, "no test of this run asked for it")
            terminalreporter.write_line(f"{title:<15} not exercised: {reason}", yellow=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a test process learned; one that broke down tells nothing."""
    told = getattr(node, "workeroutput", {}).get("ledger")
    if told is not None:
        node.config.stash[LEDGER].hear(told)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a whole run in which a required service was not exercised; stop all services."""
    ledger = session.config.stash[LEDGER]
    stop_services(ledger)
    output = getattr(session.config, "workeroutput", None)
    if output is not None:  # one of several processes: the one that reports judges
        output["ledger"] = ledger.told()
        return
    whole = (
        session.config.args_source is pytest.Config.ArgsSource.TESTPATHS
        and not session.config.option.collectonly
    )
    if whole and exitstatus == 0 and required_services() - set(ledger.exercised):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folders that this run made below the temporary folder."""
    shutil.rmtree(config.stash[LEDGER].folder, ignore_errors=True)
    var = Path(os.environ.get("AMGS_VAR", "/nowhere"))
    if var.parent == Path(tempfile.gettempdir()) and var.name.startswith("amgs-test-"):
        shutil.rmtree(var, ignore_errors=True)


def stop_services(ledger: Ledger) -> None:
    """Stop what was started, the browser before its driver."""
    for name, service in reversed(ledger.started.items()):
        if isinstance(service, Server):
            service.stop(gracefully=False)
        elif name == "browser":
            service.close()
    if driver := ledger.started.get("browser driver"):
        driver.stop()

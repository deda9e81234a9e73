"""What the container files promise, as far as it can be checked without a container engine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SETTINGS = ROOT / "platform" / "amgs" / "settings"
QUEUES = ("quick", "ingest", "score", "train")
READ = re.compile(
    r"""(?:environ(?:\.get|\.setdefault)?\(?\[?|_flag\()\s*["']([A-Z][A-Z0-9_]+)["']"""
)


@pytest.fixture(scope="module")
def compose() -> dict:
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def documented() -> set[str]:
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")
    return set(re.findall(r"^([A-Z][A-Z0-9_]*)=", text, flags=re.MULTILINE))


def test_env_example_names_every_variable_of_the_settings(documented: set[str]) -> None:
    sources = {*SETTINGS.glob("*.py"), *(ROOT / "platform" / "amgs").glob("*.py")}
    sources -= {SETTINGS / "testing.py"}  # its variables are the tests' own
    used = {name for path in sources for name in READ.findall(path.read_text(encoding="utf-8"))}
    used |= {"ORCID_CLIENT_ID", "ORCID_CLIENT_SECRET", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET"}
    used.add("DJANGO_SETTINGS_MODULE")
    assert len(used) > 15, "the settings are no longer read by this test"
    assert used - documented == set(), "settings read variables that deploy/env.example lacks"
    assert documented - used == set(), "deploy/env.example names variables that nothing reads"


def test_env_example_shows_the_defaults_of_the_settings(documented: set[str]) -> None:
    source = (SETTINGS / "base.py").read_text(encoding="utf-8")
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")
    defaults = dict(re.findall(r'environ\.get\(\s*"([A-Z_]+)",\s*"([^"{]+)"', source))
    assert defaults
    for name, default in defaults.items():
        assert f"\n{name}={default}\n" in text, name


def test_compose_has_every_process_of_the_site(compose: dict) -> None:
    services = compose["services"]
    for name in ("web", "beat", "postgresql", "rabbitmq", "storage", "mlflow", "proxy"):
        assert name in services
    for queue in QUEUES:
        command = services[f"worker-{queue}"]["command"]
        assert command[command.index("-Q") + 1] == queue
    assert "beat" in services["beat"]["command"]


def test_only_the_proxy_is_reachable_from_outside(compose: dict) -> None:
    published = {name for name, service in compose["services"].items() if "ports" in service}
    assert published == {"proxy"}
    assert compose["services"]["proxy"]["ports"][0].startswith("${PROXY_PUBLISH:-127.0.0.1:")


def test_every_named_volume_config_and_dependency_of_compose_exists(compose: dict) -> None:
    for name, service in compose["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), (name, source)
            else:
                assert source in compose["volumes"], (name, source)
        for config in service.get("configs", ()):
            assert config["source"] in compose["configs"], name
        for needed in service.get("depends_on", ()):
            assert needed in compose["services"], name
        assert ("image" in service) or ("build" in service), name
        if build := service.get("build"):
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists(), name


def test_every_image_is_pinned(compose: dict) -> None:
    for name, service in compose["services"].items():
        _, _, tag = service["image"].rpartition(":")
        assert re.match(r"\d", tag), (name, service["image"])


def test_no_secret_is_written_into_compose(compose: dict) -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    needed = {"POSTGRESQL_PASSWORD", "RABBITMQ_PASSWORD", "STORAGE_KEY", "STORAGE_SECRET"}
    assert needed <= set(re.findall(r"\$\{([A-Z_]+):\?\}", text))
    site = compose["services"]["web"]["environment"]
    assert site["STORAGE_URL"].endswith("&public=${SITE_URL:?}")
    assert site["DJANGO_SETTINGS_MODULE"] == "amgs.settings.production"


def test_env_example_names_every_variable_of_compose() -> None:
    asked = re.findall(r"\$\{([A-Z_]+):", (DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    text = (DEPLOY / "env.example").read_text(encoding="utf-8")
    for name in asked:
        assert re.search(rf"^#?{name}=", text, flags=re.MULTILINE), name


def test_a_copied_env_example_shows_no_phantom_grades_in_production() -> None:
    assert "\nAMGS_ALLOW_PHANTOM=0\n" in (DEPLOY / "env.example").read_text(encoding="utf-8")


def test_the_proxy_template_asks_only_for_what_compose_gives(compose: dict) -> None:
    template = (DEPLOY / "proxy" / "site.conf.template").read_text(encoding="utf-8")
    asked = set(re.findall(r"\$\{([A-Z_]+)\}", template))
    given = set(compose["services"]["proxy"]["environment"])
    assert asked == given
    storage = compose["services"]["web"]["environment"]["STORAGE_URL"]
    bucket = compose["services"]["proxy"]["environment"]["STORAGE_BUCKET"]
    assert f"/{bucket}?" in storage


@pytest.mark.parametrize("name", ["Containerfile", "Containerfile.mlflow"])
def test_containers_do_not_run_as_root(name: str) -> None:
    lines = (DEPLOY / name).read_text(encoding="utf-8").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users, "no USER line"
    assert int(users[-1].split(":")[0]) >= 1000
    last = max(index for index, line in enumerate(lines) if line.startswith("USER "))
    assert not any(
        line.startswith(("RUN", "COPY")) for line in lines[last:] if "WORKDIR" not in line
    )


def test_the_image_compiles_psycopg2_in_the_pinned_version() -> None:
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")
    assert "--no-binary psycopg2" in text
    assert "pip uninstall --yes psycopg2-binary" in text
    base = (ROOT / "requirements" / "base.txt").read_text(encoding="utf-8")
    assert re.search(r"^psycopg2-binary==[\d.]+", base, flags=re.MULTILINE)


def test_what_the_image_copies_exists() -> None:
    for line in (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            for source in line.split()[1:-1]:
                assert (ROOT / source).exists(), source


def test_no_lock_file_names_an_address() -> None:
    for path in [*(ROOT / "requirements").glob("*.txt"), ROOT / "package-lock.json"]:
        assert "://" not in path.read_text(encoding="utf-8"), path.name

"""The house stays as it was laid: layers, sizes, names."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("models", "curation", "platform", "deploy", "docs")


def tracked(*patterns: str) -> list[Path]:
    """Return the files git knows (or would add) that match the patterns."""
    found = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\n")
    return [ROOT / name for name in found if name and (ROOT / name).exists()]


def test_imports_go_one_way_only() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}", "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_platform_is_still_the_standard_library() -> None:
    import platform

    assert platform.python_version()
    assert not (ROOT / "platform" / "__init__.py").exists()


def test_tests_are_no_packages() -> None:
    assert not list((ROOT / "tests").rglob("__init__.py"))


def test_no_file_is_above_500_lines() -> None:
    long = {
        str(path.relative_to(ROOT)): count
        for path in tracked("*.py", "*.js", "*.css", "*.html", "*.toml", "Makefile")
        # What a program writes is nobody's to read in one go: migrations, reports of a model.
        if "migrations" not in path.parts
        and not path.is_relative_to(ROOT / "models" / "bundles")
        and not path.is_relative_to(ROOT / "docs" / "reference" / "reports")
        and (count := len(path.read_text().splitlines())) > 500
    }
    assert not long


FORBIDDEN_IMPORTS = {
    "mlflow": {"platform/amgs/registry/mlflow.py"},
    "minio": {"platform/amgs/files/s3.py"},
}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(FORBIDDEN_IMPORTS))
def test_a_foreign_sdk_has_one_home(package: str) -> None:
    found = {
        str(path.relative_to(ROOT))
        for path in tracked("platform/*.py", "models/*.py", "curation/*.py")
        if package in _imports(path)
    }
    assert found <= FORBIDDEN_IMPORTS[package]


def test_torch_is_imported_only_where_networks_are() -> None:
    homes = ("data", "nets", "zoo", "module", "train", "explain")
    for path in tracked("models/*.py"):
        if _imports(path) & {"torch", "pytorch_lightning", "torchmetrics"}:
            name = path.relative_to(ROOT / "models").parts[0].removesuffix(".py")
            assert name in homes, path


def test_only_api_and_web_speak_http() -> None:
    for path in tracked("platform/amgs/*.py"):
        app = path.relative_to(ROOT / "platform" / "amgs").parts[0]
        if app in {"api", "web", "urls.py"}:
            continue
        text = path.read_text()
        assert "django.http" not in text, path
        assert "rest_framework" not in text or app in {"settings"}, path


def _keys() -> set[str]:
    scale = tomllib.loads((ROOT / "models" / "scale" / "mouse.toml").read_text())
    return {entry["key"] for entry in scale["units"]}


def test_no_unit_key_is_spelled_outside_the_scale() -> None:
    keys = _keys()
    assert len(keys) == 5
    pattern = re.compile("|".join(map(re.escape, sorted(keys))))
    allowed = {ROOT / "models" / "phantom" / "units.py"}  # one deformation for each unit
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked(
            "models/*.py", "curation/*.py", "platform/*.py", "platform/*.js", "platform/*.html"
        )
        if path not in allowed and pattern.search(path.read_text())
    ]
    assert not offenders


def test_celery_has_only_the_two_tasks_of_the_core() -> None:
    for path in tracked("platform/amgs/*.py"):
        if "shared_task" in path.read_text():
            assert path.relative_to(ROOT / "platform" / "amgs").parts[0] == "core"


def test_every_job_names_its_queue_and_limit() -> None:
    from amgs.core.jobs import QUEUES, kinds

    assert kinds()
    for kind in kinds().values():
        assert kind.queue in QUEUES
        assert kind.limit.total_seconds() > 0
        assert kind.attempts >= 1


@pytest.mark.django_db
def test_no_migration_is_missing() -> None:
    from django.core.management import call_command

    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_no_migration_mentions_the_models_layer() -> None:
    for path in tracked("platform/amgs/*/migrations/*.py"):
        assert not re.search(r"^(from|import) models\b", path.read_text(), re.MULTILINE), path


def test_nothing_placed_for_later_is_left() -> None:
    marks = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b|Not" + r"ImplementedError")
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py", "*.js", "*.css", "*.html", "*.md")
        if marks.search(path.read_text())
    ]
    assert not offenders


def test_no_address_of_a_machine_or_registry_is_committed() -> None:
    words = re.compile(r"/wo" + r"rk/(main|shared|scratch)|file:///o" + r"pt/|/ro" + r"ot/")
    offenders = [
        str(path.relative_to(ROOT))
        for path in tracked("*.py", "*.js", "*.md", "*.txt", "*.in", "*.json", "*.toml", "*.yaml")
        if words.search(path.read_text())
    ]
    assert not offenders

"""Set-up repeats nothing, shows the end of a log on failure, and leaves the machine as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from deploy import install_services, set_up, steps

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy-rc.d"


def test_a_step_is_done_again_only_when_its_key_changes(tmp_path: Path, capsys) -> None:
    done: list[str] = []
    stamp = tmp_path / "stamps" / "step"
    for key in ("one", "one", "two", "two"):
        set_up.once(stamp, "a step", key, lambda key=key: done.append(key))
    assert done == ["one", "two"]
    assert capsys.readouterr().out.count("a step") == 2


def test_a_failed_step_is_done_again(tmp_path: Path, capsys) -> None:
    stamp = tmp_path / "step"

    def fail() -> None:
        raise steps.Failed("no disk")

    with pytest.raises(steps.Failed):
        set_up.once(stamp, "a step", "key", fail)
    assert not stamp.exists()
    set_up.once(stamp, "a step", "key", lambda: None)
    assert stamp.exists()
    assert "✗ a step" in capsys.readouterr().out


def test_the_output_of_a_failing_command_is_shown_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steps, "LOGS", tmp_path)
    with pytest.raises(steps.Failed) as failure:
        steps.run(["sh", "-c", "seq 1 1000; echo disk full; exit 3"], "step.log")
    sentence = str(failure.value)
    assert "disk full" in sentence
    assert "exit 3" in sentence
    assert str(tmp_path / "step.log") in sentence
    assert len(sentence.splitlines()) < 40


def test_the_digest_depends_on_contents_and_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    assert set_up.digest(one, two) != set_up.digest(two, one)
    before = set_up.digest(one)
    one.write_text("3")
    assert set_up.digest(one) != before


def test_another_python_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_up, "PYTHON", (3, 99))
    with pytest.raises(steps.Failed, match=r"needs Python 3\.99.*make PYTHON="):
        set_up.check_python()


def test_a_machine_without_node_uses_the_one_from_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(set_up.shutil, "which", lambda name: None)
    monkeypatch.setattr(
        set_up, "install_requirements", lambda venv, *files, name: installed.extend(files)
    )
    assert set_up.find_npm() == [set_up.VENV / "bin" / "npm"]
    assert installed == ["node.txt"]


@pytest.mark.parametrize(
    ("needs", "warned"),
    [
        (["filelock", "sympy>=1.13"], False),
        (["filelock", 'nvidia-cublas-cu12==12.8; platform_system == "Linux"'], True),
        (["cuda-bindings==12.9"], True),
    ],
)
def test_a_cuda_build_is_recognised_before_it_is_downloaded(
    needs: list[str], warned: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import json

    def pretend(command, log) -> None:
        assert "--dry-run" in command
        report = {"install": [{"metadata": {"name": "torch", "requires_dist": needs}}]}
        Path(command[command.index("--report") + 1]).write_text(json.dumps(report))

    monkeypatch.setattr(set_up, "LOGS", tmp_path)
    monkeypatch.setattr(set_up, "run", pretend)
    assert set_up.brings_cuda([]) is warned


def test_starts_are_denied_while_installing_and_the_policy_comes_back(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o755)
    with install_services.starts_denied(policy):
        assert subprocess.run([policy], check=False).returncode == 101
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert policy.stat().st_mode & 0o777 == 0o755
    assert list(policy.parent.iterdir()) == [policy]


def test_a_machine_without_a_policy_has_none_afterwards(policy: Path) -> None:
    def interrupted() -> None:
        with install_services.starts_denied(policy):
            assert policy.exists()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(policy.parent.iterdir()) == []


@pytest.mark.parametrize("had_one", [True, False], ids=["with a policy", "without one"])
def test_an_installation_that_was_killed_is_undone_by_the_next(policy: Path, had_one: bool) -> None:
    if had_one:
        policy.write_text("the machine's own\n")
    denied = install_services.starts_denied(policy)
    denied.__enter__()  # and killed: nobody leaves the block
    install_services.restore_policy(policy)
    assert policy.exists() is had_one
    assert not had_one or policy.read_text() == "the machine's own\n"
    assert not policy.with_name("policy-rc.d.amgs-saved").exists()


def test_a_policy_saved_but_not_yet_replaced_stays(policy: Path) -> None:
    policy.write_text("the machine's own\n")
    policy.with_name("policy-rc.d.amgs-saved").write_text("the machine's own\n")
    install_services.restore_policy(policy)
    assert policy.read_text() == "the machine's own\n"
    assert list(policy.parent.iterdir()) == [policy]


def test_without_root_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_services, "missing_programs", lambda: ["redis-server"])
    monkeypatch.setattr(install_services, "restore_policy", lambda: None)
    monkeypatch.setattr(install_services.shutil, "which", lambda name: "/usr/bin/apt-get")
    monkeypatch.setattr(install_services.os, "geteuid", lambda: 1000)
    with pytest.raises(steps.Failed, match=r"Installing redis-server needs root: run `sudo"):
        install_services.install()


def test_without_apt_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install_services, "missing_programs", lambda: ["radosgw"])
    monkeypatch.setattr(install_services, "restore_policy", lambda: None)
    monkeypatch.setattr(install_services.shutil, "which", lambda name: None)
    with pytest.raises(steps.Failed, match=r"works on Debian and Ubuntu; install radosgw by hand"):
        install_services.install()


def test_ci_runs_the_tests_with_every_service_required() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "AMGS_REQUIRE_SERVICES=all exec make test SERVICES=install" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111


def test_make_lists_its_targets() -> None:
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    targets = ("setup", "demo", "serve", "test", "lint", "docs", "bench", "endurance", "clean")
    for target in targets:
        assert f"make {target} " in listing.stdout

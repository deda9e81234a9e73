"""Prepare a clone: virtual environments, pinned dependencies, browser libraries. No root needed.

``python3 -m deploy.set_up runtime|test`` prints one line per step that had something to do and
is done in a fraction of a second when nothing changed: each step leaves the hash of all that it
depends on, and runs again only when that hash differs.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.steps import LOGS, ROOT, Failed, run, step

TORCH = "torch==2.13.0"
PYTHON = (3, 11)
VENV = ROOT / ".venv"
MLFLOW_VENV = ROOT / ".venv-mlflow"
NODE_MODULES = ROOT / "node_modules"
REQUIREMENTS = ROOT / "requirements"
BIG_DOWNLOAD = """
    The torch build that this set-up is about to download brings CUDA libraries: more than 1 GB
    to download and about 6 GB on disk. A machine without an NVIDIA card wants the CPU build;
    stop this (Ctrl-C) and see docs/howto/choose-torch.md.
"""


def digest(*parts: str | Path) -> str:
    """SHA-256 over texts and the contents of files, in order."""
    total = hashlib.sha256()
    for part in parts:
        content = part.read_bytes() if isinstance(part, Path) else part.encode()
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def once(stamp: Path, title: str, key: str, act: Callable[[], None]) -> None:
    """Do ``act`` unless ``stamp`` says that it was done for this ``key``."""
    if stamp.exists() and stamp.read_text(encoding="ascii") == key:
        return
    with step(title):
        stamp.unlink(missing_ok=True)
        act()
        stamp.parent.mkdir(parents=True, exist_ok=True)
        stamp.write_text(key, encoding="ascii")


def stamp_of(venv: Path, name: str) -> Path:
    """Where a virtual environment remembers a finished step; it goes away with the environment."""
    return venv / "set-up" / name


def python_of(venv: Path) -> Path:
    """The interpreter of a virtual environment."""
    return venv / "bin" / "python"


def make_venv(venv: Path) -> None:
    """Make a virtual environment with pip, also where Debian's ``python3-venv`` is missing."""
    if python_of(venv).exists() and (venv / "bin" / "pip").exists():
        return
    with step(f"make {venv.name}"):
        shutil.rmtree(venv, ignore_errors=True)
        try:
            run([sys.executable, "-m", "venv", venv], f"{venv.name}.log")
        except Failed:
            # Debian ships ensurepip in a package of its own; a pip outside can stand in for it.
            shutil.rmtree(venv, ignore_errors=True)
            run([sys.executable, "-m", "venv", "--without-pip", venv], f"{venv.name}.log")
            pip = [sys.executable, "-m", "pip", "--python", python_of(venv)]
            try:
                run([*pip, "install", "pip"], f"{venv.name}.log")
            except Failed:
                raise Failed(
                    "This Python cannot make virtual environments; on Debian or Ubuntu "
                    "`apt-get install python3-venv` mends that, then run the command again."
                ) from None


def install_torch() -> None:
    """Install torch alone, so that the owner of the machine chooses the build."""
    choice = os.environ.get("TORCH_PIP_ARGS", "").split()

    def act() -> None:
        if brings_cuda(choice):
            print(BIG_DOWNLOAD, flush=True)
        run([python_of(VENV), "-m", "pip", "install", TORCH, *choice], "torch.log")

    once(stamp_of(VENV, "torch"), f"install {TORCH}", digest(TORCH, *choice), act)


def brings_cuda(choice: Sequence[str]) -> bool:
    """Whether pip would download a torch build that needs NVIDIA's libraries.

    Only torch's own metadata is asked for; a pip too old to read that without the wheel
    downloads the wheel here already, which its cache keeps for the installation.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    report = LOGS / "torch-report.json"
    report.unlink(missing_ok=True)
    pip = [python_of(VENV), "-m", "pip", "install", "--dry-run", "--no-deps", "--quiet"]
    run([*pip, "--report", report, TORCH, *choice], "torch.log")
    wanted = json.loads(report.read_text(encoding="utf-8"))["install"]
    needs = [name for each in wanted for name in each["metadata"].get("requires_dist", [])]
    return any("nvidia" in name or name.startswith("cuda") for name in needs)


def install_requirements(
    venv: Path, *files: str, name: str, depends: Sequence[str | Path] = ()
) -> None:
    """Install hashed requirement files without looking at dependencies, then check them."""
    paths = [REQUIREMENTS / file for file in files]

    def act() -> None:
        pip = [python_of(venv), "-m", "pip"]
        given = [word for path in paths for word in ("-r", path)]
        run([*pip, "install", "--no-deps", "--require-hashes", *given], f"{name}.log")
        run([*pip, "check"], f"{name}.log")

    once(stamp_of(venv, name), f"install {' and '.join(files)}", digest(*paths, *depends), act)


def link_sources() -> None:
    """Put the source folders on the path of the environment: ``amgs`` works from anywhere."""
    version = f"python{PYTHON[0]}.{PYTHON[1]}"
    target = VENV / "lib" / version / "site-packages" / "amgs-sources.pth"
    text = f"{ROOT}\n{ROOT / 'platform'}\n"
    command = VENV / "bin" / "amgs"
    script = (
        f"#!{python_of(VENV)}\nimport sys\n\n"
        "from amgs_client.__main__ import main\n\nsys.exit(main())\n"
    )

    def act() -> None:
        target.write_text(text, encoding="utf-8")
        command.write_text(script, encoding="utf-8")
        command.chmod(0o755)

    once(stamp_of(VENV, "sources"), "link the source folders", digest(text, script), act)


def install_browser_libraries(*, development: bool) -> None:
    """Install the JavaScript packages of the lock file; no script of a package runs."""
    lock = ROOT / "package-lock.json"
    key = digest(lock, ROOT / "package.json", str(development))
    stamp = NODE_MODULES / ".set-up"
    if (
        not development
        and stamp.exists()
        and stamp.read_text("ascii") == digest(lock, ROOT / "package.json", "True")
    ):
        return  # what the tests need contains what the site needs
    npm = find_npm() if not stamp.exists() or stamp.read_text("ascii") != key else []

    def act() -> None:
        omit = [] if development else ["--omit=dev"]
        path = os.pathsep.join([str(VENV / "bin"), os.environ.get("PATH", os.defpath)])
        run(
            [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", *omit],
            "npm.log",
            environment={"PATH": path},
        )

    once(stamp, "install browser libraries (npm ci)", key, act)


def find_npm() -> list[str | Path]:
    """The command for npm: the machine's, else the one that comes with Node.js from PyPI."""
    if shutil.which("npm") and shutil.which("node"):
        return ["npm"]
    install_requirements(VENV, "node.txt", name="node")
    return [VENV / "bin" / "npm"]


def check_python() -> None:
    """Refuse an interpreter for which the pinned files were not made."""
    if sys.version_info[:2] != PYTHON:
        raise Failed(
            f"aMGS needs Python {PYTHON[0]}.{PYTHON[1]}; {sys.executable} is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. Install python3.11 or name one with "
            "`make PYTHON=/path/to/python3.11 …`."
        )


def set_up(purpose: str) -> None:
    """Prepare everything for ``runtime`` or, with more on top, for ``test``."""
    check_python()
    make_venv(VENV)
    install_torch()
    if purpose == "runtime":
        install_requirements(VENV, "base.txt", name="base", depends=[TORCH])
    else:
        files = ("base.txt", "dev.txt", "backbones.txt")
        install_requirements(VENV, *files, name="dev", depends=[TORCH])
        # `runtime` afterwards has nothing to do: what it needs is there.
        base = digest(REQUIREMENTS / "base.txt", TORCH)
        stamp_of(VENV, "base").write_text(base, encoding="ascii")
    link_sources()
    install_browser_libraries(development=purpose == "test")
    if purpose == "test":
        make_venv(MLFLOW_VENV)
        files = ("mlflow-server.txt", "mlflow-client.txt")
        install_requirements(MLFLOW_VENV, *files, name="mlflow-server")


def main(arguments: Sequence[str]) -> int:
    """Set up for the purpose named on the command line; a sentence and exit code 1 on failure."""
    if len(arguments) != 1 or arguments[0] not in ("runtime", "test"):
        print("usage: python3 -m deploy.set_up runtime|test", file=sys.stderr)
        return 2
    try:
        set_up(arguments[0])
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

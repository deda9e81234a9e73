"""Install the servers that the tests talk to from apt, without starting or enabling any.

Debian and Ubuntu start a server while they install it. A temporary ``policy-rc.d`` denies
that; whatever policy the machine had before comes back afterwards, also when this run was
interrupted (the next run then finishes the job). Units that the installation enabled are
disabled again, so the machine boots as it did before.

Run as root: ``python3 -m deploy.install_services``.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.steps import VAR, Failed, run, step

PACKAGE_OF = {
    "redis-server": "redis-server",
    "rabbitmq-server": "rabbitmq-server",
    "radosgw": "radosgw",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "nginx": "nginx-light",
    "ffmpeg": "ffmpeg",
    "chromium": "chromium",
    "curl": "curl",
    "jq": "jq",
    "Rscript": "r-cran-httr2 r-cran-jsonlite",
}
"""Program that must exist → the packages that bring it, and what it needs beside it."""

POLICY = Path("/usr/sbin/policy-rc.d")
MARK = "# written by aMGS while it installs test servers; safe to delete"
SNAPSHOT = VAR / "setup" / "enabled-before.json"
LOG = "apt.log"
SEARCH_PATH = os.pathsep.join(["/usr/sbin", "/sbin", os.environ.get("PATH", os.defpath)])


def missing_programs() -> list[str]:
    """Programs of ``PACKAGE_OF`` that this machine does not have."""
    return [name for name in PACKAGE_OF if shutil.which(name, path=SEARCH_PATH) is None]


def restore_policy(policy: Path = POLICY) -> None:
    """Undo what an installation did to ``policy-rc.d``; harmless when there is nothing to undo."""
    saved = policy.with_name(policy.name + ".amgs-saved")
    ours = policy.exists() and MARK in policy.read_text(encoding="utf-8", errors="replace")
    if ours and saved.exists():
        saved.replace(policy)
    elif ours:
        policy.unlink()
    else:  # interrupted between saving the machine's policy and replacing it
        saved.unlink(missing_ok=True)


@contextmanager
def starts_denied(policy: Path = POLICY) -> Iterator[None]:
    """Deny every service start through ``policy-rc.d`` inside the block."""
    restore_policy(policy)
    draft = policy.with_name(policy.name + ".amgs-new")
    draft.write_text(f"#!/bin/sh\n{MARK}\nexit 101\n", encoding="utf-8")
    draft.chmod(0o755)
    if policy.exists():
        shutil.copy2(policy, policy.with_name(policy.name + ".amgs-saved"))
    draft.replace(policy)
    try:
        yield
    finally:
        restore_policy(policy)


def enabled_links() -> set[str]:
    """Symbolic links through which systemd or SysV init start something at boot."""
    folders = [Path("/etc/systemd/system"), *Path("/etc").glob("rc[0-9S].d")]
    found: set[str] = set()
    for folder in folders:
        if folder.is_dir():
            found |= {
                str(path)
                for path in folder.rglob("*")
                if path.is_symlink() and (folder.name == "system" or path.name.startswith("S"))
            }
    return found


def disable_what_is_new(before: set[str]) -> list[str]:
    """Disable every unit enabled since ``before`` was taken; return their names."""
    units: set[str] = set()
    for link in sorted(enabled_links() - before):
        path = Path(link)
        if path.parent.name.startswith("rc"):
            units.add(path.name[3:])
            run(["update-rc.d", path.name[3:], "disable"], LOG)
        else:
            units.add(path.name)
            # systemctl may be absent or unable to reach a manager; the link is all there is.
            path.unlink(missing_ok=True)
    return sorted(units)


def install() -> None:
    """Install what is missing; raise `Failed` with a sentence where this machine cannot."""
    missing = missing_programs()
    restore_policy()
    if not missing and not SNAPSHOT.exists():
        return
    if shutil.which("apt-get") is None:
        raise Failed(
            f"SERVICES=install works on Debian and Ubuntu; install {', '.join(missing)} by hand "
            "and run `make test`."
        )
    if os.geteuid() != 0:
        raise Failed(
            f"Installing {', '.join(missing)} needs root: run `sudo python3 -m "
            "deploy.install_services` once, then `make test`."
        )
    # A termination request must still pass through `finally` and restore the policy.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    if not SNAPSHOT.exists():
        draft = SNAPSHOT.with_suffix(".new")
        draft.write_text(json.dumps(sorted(enabled_links())), encoding="utf-8")
        draft.replace(SNAPSHOT)
    before = set(json.loads(SNAPSHOT.read_text(encoding="utf-8")))
    quiet = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l"}
    apt = ["apt-get", "--yes", "--quiet", "-o", "DPkg::Lock::Timeout=300"]
    packages = [package for name in missing for package in PACKAGE_OF[name].split()]
    with starts_denied():
        run(["dpkg", "--configure", "--pending"], LOG, environment=quiet)
        if packages:
            with step("refresh the package lists"):
                run([*apt, "update"], LOG, environment=quiet)
            with step(f"install {' '.join(packages)}"):
                run([*apt, "install", "--no-install-recommends", *packages], LOG, environment=quiet)
        disabled = disable_what_is_new(before)
    SNAPSHOT.unlink()
    if disabled:
        print(f"  ✓ left disabled: {', '.join(disabled)}")
    if still := missing_programs():
        raise Failed(f"apt installed its packages, yet {', '.join(still)} cannot be found.")
    reload_systemd()


def reload_systemd() -> None:
    """Let a running systemd see that links went away."""
    if Path("/run/systemd/system").is_dir():
        subprocess.run(["systemctl", "daemon-reload"], check=False)


def main() -> int:
    """Install under a lock that a second set-up on the same machine waits for."""
    lock = Path("/run/lock/amgs-install-services.lock" if os.geteuid() == 0 else os.devnull)
    try:
        with lock.open("w") as handle:
            if os.geteuid() == 0:
                fcntl.flock(handle, fcntl.LOCK_EX)
            install()
    except Failed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

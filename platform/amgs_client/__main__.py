"""The command line of a site.

``amgs login | upload | labels | status | discard | validate | download | score | study``
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from amgs_client import score_command, study_command
from amgs_client.client import Client
from amgs_client.errors import SiteError, SiteRefused
from amgs_client.folder import (
    FileTold,
    compare,
    fetch_all,
    find_draft,
    look_at,
    make_draft,
    plan_of,
    send_folder,
    unfinished_line,
)
from amgs_client.labels import answers_of, look, problems_of, settled, told_of
from amgs_client.uploading import LANES

console = Console(stderr=True)


def _config_path() -> Path:
    root = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(root) / "amgs" / "site.json"


def _connect(arguments: argparse.Namespace) -> Client:
    saved: dict[str, Any] = {}
    if _config_path().exists():
        saved = json.loads(_config_path().read_text())
    url = arguments.site or os.environ.get("AMGS_SITE") or saved.get("site")
    token = os.environ.get("AMGS_TOKEN") or saved.get("token")
    return Client(url or "http://127.0.0.1:8000", token, arguments.patience)


def _login(arguments: argparse.Namespace) -> None:
    site = arguments.site or "http://127.0.0.1:8000"
    token = arguments.token or console.input("Token (from your account page): ", password=True)
    with Client(site, token.strip()) as client:
        me = client.me()
    path = _config_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps({"site": site, "token": token.strip()}))
    console.print(f"Signed in to {site} as {me['name']} ({', '.join(me['roles']) or 'no roles'}).")


def _upload(arguments: argparse.Namespace) -> int:
    if problems := look_at(arguments.folder):
        return _tell("Nothing was sent:", problems)
    with _connect(arguments) as client:
        if arguments.dataset:
            version = find_draft(client, arguments.dataset)
        else:
            lab = arguments.lab or _first_lab(client)
            version = make_draft(client, lab, plan_of(arguments.folder))
            console.print(
                f"{version['identifier']} is a new draft. If this is interrupted, go on with "
                f"--dataset {version['identifier']}"
            )
        rows = plan_of(arguments.folder)["recordings"]
        total = sum((arguments.folder / row["file"]).stat().st_size for row in rows)
        with _files_bar(total) as told:
            found = list(
                send_folder(client, version, arguments.folder, told=told, lanes=arguments.lanes)
            )
    counts = Counter(outcome.became for outcome in found)
    console.print(
        f"{counts['sent']} sent and checked, {counts['held']} there before, "
        f"{counts['problem']} not sent."
    )
    print(version["identifier"])
    return _tell("Not sent:", [outcome.problem for outcome in found if outcome.problem])


def _labels(arguments: argparse.Namespace) -> int:
    with _connect(arguments) as client:
        if arguments.undo:
            client.remove_labels(arguments.undo)
            console.print(f"{arguments.undo} is undone; none of its rows counts any more.")
            return 0
        if arguments.redo:
            return _imported(settled(client, client.redo_labels(arguments.redo)["id"]))
        if arguments.file is None or not arguments.dataset:
            raise SiteError("Name a label file and, with --dataset, the draft it belongs to.")
        version = find_draft(client, arguments.dataset)
        answers = answers_of(arguments.answers)
        with _bar() as bar:
            task = bar.add_task(arguments.file.name, total=1.0)
            row = look(
                client,
                version,
                arguments.file,
                answers,
                lambda sent, size: bar.update(task, completed=sent / max(1, size)),
            )
        if row["status"] == "done":
            console.print(
                f"'{row['name']}' is in {version['identifier']} already; nothing was doubled. "
                f"Undo it with --undo {row['id']}."
            )
            return 0
        for line in told_of(row):
            print(line)
        _tell("Problems, each of which blocks nothing but itself:", list(problems_of(row)))
        if row["status"] == "refused":
            raise SiteError(row["refusal"])
        if row["look"]["refusal"]:
            raise SiteError(f"{row['look']['refusal']} Say so in a file named with --answers.")
        if not arguments.yes and not _is_wanted():
            console.print(f"Not imported. It waits in {version['identifier']} as {row['id']}.")
            return 1
        return _imported(settled(client, client.confirm_labels(row["id"])["id"]))


def _is_wanted() -> bool:
    """Ask whether to import; nobody who could answer means no."""
    return sys.stdin.isatty() and console.input("Import it like this? (yes/no) ").strip() == "yes"


def _imported(row: dict[str, Any]) -> int:
    if row["status"] != "done":
        raise SiteError(row["refusal"] or f"'{row['name']}' was not read.")
    counts = ", ".join(f"{number} {kind}" for kind, number in row["counts"].items())
    console.print(f"'{row['name']}' is imported: {counts.replace('_', ' ') or 'nothing in it'}.")
    _tell("Not read:", list(problems_of(row)))
    print(row["id"])
    return 0


def _first_lab(client: Client) -> str:
    labs = client.me()["labs"]
    if not labs:
        raise SiteError("You belong to no lab here; make one on the site, or be added to one.")
    return str(labs[0]["id"])


def _tell(title: str, problems: list[str]) -> int:
    if problems:
        console.print(f"[bold]{title}[/bold]")
        for problem in problems:
            console.print(f"  {problem}", markup=False)
    return 1 if problems else 0


def _status(arguments: argparse.Namespace) -> None:
    with _connect(arguments) as client:
        if arguments.version:
            rows = [find_draft(client, arguments.version)]
        else:
            rows = list(client.datasets())
        waiting = client.unfinished_uploads() if client.http.signed_in else []
    for row in rows:
        print(f"{row['identifier']}  {row['state']:<18}  {row['title']}")
    if waiting and not arguments.version:
        print("\nUnfinished uploads (send the same file again to go on, or 'amgs discard ID'):")
        for row in waiting:
            print(unfinished_line(row))


def _discard(arguments: argparse.Namespace) -> None:
    with _connect(arguments) as client:
        for upload in arguments.uploads:
            client.discard_upload(upload)
            console.print(f"{upload} was given up.")


def _validate(arguments: argparse.Namespace) -> int:
    problems = look_at(arguments.folder)
    if not problems and arguments.dataset:
        with _connect(arguments) as client:
            version = find_draft(client, arguments.dataset)
            problems = compare(client, version["id"], arguments.folder)
    if not problems:
        stored = " and is stored as it is here" if arguments.dataset else ""
        console.print(f"Everything in '{arguments.folder}' can be sent{stored}.")
    return _tell("To be mended:", problems)


def _download(arguments: argparse.Namespace) -> int:
    with _connect(arguments) as client:
        version = find_draft(client, arguments.version)
        folder = arguments.out or Path(version["identifier"].replace("/", "."))
        if arguments.zip:
            return _download_zip(client, version, arguments.zip)
        with _files_bar(None) as told:
            found = list(fetch_all(client, version["id"], folder, told))
    counts = Counter(outcome.became for outcome in found)
    console.print(f"{counts['sent']} fetched into '{folder}', {counts['held']} there before.")
    return _tell("Not fetched:", [outcome.problem for outcome in found if outcome.problem])


def _download_zip(client: Client, version: dict[str, Any], target: Path) -> int:
    with _files_bar(None) as told:
        came = 0

        def say(count: int) -> None:
            nonlocal came
            came += count
            told(target.name, came, came + 1)  # how much there is shows at the end

        client.save_export(version["id"], "export.zip", target, say)
    console.print(f"{version['identifier']} lies in '{target}'; its manifest.json names each file.")
    return 0


@contextlib.contextmanager
def _files_bar(total: int | None) -> Iterator[FileTold]:
    """Show a bar for every file on its way and, with a total in bytes, one for all."""
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
    )
    whole = bar.add_task("All files", total=total) if total else None
    tasks: dict[str, TaskID] = {}
    came: dict[str, int] = {}

    def told(name: str, sent: int, size: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=size)
        came[name] = sent
        bar.update(tasks[name], completed=sent, visible=sent < size)
        if whole is not None:
            bar.update(whole, completed=sum(came.values()))

    with bar:
        yield told


def _score(arguments: argparse.Namespace) -> int:
    with _connect(arguments) as client:
        return score_command.score(client, arguments, console)


def _study(arguments: argparse.Namespace) -> int:
    with _connect(arguments) as client:
        status: int = arguments.act(client, arguments, console)
        return status


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        console=console,
    )


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="amgs", description=__doc__)
    top.add_argument("--site", help="address of the site (default: the one you signed in to)")
    top.add_argument(
        "--patience", type=float, default=60.0, help="seconds a connection may stand still"
    )
    commands = top.add_subparsers(required=True)

    login = commands.add_parser("login", help="remember a site and a token")
    login.add_argument("--token")
    login.set_defaults(do=_login)

    upload = commands.add_parser("upload", help="send a folder, or what is missing of it")
    upload.add_argument("folder", type=Path)
    upload.add_argument("--dataset", help="the draft to add to (default: a new one)")
    upload.add_argument("--lanes", type=int, default=LANES, help="parts sent at the same time")
    upload.add_argument("--lab", help="id of the lab (default: your first)")
    upload.set_defaults(do=_upload)

    labels = commands.add_parser("labels", help="look at a label file and import it")
    labels.add_argument("file", nargs="?", type=Path, help="a sheet, landmarks, or a folder")
    labels.add_argument("--dataset", help="the draft it belongs to")
    labels.add_argument(
        "--answers", type=Path, help="a JSON file with mapping, places and declared"
    )
    labels.add_argument("--yes", action="store_true", help="import it without asking")
    labels.add_argument("--undo", metavar="ID", help="undo an import as a whole")
    labels.add_argument("--redo", metavar="ID", help="read an undone import again")
    labels.set_defaults(do=_labels)

    status = commands.add_parser("status", help="list your datasets and unfinished uploads")
    status.add_argument("version", nargs="?")
    status.set_defaults(do=_status)

    discard = commands.add_parser("discard", help="give unfinished uploads up")
    discard.add_argument("uploads", nargs="+", metavar="UPLOAD")
    discard.set_defaults(do=_discard)

    validate = commands.add_parser("validate", help="look at a folder before it is sent")
    validate.add_argument("folder", type=Path)
    validate.add_argument("--dataset", help="compare it with what this dataset holds")
    validate.set_defaults(do=_validate)

    download = commands.add_parser(
        "download", help="fetch recordings, ratings and manifest of a dataset, or what is missing"
    )
    download.add_argument("version")
    download.add_argument("--out", type=Path, help="folder (default: the dataset's name)")
    download.add_argument(
        "--zip", type=Path, metavar="FILE", help="one zip instead, which cannot be taken up again"
    )
    download.set_defaults(do=_download)

    score_command.add_to(commands, _score)
    study_command.add_to(commands, _study)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    arguments = parser().parse_args(argv)
    try:
        return int(arguments.do(arguments) or 0)
    except SiteRefused as refusal:
        console.print(f"[bold]Refused:[/bold] {refusal.sentence}")
        for detail in refusal.details:
            console.print(f"  {detail.get('field', '')} {detail.get('sentence', '')}".rstrip())
        return 1
    except (SiteError, OSError) as error:
        console.print(f"[bold]Failed:[/bold] {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())

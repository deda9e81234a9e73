"""The command line: ``amgs login | upload | status | score``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from amgs_client.client import Client, contribute_folder
from amgs_client.errors import SiteError, SiteRefused

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
    return Client(url or "http://127.0.0.1:8000", token)


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


def _upload(arguments: argparse.Namespace) -> None:
    with _connect(arguments) as client, _bar() as bar:
        task = bar.add_task("Sending")
        version = contribute_folder(
            client,
            arguments.folder,
            arguments.lab or client.me()["labs"][0]["id"],
            told=lambda done, total: bar.update(task, completed=done, total=total),
        )
    console.print(f"{version['identifier']} is a draft; look at it, then submit it.")
    print(version["identifier"])


def _status(arguments: argparse.Namespace) -> None:
    with _connect(arguments) as client:
        if arguments.version:
            rows = [client.version(arguments.version.replace("/", "."))]
        else:
            rows = list(client.datasets())
    for row in rows:
        print(f"{row['identifier']}  {row['state']:<18}  {row['title']}")


def _score(arguments: argparse.Namespace) -> None:
    arguments.out.mkdir(parents=True, exist_ok=True)
    asked = [(path, region) for path in arguments.videos for region in arguments.region or [None]]
    with _connect(arguments) as client:
        for path, region in asked:
            name = path.name if region is None else f"{path.name} ({region[0]})"
            stem = path.stem if region is None else f"{path.stem}-{region[0]}"
            with _bar() as bar:
                task = bar.add_task(name, total=1.0)
                run = client.score(
                    path,
                    region=region,
                    told=lambda row: bar.update(task, completed=row["job"]["progress"]),  # noqa: B023
                )
            if run["job"]["state"] != "done":
                console.print(f"{name}: {run['job']['error']}")
                continue
            print(f"{name}: {run['result']['sentence']}")
            (arguments.out / f"{stem}.json").write_text(json.dumps(run, indent=2))
            for file in run["files"]:
                if file.endswith((".csv", ".parquet")):
                    data = client.result_file(run, file)
                    (arguments.out / f"{stem}.{file}").write_bytes(data)


def _region(text: str) -> tuple[str, list[int]]:
    """Return name and edges of ``NAME=x0,y0,x1,y1``; whether they fit the site decides."""
    name, _, numbers = text.partition("=")
    try:
        return name, [int(part) for part in numbers.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no region; write a name and four numbers of pixels, such as "
            "m1=0,0,640,720"
        ) from None


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
    commands = top.add_subparsers(required=True)

    login = commands.add_parser("login", help="remember a site and a token")
    login.add_argument("--token")
    login.set_defaults(do=_login)

    upload = commands.add_parser("upload", help="contribute a folder with a dataset.json")
    upload.add_argument("folder", type=Path)
    upload.add_argument("--lab", help="id of the lab (default: your first)")
    upload.set_defaults(do=_upload)

    status = commands.add_parser("status", help="list your datasets, or show one")
    status.add_argument("version", nargs="?")
    status.set_defaults(do=_status)

    score = commands.add_parser("score", help="score videos")
    score.add_argument("videos", nargs="+", type=Path)
    score.add_argument("--out", type=Path, default=Path("results"))
    score.add_argument(
        "--region",
        action="append",
        type=_region,
        metavar="NAME=x0,y0,x1,y1",
        help="score one animal in this part of the picture, in pixels; once per animal",
    )
    score.set_defaults(do=_score)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    arguments = parser().parse_args(argv)
    try:
        arguments.do(arguments)
    except SiteRefused as refusal:
        console.print(f"[bold]Refused:[/bold] {refusal.sentence}")
        for detail in refusal.details:
            console.print(f"  {detail.get('field', '')} {detail.get('sentence', '')}".rstrip())
        return 1
    except (SiteError, OSError) as error:
        console.print(f"[bold]Failed:[/bold] {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

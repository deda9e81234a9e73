"""``amgs score``: many recordings at once, into a folder that can be gone on with."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from amgs_client.client import Client
from amgs_client.score_folder import (
    AT_ONCE,
    Outcome,
    Sent,
    Told,
    Wish,
    find,
    row_of,
    score_all,
    write_summary,
)
from amgs_client.scores import Region, Score
from amgs_client.uploading import LANES

STATUS = {"not_sent": 3, "failed": 4, "not_over": 5}
"""Exit status by what became of a recording; of several the smallest is returned."""
INTERRUPTED = 130
EPILOG = (
    "Exit status: 0 every recording has its result (also one in which too little could be graded); "
    "1 nothing was begun; 3 a recording could not be sent; 4 the site could not score one; 5 one "
    "was not over in time. Run the same command again to go on: nothing is sent or scored twice."
)


def score(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Score what the command line names; return the exit status."""
    recordings = find(arguments.recordings, arguments.region or [], arguments.out)
    serving = "" if arguments.model else str((client.serving() or {}).get("id", ""))
    wish = Wish(
        arguments.out,
        model=arguments.model,
        serving=serving,
        notify=arguments.notify,
        lanes=arguments.lanes,
    )
    found: list[Outcome] = []
    try:
        with _bars(len(recordings), console) as (sent, told, over):
            for outcome in score_all(
                client,
                recordings,
                wish,
                wait=not arguments.no_wait,
                timeout=arguments.timeout,
                at_once=arguments.at_once,
                sent=sent,
                told=told,
            ):
                found.append(outcome)
                over(outcome)
                _print(outcome, client, arguments.json)
    except KeyboardInterrupt:
        console.print("Stopped. Run the same command again to go on.")
        return INTERRUPTED
    finally:
        if found:
            write_summary(arguments.out, found)
    if any(one.score is not None and one.score.phantom for one in found):
        console.print(
            "[bold]Phantom:[/bold] the model learned from rendered faces; its scores prove the "
            "machinery and say nothing about real mice."
        )
    console.print(_said(found, arguments.out))
    return min((STATUS[one.became] for one in found if one.became in STATUS), default=0)


def _print(outcome: Outcome, client: Client, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row_of(outcome)), flush=True)
    elif outcome.problem:
        print(f"{outcome.recording.name}: {outcome.problem}", flush=True)
    elif outcome.became == "asked" and outcome.score is not None:
        address = f"{client.http.site}/score/{outcome.score.token}/"
        print(f"{outcome.recording.name}: {address}", flush=True)
    elif outcome.score is not None:
        print(f"{outcome.recording.name}: {outcome.score.sentence}", flush=True)


def _said(found: list[Outcome], out: Path) -> str:
    def count(*kinds: str) -> int:
        return sum(one.became in kinds for one in found)

    told = f"{count('scored')} scored, {count('held')} scored before"
    for kind, words in (
        ("asked", "asked for"),
        ("not_sent", "not sent"),
        ("failed", "failed"),
        ("not_over", "not over"),
    ):
        told += f", {count(kind)} {words}" if count(kind) else ""
    return f"{told}. The table is '{out / 'summary.csv'}'."


@contextlib.contextmanager
def _bars(total: int, console: Console) -> Iterator[tuple[Sent, Told, Callable[[Outcome], None]]]:
    """Show one bar for all recordings, and one for each that is sent or scored just now."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[doing]}", markup=False),
        TimeRemainingColumn(),
        console=console,
    )
    whole = bar.add_task("All recordings", total=total, doing="")
    tasks: dict[str, TaskID] = {}

    def show(name: str, share: float, doing: str) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=1.0, doing=doing)
        bar.update(tasks[name], completed=share, doing=doing, visible=True)

    def sent(name: str, count: int, size: int) -> None:
        show(name, count / max(1, size), "sending" if count < size else "sent")

    def told(name: str, score: Score) -> None:
        show(name, score.progress, score.note or "waiting for its turn")

    def over(outcome: Outcome) -> None:
        if outcome.recording.name in tasks:
            bar.update(tasks[outcome.recording.name], visible=False)
        bar.advance(whole)

    with bar:
        yield sent, told, over


def region(text: str) -> Region:
    """Return name and edges of ``NAME=x0,y0,x1,y1``; whether they fit the site decides."""
    name, _, numbers = text.partition("=")
    try:
        return name, [int(part) for part in numbers.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no region; write a name and four numbers of pixels, such as "
            "m1=0,0,640,720"
        ) from None


def add_to(commands: Any, do: Callable[[argparse.Namespace], int]) -> None:
    """Add the command and its options to the commands of a parser."""
    command = commands.add_parser(
        "score", help="score videos and pictures into a folder", epilog=EPILOG
    )
    command.add_argument("recordings", nargs="+", help="files, folders, or patterns such as *.mp4")
    command.add_argument("--out", type=Path, default=Path("results"), help="folder of the results")
    command.add_argument("--model", default="", help="version to score with, such as mouse-v2")
    command.add_argument(
        "--region",
        action="append",
        type=region,
        metavar="NAME=x0,y0,x1,y1",
        help="score one animal in this part of the picture, in pixels; once per animal",
    )
    command.add_argument(
        "--no-wait", action="store_true", help="ask for the scores and fetch them another time"
    )
    command.add_argument("--json", action="store_true", help="print a line of JSON per recording")
    command.add_argument("--notify", action="store_true", help="tell me of each in my inbox")
    command.add_argument(
        "--timeout",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to wait (default: for ever)",
    )
    command.add_argument(
        "--at-once", type=int, default=AT_ONCE, metavar="N", help="files sent at the same time"
    )
    command.add_argument(
        "--lanes", type=int, default=LANES, help="parts of a file at the same time"
    )
    command.set_defaults(do=do)

"""``amgs study``: from a table of scores to the zip of its analysis."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from amgs_client.client import Client
from amgs_client.errors import SiteError, SiteRefused
from amgs_client.scores import key_of
from amgs_client.study_table import named_in, text_of, tokens_of

Do = Callable[[Client, argparse.Namespace, Console], int]
SHOWN = ("name", "animal", "cage", "group", "time_h", "dose", "excluded", "state")
MIXED = "mixed"


def create(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Make a study from a table; the same command goes on with the same study."""
    text = text_of(arguments.table)
    tokens = _tokens(client, text, arguments.model)
    digest = hashlib.sha256(text.encode()).hexdigest()
    key = key_of(digest, {"act": "study", "title": arguments.title})
    made = client.studies.create(arguments.title, key)
    print(made["id"], flush=True)
    try:
        return _take_over(client, made["id"], text, tokens, arguments, console)
    except SiteRefused:
        console.print(
            f"The study was made, but its table is not filled. Mend '{arguments.table}' and go on "
            f"with: amgs study table {made['id']} '{arguments.table}'",
            markup=False,
        )
        raise


def table(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Put what a table names and says into a study that is there."""
    text = text_of(arguments.table)
    tokens = _tokens(client, text, arguments.model)
    return _take_over(client, arguments.study, text, tokens, arguments, console)


def _tokens(client: Client, text: str, model: str) -> list[str]:
    return tokens_of(named_in(text), client.scores(), model)


def _take_over(
    client: Client,
    study: str,
    text: str,
    tokens: list[str],
    arguments: argparse.Namespace,
    console: Console,
) -> int:
    try:
        rows = client.studies.add(study, tokens, arguments.model)
    except SiteRefused as refused:
        if refused.field == MIXED and not arguments.model:
            console.print("Name the version with --model, such as --model mouse-v2.")
        raise
    changed = client.studies.fill(study, text)
    seen = client.studies.get(study)
    console.print(
        f"'{seen['title']}' has {_count(len(rows), 'row')}, all by {seen['model']}; "
        f"{changed} of them {'was' if changed == 1 else 'were'} changed by the table.",
        markup=False,
    )
    _say_phantom(seen["phantom"], console)
    _say_waiting(seen["waiting"], console)
    console.print(f"The page is {client.http.site}/studies/{study}/", markup=False)
    return 0


def _count(number: int, one: str) -> str:
    return f"{number} {one}{'' if number == 1 else 's'}"


def _say_waiting(waiting: dict[str, int], console: Console) -> None:
    if waiting["waiting"]:
        rows = "row waits for its" if waiting["waiting"] == 1 else "rows wait for their"
        console.print(f"{waiting['waiting']} {rows} score; the analysis waits for it, too.")
    if waiting["failed"]:
        console.print(f"{waiting['failed']} could not be scored by this version.")


def _say_phantom(phantom: bool, console: Console) -> None:
    if phantom:
        console.print(
            "[bold]Phantom:[/bold] the model learned from rendered faces; its scores prove the "
            "machinery and say nothing about real mice."
        )


def list_all(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """List my studies, or the deleted ones."""
    if arguments.deleted:
        for row in client.studies.deleted():
            print(f"{row['id']}  until {row['until'][:10]}  {row['title']}")
        return 0
    for row in client.studies.all():
        print(f"{row['id']}  {row['rows']:>5} rows  {row['model'] or '-':<12}  {row['title']}")
    return 0


def show(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Show a study: its plan, how far it is, and its table."""
    seen, rows = client.studies.get(arguments.study), client.studies.entries(arguments.study)
    if arguments.json:
        print(json.dumps(seen | {"entries": rows}))
        return 0
    print(f"{seen['title']}: {_count(len(rows), 'row')}, by {seen['model'] or 'no model yet'}.")
    for one in seen["locked"]:
        late = ", after results were seen" if one["after_results"] else ""
        print(f"Plan version {one['number']} was locked on {one['at'][:10]} by {one['by']}{late}.")
    if not seen["locked"]:
        print("The plan is not locked, so no score is shown beside its group.")
    elif seen["plan_differs"]:
        print("The draft of the plan differs from what is locked; lock it or take it back.")
    for one in [*seen["changes"], *seen["goings"]]:
        print(f"{one['at'][:10]}: {one['sentence']}")
    if seen["analysis"]:
        print(f"The newest analysis is {seen['analysis']['job']['state']}.")
    _say_phantom(seen["phantom"], console)
    _say_waiting(seen["waiting"], console)
    opened = any(row["result"] for row in rows)
    print("\t".join([*SHOWN, *(["score", "coverage"] if opened else [])]))
    for row in rows:
        cells = [row[key] for key in SHOWN]
        if opened:
            told = row["result"] or {}
            cells += [told.get("score"), told.get("coverage")]
        print("\t".join(map(_cell, cells)))
    return 0


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def lock(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Keep a plan, where one is given, and lock the draft once it was read."""
    seen = client.studies.get(arguments.study)
    plan, digest = seen["plan"], ""
    if arguments.plan is not None:
        try:
            given = json.loads(arguments.plan.read_text(encoding="utf-8"))
        except ValueError as error:
            raise SiteError(f"'{arguments.plan}' is no JSON: {error}.") from error
        if not isinstance(given, dict):
            raise SiteError(f"'{arguments.plan}' is no plan: it holds an object with its fields.")
        kept = client.studies.set_plan(arguments.study, given)
        plan, digest = kept["plan"], kept["digest"]
    if not plan:
        raise SiteError("This study has no plan yet; give one with --plan, or fill it in by page.")
    before = seen["locked"][-1] if seen["locked"] else None
    if before is not None and before["plan"] == plan:
        console.print(f"This plan is locked already, as version {before['number']}.")
        return 0
    for name, value in plan.items():
        if value not in ("", None, [], ()):
            print(f"{name}: {value}")
    if not arguments.yes and not _sure("Lock this plan? It cannot be undone (yes/no) ", console):
        console.print("Not locked. Read it, and lock it with --yes.")
        return 1
    locked = client.studies.lock(arguments.study, digest, arguments.why)
    console.print(
        f"Version {locked['number']} is locked by {locked['by']}, entry {locked['decision']} of "
        f"the log. Digest: {locked['digest']}",
        markup=False,
    )
    return 0


def _sure(question: str, console: Console) -> bool:
    """Ask; nobody who could answer means no."""
    return sys.stdin.isatty() and console.input(question).strip() == "yes"


def analyse(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Analyse a study and save the zip from which every number is made again."""
    target: Path = arguments.out
    if target.is_dir():
        target /= "study.zip"
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        console=console,
    )
    with bar:
        task = bar.add_task("Analysing", total=1.0)
        found = client.studies.analyse(
            arguments.study,
            arguments.timeout or float("inf"),
            lambda share, note: bar.update(task, completed=share, description=note or "Analysing"),
        )
        bar.update(task, completed=1.0, description="Analysed")
    client.studies.save_file(arguments.study, "study.zip", target)
    for warning in found["report"]["warnings"]:
        console.print(f"Note: {warning['sentence']}", markup=False)
    print(found["report"]["methods"].strip())
    console.print(found["disclaimer"], markup=False)
    console.print(
        f"Report, tables and figures lie in '{target}', by plan version {found['plan']['number']}.",
        markup=False,
    )
    return 0


def delete(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Tell what goes and what stays, and delete a study."""
    told = client.studies.deletion(arguments.study)
    for title, stays in (("What goes:", False), ("What stays:", True)):
        print(title)
        for one in told:
            if one["stays"] == stays:
                print(f"  {one['sentence']}")
    if not arguments.yes and not _sure("Delete this study? (yes/no) ", console):
        console.print("Not deleted. Read it, and delete it with --yes.")
        return 1
    client.studies.delete(arguments.study)
    console.print(
        f"It is deleted. Bring it back with: amgs study restore {arguments.study}", markup=False
    )
    return 0


def restore(client: Client, arguments: argparse.Namespace, console: Console) -> int:
    """Bring a deleted study back."""
    back = client.studies.restore(arguments.study)
    console.print(f"'{back['title']}' is back, as it was.", markup=False)
    return 0


def add_to(commands: Any, do: Callable[[argparse.Namespace], int]) -> None:
    """Add the command and its own commands to the commands of a parser."""
    study = commands.add_parser("study", help="scores side by side: table, plan, analysis")
    acts = study.add_subparsers(required=True)

    def act(name: str, run: Do, words: str, *, one: bool = True) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = acts.add_parser(name, help=words)
        if one:
            command.add_argument("study", metavar="ID", help="the study ('amgs study list')")
        command.set_defaults(do=do, act=run)
        return command

    made = act("create", create, "make a study from a table of scores", one=False)
    made.add_argument("title")
    filled = act("table", table, "put what a table says into a study")
    for command in (made, filled):
        command.add_argument(
            "table",
            type=Path,
            help="CSV with video (or score), animal, cage, group, time_h, dose",
        )
        command.add_argument("--model", default="", help="version that scores all of it anew")
    listed = act("list", list_all, "list your studies", one=False)
    listed.add_argument("--deleted", action="store_true", help="those that can be brought back")
    shown = act("show", show, "show plan, state and table of a study")
    shown.add_argument("--json", action="store_true", help="print it as JSON")
    locked = act("lock", lock, "lock the plan of a study; it cannot be undone")
    locked.add_argument("--plan", type=Path, metavar="FILE", help="a plan as JSON, kept first")
    locked.add_argument("--why", default="", help="why a locked plan is changed")
    analysed = act("analyse", analyse, "analyse a study and save its zip")
    analysed.add_argument("--out", type=Path, default=Path("study.zip"), help="file or folder")
    analysed.add_argument(
        "--timeout",
        type=float,
        default=0.0,
        metavar="S",
        help="seconds to wait (default: for ever)",
    )
    gone = act("delete", delete, "delete a study; the scores stay")
    for command in (locked, gone):
        command.add_argument("--yes", action="store_true", help="do it without asking")
    act("restore", restore, "bring a deleted study back")

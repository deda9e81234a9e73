"""`python -m models tools list | schema NAME | run NAME FILE… --out DIR`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from models.events import Refused
from models.tools.protocol import ToolContext
from models.tools.registry import find_tool, listed_tools
from models.tools.running import run_tool
from models.tools.schema import json_schema, parse

UNREADABLE = 1


def add_arguments(command: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    acts = command.add_subparsers(dest="act", required=True)
    acts.add_parser("list", help="the tools that are installed").add_argument(
        "--json", action="store_true", help="print them as JSON"
    )
    schema = acts.add_parser("schema", help="the parameters of a tool as JSON schema")
    schema.add_argument("name", metavar="NAME")
    run = acts.add_parser("run", help="run a tool on files, one after the other")
    run.add_argument("name", metavar="NAME")
    run.add_argument("files", nargs="+", type=Path, metavar="FILE")
    run.add_argument("--out", type=Path, required=True, help="a folder for each file is made in it")
    run.add_argument("--bundle", type=Path, help="default: the shipped one")
    run.add_argument("--json", action="store_true", help="print the results as JSON")
    run.add_argument(
        "--param", action="append", default=[], metavar="NAME=VALUE", help="once per parameter"
    )
    from models.study.command import add_arguments as add_study_arguments

    add_study_arguments(acts.add_parser("study", help="analyse a table of scored recordings"))


def run(options: argparse.Namespace) -> int:
    """Do what was asked; status 1 only where no file could be read. Raises Refused."""
    if options.act == "list":
        return _list(options.json)
    if options.act == "study":
        from models.events import printer
        from models.study.command import run as run_study

        return run_study(options, printer())
    tool = find_tool(options.name)
    if options.act == "schema":
        print(json.dumps(json_schema(tool.Params, tool.title), indent=2, ensure_ascii=False))
        return 0
    return _run(options)


def _list(as_json: bool) -> int:
    rows = listed_tools()
    if as_json:
        print(json.dumps([told(row) for row in rows], indent=2, ensure_ascii=False))
        return 0
    for row in rows:
        if row.tool is None:
            print(f"{row.name}: not usable. {row.error}")
        else:
            print(f"{row.name} {row.tool.version} ({row.package}): {row.tool.summary}")
    return 0


def told(row: Any) -> dict[str, Any]:
    """What is told of a listed tool, without its parameters."""
    tool = row.tool
    return {
        "name": row.name,
        "package": row.package,
        "error": row.error,
        "version": tool.version if tool else "",
        "title": tool.title if tool else row.name,
        "summary": tool.summary if tool else "",
        "accepts": list(tool.accepts) if tool else [],
        "gives_grades": bool(tool.gives_grades) if tool else False,
    }


def _run(options: argparse.Namespace) -> int:
    from models.bundle import default_bundle, load_bundle
    from models.scorer import Scorer
    from models.scoring import unused

    tool = find_tool(options.name)
    params = parse(tool.Params, _given(options.param))
    held: list[Scorer] = []

    def scorer() -> Scorer:
        # One for all files: opening the graphs is the slow part.
        if not held:
            held.append(Scorer(load_bundle(options.bundle) if options.bundle else default_bundle()))
        return held[0]

    names: set[str] = set()
    rows = []
    for file in options.files:
        folder = options.out / unused(file.stem or "file", names)
        context = ToolContext(folder, load=lambda: scorer().bundle, scorer=scorer)
        result = run_tool(tool, file, params, context)
        rows.append({"file": str(file), "folder": str(folder), **result.to_json()})
        if not options.json:
            mark = " (rests on rendered faces)" if result.phantom else ""
            print(f"{file}: {result.sentence}{mark}")
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
    return UNREADABLE if all(row["outcome"] == "unreadable" for row in rows) else 0


def _given(texts: list[str]) -> dict[str, str]:
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise Refused(f"“{text}” is no parameter; write --param NAME=VALUE.")
        given[name.strip()] = value
    return given

"""`python -m curation labels FILE…`: what is recognised, the first lines as read, the problems."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from curation.labels import Preview, preview, refused_plugins
from curation.labels.mapping import Mapping
from curation.labels.rows import UnknownFormat

SHOWN_PROBLEMS = 20


def add_to(commands: Any) -> None:
    """Add the command to a parser's sub-commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "labels", help="what score sheets, boxes and landmarks would be read as"
    )
    parser.add_argument("files", type=Path, nargs="+", help="label files, or folders of pictures")
    parser.add_argument("--format", default="", help="read as this format")
    parser.add_argument("--conversion", default="", help="the rule for another scale: 0-9:nearest")
    parser.add_argument("--frames-from", type=int, choices=(0, 1), default=0)
    parser.add_argument("--rater", default="", help="who rated, where the file names nobody")
    parser.add_argument("--file", default="", help="the recording, where the file names none")
    parser.add_argument("--boxes", default="", choices=("", "size", "corners"))
    parser.add_argument("--names", default="", help="what file names say: {animal}_{day}")
    parser.add_argument("--worksheet", default="", help="which sheet of an Excel file")
    parser.add_argument(
        "--column", action="append", default=[], metavar="HEADER=ROLE", help="what a column is"
    )
    parser.add_argument(
        "--cell", action="append", default=[], metavar="TEXT=MEANING", help="what a cell means"
    )
    parser.add_argument("--pictures", type=Path, help="the folder of pictures, to check boxes")
    parser.add_argument("--json", type=Path, help="write guesses, counts and problems to this file")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show every file; 0 when all could be read, 1 when something must be confirmed, 2 if not."""
    mapping = Mapping(
        columns=_pairs(options.column),
        cells=_pairs(options.cell),
        format=options.format,
        conversion=options.conversion,
        frames_from=options.frames_from,
        rater=options.rater,
        file=options.file,
        boxes=options.boxes,
        names=options.names,
        worksheet=options.worksheet,
    )
    sizes = _sizes(options.pictures) if options.pictures else {}
    for sentence in refused_plugins():
        print(sentence, file=sys.stderr)
    code = 0
    told = []
    for path in options.files:
        try:
            shown = preview(path, mapping, pictures=sizes)
        except UnknownFormat as refused:
            print(refused.sentence, file=sys.stderr)
            told.append({"file": path.name, "refusal": refused.sentence})
            code = 2
            continue
        _print(path.name, shown)
        told.append(_json(path.name, shown))
        if shown.labels is None:
            code = max(code, 1)
    if options.json:
        text = json.dumps(told, indent=1, allow_nan=False)
        options.json.write_text(text + "\n", encoding="utf-8")
    return code


def _print(name: str, shown: Preview) -> None:
    print(f"{name}: {shown.guess.title}")
    for header, what in shown.guess.recognised:
        print(f"  {header or '(no header)'} → {what}")
    for question in shown.guess.questions:
        print(f"  {'Confirm' if question.blocking else 'Check'}: {question.sentence}")
        for value, words in question.choices:
            print(f"    {question.field} = {value}: {words}")
    for line in shown.lines:
        place = line.file + (f", frame {line.frame}" if line.frame is not None else "")
        place += f", {line.time_s:g} s" if line.time_s is not None else ""
        said = "; ".join(f"{title}: {what}" for title, what in line.meaning or line.raw)
        print(f"  {place or f'row {line.row}'}  {said}")
    if shown.labels is None:
        print(f"  Nothing is read yet. {shown.refusal}")
        return
    for note in shown.labels.notes:
        print(f"  {note}")
    found = ", ".join(f"{number} {kind}" for kind, number in shown.labels.counts.items())
    print(f"  Read: {found.replace('_', ' ') or 'nothing'}")
    problems = shown.labels.problems
    for problem in problems[:SHOWN_PROBLEMS]:
        print(f"  {problem}", file=sys.stderr)
    if len(problems) > SHOWN_PROBLEMS:
        print(f"  and {len(problems) - SHOWN_PROBLEMS} more problems", file=sys.stderr)
    for skipped in shown.labels.skipped:
        print(f"  Skipped {skipped.file}: {skipped.sentence}")


def _json(name: str, shown: Preview) -> dict[str, Any]:
    guess = shown.guess
    told: dict[str, Any] = {
        "file": name,
        "format": guess.format,
        "recognised": [list(pair) for pair in guess.recognised],
        "mapping": guess.mapping.to_json(),
        "questions": [
            {
                "field": question.field,
                "sentence": question.sentence,
                "choices": dict(question.choices),
                "blocking": question.blocking,
            }
            for question in guess.questions
        ],
    }
    if shown.labels is None:
        return told | {"refusal": shown.refusal}
    return told | {
        "counts": shown.labels.counts,
        "notes": list(shown.labels.notes),
        "problems": [problem.to_json() for problem in shown.labels.problems],
        "skipped": [[one.file, one.sentence] for one in shown.labels.skipped],
    }


def _pairs(told: list[str]) -> dict[str, str]:
    pairs = {}
    for text in told:
        left, equals, right = text.rpartition("=")
        if not equals:
            raise UnknownFormat(f"“{text}” names no meaning; write it as LEFT=RIGHT.")
        pairs[left] = right
    return pairs


def _sizes(folder: Path) -> dict[str, tuple[int, int]]:
    """The displayed size of every picture of a folder, by name and by name with folders."""
    from models.media import Unreadable, probe

    sizes: dict[str, tuple[int, int]] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.startswith("._"):
            continue
        try:
            facts = probe(path)
        except Unreadable:
            continue
        size = (facts.width, facts.height)
        sizes[path.relative_to(folder).as_posix()] = sizes[path.name] = size
    return sizes

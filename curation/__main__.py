"""The command line of curation: `agreement TABLE…`, `check FOLDER`, `quorum`, `labels FILE…`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from curation.agreement import report, table_of
from curation.checks import blocking, run_checks
from curation.folder import UnreadableFolder, facts_of_folder
from curation.labels import UnknownFormat, read
from curation.labels import command as labels_command
from curation.problems import Problem
from curation.quorum_curve import draw, measure
from models.scale import load_scale


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it did what was asked, 1 when a check blocks, 2 when refused."""
    parser = argparse.ArgumentParser(prog="python -m curation", description=__doc__)
    commands = parser.add_subparsers(required=True)

    agreement = commands.add_parser("agreement", help="how well the raters of a score sheet agree")
    agreement.add_argument(
        "tables",
        metavar="TABLE",
        type=Path,
        nargs="+",
        help="a CSV, tab-separated or Excel score sheet; each of several is a dataset of its own",
    )
    agreement.add_argument("--json", type=Path, help="write the report to this file")
    agreement.add_argument("--draws", type=int, default=1000, help="bootstrap draws (1000)")
    agreement.add_argument("--seed", type=int, default=0, help="seed of the draws (0)")
    agreement.set_defaults(run=_agreement)

    check = commands.add_parser("check", help="check the folder of a lab before uploading it")
    check.add_argument("folder", type=Path, help="a folder with dataset.json, videos and sheets")
    check.add_argument("--json", type=Path, help="write facts and outcomes to this file")
    check.set_defaults(run=_check)

    quorum = commands.add_parser("quorum", help="what the quorum saves, on simulated raters")
    quorum.add_argument("--frames", type=int, default=1000, help="simulated frames (1000)")
    quorum.add_argument("--seed", type=int, default=1, help="seed of the simulated world (1)")
    quorum.add_argument("--json", type=Path, help="write the figures to this file")
    quorum.add_argument("--draw", type=Path, help="draw the curve as SVG")
    quorum.set_defaults(run=_quorum)

    labels_command.add_to(commands)

    options = parser.parse_args(arguments)
    try:
        code: int = options.run(options)
    except UnknownFormat as error:
        print(error.sentence, file=sys.stderr)
        return 2
    except UnreadableFolder as error:
        print(error, file=sys.stderr)
        return 2
    return code


def _agreement(options: argparse.Namespace) -> int:
    tables: list[pd.DataFrame] = []
    problems: list[Problem] = []
    names = dict.fromkeys(path.name for path in options.tables)
    for path in options.tables:
        labels = read(path)
        if not labels.rows:
            raise UnknownFormat(f"{path.name} holds no grades of raters to compare.")
        # Sheets of the same name in different folders are told apart by their paths.
        name = path.name if len(names) == len(options.tables) else str(path)
        tables.append(table_of(labels.rows, name if len(options.tables) > 1 else ""))
        problems += labels.problems
    found: dict[str, Any] = report(pd.concat(tables), options.draws, options.seed)
    # A sheet names no animals, so its files stand for them.
    found["resampled"] = "file"
    found["problems"] = [problem.to_json() for problem in problems]
    if options.json:
        _write(options.json, found)
    scale = load_scale()
    for key, row in found["units"].items():
        print(
            f"{scale.unit(key).title:22} kappa {_say(row['kappa_pairwise_quadratic'])}  "
            f"ICC(1,1) {_say(row['icc_1_1'])}  ICC(2,1) {_say(row['icc_2_1'])}  "
            f"ICC(2,k) {_say(row['icc_2_k'])}  "
            f"alpha {_say(row['alpha'])}  frames {row['n_frames']}  "
            f"raters needed {row['raters_needed'] or 'not known'}"
        )
    for problem in problems:
        print(problem, file=sys.stderr)
    return 0


def _check(options: argparse.Namespace) -> int:
    facts = facts_of_folder(options.folder)
    outcomes = run_checks(facts)
    if options.json:
        _write(
            options.json,
            {"facts": facts.to_json(), "outcomes": [one.to_json() for one in outcomes]},
        )
    for one in outcomes:
        print(f"{'ok' if one.passed else one.severity:8} {one.title}: {one.sentence}")
    return 1 if blocking(outcomes) else 0


def _quorum(options: argparse.Namespace) -> int:
    curve = measure(options.frames, options.seed)
    found = curve.figures()
    if options.json:
        _write(options.json, found)
    if options.draw:
        draw(curve, options.draw)
    rows = {f"plain mean of {number}": row for number, row in found["plain"].items()}
    rows |= {f"model, {number} raters": row for number, row in found["fixed"].items()}
    rows["asked where open"] = found["chosen"][-1]
    rows["with the random share"] = found["with_random_share"]
    rows["frame by frame"] = found["frame_by_frame"]
    print("beside the plain mean of 5: ratings, mean RMSE, RMSE of the unit that fares worst")
    for name, row in rows.items():
        print(f"{name:24} {row['ratings']:5.2f} {row['rmse']:5.2f} {row['worst_unit_rmse']:5.2f}")
    return 0


def _write(path: Path, data: dict[str, Any]) -> None:
    path.write_text(json.dumps(data, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _say(value: float | None) -> str:
    return "  –  " if value is None else f"{value:5.2f}"


if __name__ == "__main__":
    sys.exit(main())

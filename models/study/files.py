"""The tables of a study, and the zip that reproduces every number."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models.study.observations import EDGES, Read
from models.study.table import COLUMNS

Row = Mapping[str, Any]
EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in the zip: equal studies give equal bytes."""

README = """What is in this study
=====================

report.html     the report to read and print
report.json     every number of it
methods.txt     a paragraph for a paper
tables/         the numbers as CSV
figures/        every figure as SVG and PNG
study.csv       the table of recordings, with the reading of each in rows/
plan.json       what was decided beforehand

Every number can be made again from this folder by the program aMGS {program}:

    python -m models tools study study.csv --plan plan.json --out again

{model}
{phantom}{disclaimer}
"""


def write_tables(
    folder: Path, report: dict[str, Any], units: Sequence[Row], observations: Sequence[Row]
) -> None:
    """Write the tables as CSV; every row also names model, snapshot, day and phantom."""
    folder.mkdir(parents=True, exist_ok=True)
    tests = [
        {"family": "primary", "outcome": report["primary"]["outcome"], "time_h": None, **row}
        for row in report["primary"]["pairs"]
    ]
    for one in report["secondary"]:
        tests += [{"family": "secondary", "outcome": one["outcome"], "time_h": None, **row}
                  for row in one["pairs"]]  # fmt: skip
    tests += [{"family": "by_time", "outcome": "mean_score", **row} for row in report["by_time"]]
    tests += [{"family": "baseline", "outcome": "baseline", "time_h": None, **row}
              for row in report["baseline"]]  # fmt: skip
    spread = [
        {"group": row["group"], "units": row["units"], "from_score": float(low),
         "to_score": float(high), "share": share}
        for row in report["distribution"]
        for low, high, share in zip(EDGES[:-1], EDGES[1:], row["shares"], strict=True)
    ]  # fmt: skip
    tables: dict[str, Sequence[Row]] = {
        "observations": observations,
        "units": units,
        "time_course": report["time_course"],
        "group_tests": tests,
        "distribution": spread,
        "high_grimace": report["high_grimace"],
        "power": report["power"]["rows"] if report["power"] else [],
        "exclusions": [*report["exclusions"], *report["without_score"]],
    }
    model = report["model"]
    origin = {
        "model": model["name"], "bundle": model["digest"][:12], "snapshot": model["snapshot"],
        "analysed_on": report["date"], "phantom": "yes" if report["phantom"] else "no",
    }  # fmt: skip
    for name, rows in tables.items():
        if rows:
            text = as_csv([{**_flat(row), **origin} for row in rows])
            (folder / f"{name}.csv").write_text(text, encoding="utf-8")


def as_csv(rows: Sequence[Row]) -> str:
    """Rows as CSV with every column that one of them has; None and NaN are empty."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return text.getvalue()


def _flat(row: Row) -> dict[str, Any]:
    """A row whose intervals are two columns each."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, (list, tuple)):
            flat[f"{key}_low"], flat[f"{key}_high"] = value
        elif not isinstance(value, dict):
            flat[key] = value
    return flat


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    return "yes" if value is True else "no" if value is False else value


def write_zip(
    out: Path, report: dict[str, Any], read: Sequence[Read], files: Iterable[Path]
) -> None:
    """Write study.zip: the files of the report, the table, the plan and a reading per row."""
    table = []
    readings: dict[str, str] = {}
    for number, one in enumerate(read, 1):
        name = f"rows/{number:04d}.json"
        row = {key: getattr(one.row, key) for key in COLUMNS} | {"predictions": "", "result": ""}
        if one.reading is not None:
            row["result"] = name
            readings[name] = json.dumps({"reading": one.reading.to_json()}, ensure_ascii=False)
        table.append(row)
    model = report["model"]
    named = ", ".join(
        part
        for part in (
            f"Model {model['name']}" if model["name"] else "",
            f"bundle {model['digest']}" if model["digest"] else "",
            f"snapshot {model['snapshot']}" if model["snapshot"] else "",
            f"analysed on {report['date']}",
        )
        if part
    )
    phantom = "The model rests on rendered faces (a phantom) and says nothing about mice.\n"
    texts = {
        "README.txt": README.format(
            program=report["program"], model=f"{named}.", disclaimer=report["disclaimer"],
            phantom=phantom if report["phantom"] else "",
        ),
        "study.csv": as_csv(table),
        "plan.json": json.dumps(report["plan"], indent=2, ensure_ascii=False) + "\n",
        **readings,
    }  # fmt: skip
    with zipfile.ZipFile(out / "study.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=4) as held:
        for path in sorted(files):
            _put(held, path.relative_to(out).as_posix(), path.read_bytes())
        for name, text in texts.items():
            _put(held, name, text.encode())


def _put(held: zipfile.ZipFile, name: str, content: bytes) -> None:
    about = zipfile.ZipInfo(name, EPOCH)
    about.compress_type = zipfile.ZIP_STORED if name.endswith(".png") else zipfile.ZIP_DEFLATED
    about.external_attr = 0o644 << 16
    held.writestr(about, content)

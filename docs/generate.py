"""Write the reference pages that are read off the code: settings, states, checks, jobs, API.

``python docs/generate.py`` writes them; ``--check`` fails where one is out of date.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "reference"
WRITTEN = "<!-- Written by docs/generate.py from the code; change the code, not this page. -->\n\n"


def _set_up() -> None:
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "amgs.settings.base")
    os.environ.setdefault("AMGS_VAR", tempfile.mkdtemp(prefix="amgs-docs-"))
    import django

    django.setup()


def settings_page() -> str:
    """Every variable of the environment, from ``deploy/env.example``."""
    lines = [
        "# Settings",
        "",
        "Every setting is a variable of the environment. Unset means the "
        "embedded default: SQLite, local files and a filesystem broker under `var/`.",
        "",
    ]
    comment: list[str] = []
    for line in (ROOT / "deploy" / "env.example").read_text().splitlines():
        text = line.removeprefix("#").strip()
        name = text.partition("=")[0]
        if "=" in text and name.isupper() and " " not in name:
            lines += [
                f"## `{name}`",
                "",
                " ".join(comment) or "See the name.",
                "",
                f"Example: `{text}`",
                "",
            ]
            comment = []
        elif line.startswith("#") and text:
            comment.append(text)
        elif not text:
            comment = []
    return "\n".join(lines)


def states_page() -> str:
    """Both lifecycles and the roles."""
    from curation import dataset_version, model_version, roles

    lines = ["# States and roles", ""]
    for title, lifecycle in (
        ("A dataset version", dataset_version.LIFECYCLE),
        ("A model version", model_version.LIFECYCLE),
    ):
        lines += [
            f"## {title}",
            "",
            "```mermaid",
            lifecycle.mermaid().strip(),
            "```",
            "",
            "| act | from | to | who | reason needed |",
            "| --- | --- | --- | --- | --- |",
        ]
        for step in lifecycle.transitions:
            lines.append(
                f"| {step.title} (`{step.action}`) | {step.source} | {step.target} | "
                f"{', '.join(sorted(step.roles))} | {'yes' if step.needs_reason else 'no'} |"
            )
        lines.append("")
    lines += ["## Acts that change no state", "", "| act | who |", "| --- | --- |"]
    for key, act in roles.ACTS.items():
        lines.append(f"| {act.title} (`{key}`) | {', '.join(sorted(act.roles))} |")
    return "\n".join([*lines, ""])


def permissions_page() -> str:
    """Every version of the texts that owners sign, newest first."""
    from curation import permissions
    from curation.licences import LICENCES

    lines = [
        "# Permissions",
        "",
        "Four separate permissions that the lab gives for a version of its dataset. What is not "
        "given is not allowed. Each signature keeps the version and the SHA-256 of the text, the "
        "name of the signer, and that the right to share was confirmed; a text that was signed is "
        "never changed. How to give and take back: [Withdraw or retract]"
        "(../howto/withdraw-or-retract.md).",
        "",
        "| licence of the download | what it means |",
        "| --- | --- |",
        *(f"| `{key}` | {row.means} |" for key, row in LICENCES.items()),
        "",
        "Only a public download has a licence.",
        "",
    ]
    for wording in reversed(permissions.wordings()):
        now = ", signed now" if wording == permissions.current() else ""
        lines += [f"## Version {wording.key} (since {wording.since}{now})", ""]
        for text in wording.texts:
            lines += [f"### {text.title} (`{text.kind}`, {wording.key})", "", text.text, ""]
            lines += [f"SHA-256: `{text.digest}`", ""]
    return "\n".join(lines)


def scale_page() -> str:
    """The scale: units, states of a mouse, reasons, coats."""
    from models.scale import load_scale

    scale = load_scale()
    lines = [f"# The scale: {scale.title}", "", scale.source, ""]
    for unit in scale.units:
        lines += [f"## {unit.title} (`{unit.key}`)", ""]
        lines += [f"- **{grade}** {text}" for grade, text in enumerate(unit.grades)]
        lines += ["", unit.note, ""]
    for title, entries in (
        ("States", scale.states),
        ("Not-scorable reasons", scale.reasons),
        ("Coats", scale.coats),
    ):
        lines += [f"## {title}", ""] + [f"- `{row.key}`: {row.title}" for row in entries] + [""]
    return "\n".join(lines)


def jobs_page() -> str:
    """Every kind of job."""
    from amgs.core.jobs import kinds

    lines = [
        "# Jobs",
        "",
        "| kind | queue | stall limit | attempts | every | what it does |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for kind in sorted(kinds().values(), key=lambda row: row.name):
        every = f"{kind.every.total_seconds():g} s" if kind.every else ""
        sentence = (kind.work.__doc__ or "").strip().splitlines()[0]
        lines.append(
            f"| `{kind.name}` | {kind.queue} | {kind.limit.total_seconds():g} s | "
            f"{kind.attempts} | {every} | {sentence} |"
        )
    return "\n".join([*lines, ""])


def api_page() -> str:
    """Every endpoint, from the OpenAPI schema."""
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    lines = [
        "# The HTTP API",
        "",
        "The running site shows it with forms to try at `/api/docs/`; "
        "the schema is at `/api/schema/`.",
        "",
        "| call | what it does |",
        "| --- | --- |",
    ]
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            sentence = operation.get("description", "").strip().splitlines()
            lines.append(f"| `{method.upper()} {path}` | {sentence[0] if sentence else ''} |")
    return "\n".join([*lines, ""])


def checks_page() -> str:
    """Every automatic check with what a failure means."""
    from curation.checks import SEVERITIES, registry

    meaning = {
        "blocks": "A version in which one of these fails goes back to its lab.",
        "warns": "Both the lab and the curator see these; the curator decides.",
        "informs": "Told, no more.",
    }
    lines = [
        "# Automatic checks",
        "",
        "Every submitted version is screened, again whenever what it rests on changes, and drafts "
        "when their lab asks. All results are shown together with the frames they are about, and "
        "the facts they rest on are kept, so that a screening can be repeated.",
        "",
    ]
    for severity in SEVERITIES:
        lines += [f"## {severity.capitalize()}", "", meaning[severity], ""]
        lines += ["| check | key | what it does |", "| --- | --- | --- |"]
        for one in registry():
            if one.severity == severity:
                told = (one.examine.__doc__ or "").strip().splitlines()[0]
                whom = (
                    " Told to curators and maintainers alone." if one.audience == "office" else ""
                )
                lines.append(f"| {one.title} | `{one.key}` | {told}{whom} |")
        lines.append("")
    return "\n".join(lines)


def gates_page() -> str:
    """Every gate profile with its thresholds."""
    from dataclasses import asdict

    from curation.gates import PROFILES

    lines = ["# Gate profiles", ""]
    for name, profile in PROFILES.items():
        lines += [f"## `{name}`", "", "| threshold | value |", "| --- | --- |"]
        values = asdict(profile).items()
        lines += [f"| {key} | {'only told' if v is None else v} |" for key, v in values] + [""]
    return "\n".join(lines)


def shipped_page() -> str:
    """What the model that comes with the program reached, from ``report.json``."""
    path = OUT / "report.json"
    rows = json.loads(path.read_text()) if path.exists() else []
    lines = [
        "# The shipped model",
        "",
        "The model that comes with the program has learnt from rendered mouse faces "
        "([the phantom](../explanation/phantom.md)) with simulated raters. Its figures show that "
        "the machinery works and say **nothing about real mice**; production settings do not "
        "serve it.",
        "",
        "`make report` renders a study, trains the recipe once without each lab, judges it on that "
        "lab against raters drawn for the evaluation alone, and then makes the bundle from all "
        "labs. The study is taken as it is where an earlier run has rendered it already.",
        "",
    ]
    if not rows:
        return "\n".join([*lines, "No report has been made yet.", ""])
    judged = [row for row in rows if row["target"]]
    met = sum(row["ok"] for row in judged)
    first = rows[0]
    lines += [
        f"Commit `{first['commit'][:12]}`, {first['date']}, on {first['machine']}.",
        "",
        f"{met} of {len(judged)} figures meet their target.",
        "",
    ]
    titles = {
        "left-out.html": "Every lab graded by a model that never saw it",
        "shipped.html": "The shipped bundle on unseen animals of known labs",
    }
    for name, title in titles.items():
        if (OUT / "reports" / name).exists():
            lines.append(f"- [{title}](reports/{name})")
    lines += ["", *_context_lines(rows), *_oracle_lines(rows), "## Every figure", ""]
    return "\n".join([*lines, *_figure_lines(rows)])


def _figure_lines(rows: list[dict[str, Any]]) -> list[str]:
    """A table of figures with their targets."""
    lines = ["| figure | value | target | met |", "| --- | --- | --- | --- |"]
    for row in rows:
        value = (
            "not measured" if row["value"] is None else f"{row['value']:g} {row['unit']}".strip()
        )
        said = ("yes" if row["ok"] else "**no**") if row["target"] else ""
        lines.append(f"| `{row['name']}` | {value} | {row['target'] or ''} | {said} |")
    return [*lines, ""]


SUBJECTS = {
    "loop": "The loop on one machine",
    "scorer": "The scorer",
    "repository": "The repository",
    "curation": "Curation",
    "retraining": "Retraining and promotion",
    "public_scorer": "The public scorer",
    "core": "Jobs",
}


def figures_page() -> str:
    """Speed, memory and what endures, from ``bench.json`` and ``endurance.json``."""
    quick, long = (
        json.loads((OUT / f"{name}.json").read_text()) for name in ("bench", "endurance")
    )
    judged = [row for row in (*quick, *long) if row["target"]]
    met = sum(row["ok"] for row in judged)
    lines = [
        "# Figures",
        "",
        "`make bench` measures speed and memory, `make endurance` what takes hours or kills "
        "hundreds of processes. Speeds are told as ratios taken in one run wherever there is "
        "something to compare with; seconds hold for the machine they were measured on. What needs "
        "training is on the page of [the shipped model](shipped-model.md).",
        "",
        f"{met} of {len(judged)} figures meet their target. Why the others do not: "
        "[out of reach so far](../explanation/out-of-reach.md).",
        "",
    ]
    for key, title in SUBJECTS.items():
        some = [row for row in (*quick, *long) if row["name"].split(".")[0] == key]
        lines += [f"## {title}", "", *_figure_lines(sorted(some, key=lambda row: row["name"]))]
    lines += ["## Where and when", "", "| commit | day | machine | figures |"]
    lines.append("| --- | --- | --- | --- |")
    places: dict[tuple[str, str, str], int] = {}
    for row in (*quick, *long):
        place = (row["date"], row["commit"][:12], row["machine"])
        places[place] = places.get(place, 0) + 1
    for (date, commit, machine), count in sorted(places.items()):
        lines.append(f"| `{commit}` | {date} | {machine} | {count} |")
    return "\n".join([*lines, ""])


CONTEXT = "scorer.context_changes_"
CONTEXT_FIGURES = {
    "rmse": ("the error of the image score", "grades", 3, 1),
    "state_right": (
        "the share of frames whose state is named rightly",
        "percentage points",
        1,
        100,
    ),
    "graded_needlessly": (
        "the share of frames that are scored though the raters did not",
        "percentage points",
        1,
        100,
    ),
}


def _context_lines(rows: list[dict[str, Any]]) -> list[str]:
    """What the seconds round a frame change, in words; nothing where it was not measured."""
    from models.figures.ablation import HOLDING
    from models.scale import load_scale

    kinds = {"all": "all frames", "near_blink": "frames near a blink", "blurred": "blurred frames"}
    kinds |= {state.key: state.title.lower() for state in load_scale().states}
    kinds |= {HOLDING + key: f"all frames of recordings with {kinds[key]}" for key in [*kinds]}
    told = []
    for row in rows:
        name = row["name"].removeprefix(CONTEXT)
        figure = next((key for key in CONTEXT_FIGURES if name.endswith(f"_{key}")), None)
        if name == row["name"] or figure is None or row["value"] is None or not row["target"]:
            continue  # what has no target rests on too few frames
        what, unit, digits, factor = CONTEXT_FIGURES[figure]
        change = f"{factor * row['value']:+.{digits}f}".replace("-", "−")
        kind = name.removesuffix(f"_{figure}")
        told.append(f"| {kinds.get(kind, kind)} | {what} | {change} {unit} |")
    if not told:
        return []
    return [
        "## What the seconds round a frame are worth",
        "",
        "The model looks at the seconds before and after a frame. On every lab left out its "
        "answers were compared with those it gives to the single pictures alone: a negative change "
        "of the error or of needless scores, and a positive one of states named rightly, mean that "
        "the seconds help. The report on the labs left out shows the same for more kinds of "
        "frames, with intervals.",
        "",
        "| frames | what changes | change by context |",
        "| --- | --- | --- |",
        *told,
        "",
    ]


def _oracle_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Why r is told beside that of the best possible answer; nothing where that is not known."""
    if not any(row["name"].endswith("_oracle_r") for row in rows):
        return []
    return [
        "## How high r can be",
        "",
        "Raters disagree, so that even the expected grade of what was rendered, which no model can "
        "beat, has an r under 1 against their mean: `…_oracle_r`. In a lab where little was "
        "rendered to differ between its animals it is lower than the target that `…_r` is held "
        "against; `…_r_to_oracle` is the share of it that the model reaches.",
        "",
    ]


def tools_page() -> str:
    """Every tool that comes with the program, with its parameters."""
    from models.tools import listed_tools
    from models.tools.registry import OWN
    from models.tools.running import SAID
    from models.tools.schema import options

    lines = [
        "# Tools",
        "",
        "A tool looks at one file and says one thing about it. These come with the program; other "
        "packages may bring more ([Write a tool](../howto/write-a-tool.md)). They run on the page "
        "`/tools/`, by the API (`/api/tools`) and on your own machine:",
        "",
        "```sh",
        "python -m models tools list",
        "python -m models tools schema eye-opening",
        "python -m models tools run eye-opening cage7.mp4 --out results/ --param shut_below=0.25",
        "```",
        "",
        "Each file gets a folder with `result.json`, which names tool, version, parameters, the "
        "file's SHA-256 and the bundle, and with the tool's other files. Tools that give grades "
        "run on a site only where a validated model serves; the others use the finder and the eye "
        "reader of the bundle that comes with the program. That bundle learned from rendered mouse "
        "faces, so results that rest on it are marked `phantom`.",
        "",
    ]
    for row in listed_tools():
        if row.tool is None or not row.package.startswith(f"{OWN} "):
            continue
        tool = row.tool
        takes = " or ".join(SAID[kind] for kind in tool.accepts)
        grades = "Gives grades." if tool.gives_grades else "Gives no grades."
        lines += [f"## {tool.title} (`{tool.name}`)", "", tool.summary, ""]
        lines += [f"Version {tool.version}. Looks at {takes}. {grades}", ""]
        told = options(tool.Params)
        if told:
            lines += ["| parameter | type | default | bounds | meaning |"]
            lines += ["| --- | --- | --- | --- | --- |"]
        for one in told:
            ends = [f"{'' if end is None else f'{end:g}'}" for end in (one.least, one.most)]
            bounds = ", ".join(one.choices) or (" to ".join(ends) if any(ends) else "")
            unit = f" {one.unit}" if one.unit and bounds else ""
            usual = "" if one.default in (None, "") else f"`{one.default}`"
            meaning = f"{one.title}: {one.help}"
            lines.append(f"| `{one.name}` | {one.kind} | {usual} | {bounds}{unit} | {meaning} |")
        lines.append("")
    return "\n".join(lines)


PAGES = {
    "tools.md": tools_page,
    "shipped-model.md": shipped_page,
    "settings.md": settings_page,
    "states.md": states_page,
    "permissions.md": permissions_page,
    "scale.md": scale_page,
    "jobs.md": jobs_page,
    "api.md": api_page,
    "gates.md": gates_page,
    "checks.md": checks_page,
    "figures.md": figures_page,
}


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every generated page with its text."""
    for name, write in PAGES.items():
        yield OUT / name, WRITTEN + write().rstrip() + "\n"


def main() -> int:
    """Write the pages, or check that they are true."""
    _set_up()
    stale = []
    OUT.mkdir(parents=True, exist_ok=True)
    for path, text in pages():
        if path.exists() and path.read_text() == text:
            continue
        stale.append(path.name)
        if "--check" not in sys.argv:
            path.write_text(text)
    if stale and "--check" in sys.argv:
        print(f"Out of date: {', '.join(stale)}. Run python docs/generate.py.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Running a tool on one file: the same for the command line and for the site."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from models.events import Refused
from models.media.frames import Unreadable
from models.result import DISCLAIMER
from models.tools.protocol import Curve, Kind, Stopped, Tool, ToolContext, ToolResult
from models.tools.registry import package_of
from models.tools.schema import as_given, parse

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
RESULT = "result.json"
MOST_POINTS = 20_000
"""Most points of one curve: what is longer belongs into a file."""
MOST_JSON = 4_000_000
"""Most characters of a result as JSON."""
SAID = {"video": "a video", "still": "a picture or a folder of pictures", "table": "a table"}


class ToolBroke(Refused):
    """A tool raised what it should not, or handed back what is no result."""


def kind_of(media: Path, name: str = "") -> Kind:
    """What kind of media a file is; `name` is what people call it, where it is stored otherwise."""
    from models.media.stills import is_picture

    if Path(name or media.name).suffix.lower() in TABLES:
        return "table"
    if media.is_dir() or (media.is_file() and media.stat().st_size and is_picture(media)):
        return "still"
    return "video"


def run_tool(
    tool: Tool, media: Path, given: Mapping[str, Any] | Any, context: ToolContext
) -> ToolResult:
    """What a tool says of a file; its result is written to `result.json` beside its other files.

    `given` holds parameters by name, or is an instance of the tool's `Params`. A file that cannot
    be read is an answer, with the outcome `unreadable`. Raises Refused where the tool does not take
    such a file or such parameters, ToolBroke where the tool itself is at fault, and whatever the
    progress callback of the context raised.
    """
    params = parse(tool.Params, given) if isinstance(given, Mapping) else given
    kind = kind_of(media, context.name)
    if kind not in tool.accepts:
        wanted = " or ".join(SAID[one] for one in tool.accepts)
        raise Refused(f"“{tool.title}” looks at {wanted}; {_name(media, context)} is {SAID[kind]}.")
    context.folder.mkdir(parents=True, exist_ok=True)
    try:
        result = tool.run(media, params, context)
    except Stopped as stop:
        if stop.__cause__ is not None:
            raise stop.__cause__ from None
        raise Refused("The tool was stopped before it was done.") from None
    except Unreadable as problem:
        sentence = problem.sentence.replace(media.name, _name(media, context))
        result = ToolResult(sentence, outcome="unreadable")
    except Refused:
        raise
    except Exception as error:
        told = f"{type(error).__name__}: {error}"[:300]
        raise ToolBroke(
            f"The tool “{tool.name}” {tool.version} broke while it ran ({told}); tell those who "
            "made it."
        ) from error
    return _sealed(tool, media, params, context, result)


def _name(media: Path, context: ToolContext) -> str:
    return context.name or media.name


def _sealed(
    tool: Tool, media: Path, params: Any, context: ToolContext, result: ToolResult
) -> ToolResult:
    """The result once it was looked at, with its file; raises ToolBroke where it is none."""
    if not isinstance(result, ToolResult):
        raise ToolBroke(
            f"The tool “{tool.name}” handed back no ToolResult; tell those who made it."
        )
    for curve in result.curves:
        _check_curve(tool, curve)
    bundle = context.used_bundle
    phantom = result.phantom or bool(bundle is not None and bundle.phantom)
    names = tuple(dict.fromkeys([*result.files, RESULT]))
    for name in result.files:
        if Path(name).name != name or not (context.folder / name).is_file():
            raise ToolBroke(f"The tool “{tool.name}” names a file “{name}” that it did not write.")
    result = replace(
        result, phantom=phantom, files=names, advice=(*result.advice, *context.problems)
    )
    whole = {
        "result": result.to_json(),
        "provenance": provenance(tool, media, params, context),
        "disclaimer": DISCLAIMER,
    }
    try:
        text = json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ToolBroke(
            f"The result of the tool “{tool.name}” is no JSON ({error}); tell those who made it."
        ) from error
    if len(text) > MOST_JSON:
        raise ToolBroke(
            f"The result of the tool “{tool.name}” has {len(text) / 1e6:.1f} million characters; "
            "what is longer than 4 million belongs into a file."
        )
    (context.folder / RESULT).write_text(text + "\n", encoding="utf-8")
    return result


def provenance(tool: Tool, media: Path, params: Any, context: ToolContext) -> dict[str, Any]:
    """What every result of a tool names."""
    from models.scorer import identity

    bundle = context.used_bundle
    return {
        "tool": tool.name,
        "tool_version": tool.version,
        "package": package_of(tool.name),
        "parameters": as_given(params),
        "file": _name(media, context),
        "file_sha256": context.sha256 or identity(media),
        "bundle": bundle.digest if bundle is not None else "",
        "phantom": bool(bundle.phantom) if bundle is not None else False,
        "run_at": datetime.now(UTC).isoformat(timespec="seconds"),
        **context.origin,
    }


def _check_curve(tool: Tool, curve: Curve) -> None:
    times, values = list(curve.times), list(curve.values)
    sound = (
        len(times) == len(values) <= MOST_POINTS
        and all(math.isfinite(time) for time in times)
        and all(one <= other for one, other in pairwise(times))
    )
    if not sound:
        raise ToolBroke(
            f"The curve “{curve.title}” of the tool “{tool.name}” does not have one value per time "
            f"in rising order, or has more than {MOST_POINTS} of them."
        )

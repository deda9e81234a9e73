"""Runs of tools other than the scorer: start one, read what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from amgs.core import jobs, policy
from amgs.core.base import PUBLIC, SYSTEM
from amgs.core.errors import NotFound, Refused, TooMuch
from amgs.files.models import Upload
from amgs.registry.models import ModelVersion
from amgs.scoring import queries
from amgs.scoring.keeping import gone_sentence
from amgs.scoring.models import ToolRun
from amgs.scoring.services import grading_model

if TYPE_CHECKING:
    from models.tools import Tool

PURPOSE = "tool"
SCORE = "score"
OWN_PAGES = {SCORE: "/score/", "study": "/studies/"}
"""Tools that have a noun of their own on a site; they run as tools on the command line only."""
OWN_PAGE = (
    "“{title}” has a page and an API of its own here: open {page}, or use the API under /api/docs/."
)


def listed(*, maintainer: bool = False) -> list[dict[str, Any]]:
    """Return every installed tool; why one cannot be used is told to maintainers."""
    from models.tools import listed_tools
    from models.tools.command import told

    hidden = "This tool cannot be used here at present; the maintainers see why."
    rows = [told(row) for row in listed_tools()]
    if maintainer:
        return rows
    return [row | {"error": hidden} if row["error"] else row for row in rows]


def find(name: str) -> Tool:
    """Return the tool with this name; raises ``NotFound``, or ``Refused`` where it is broken."""
    from models.events import Refused as NoTool
    from models.tools import find_tool, listed_tools

    if not any(row.name == name for row in listed_tools()):
        raise NotFound("There is no tool at this address; the list of tools names those there are.")
    try:
        return find_tool(name)
    except NoTool as refusal:
        raise Refused(f"{refusal.sentence} Ask the maintainers of this site.") from refusal


def not_here(tool: Tool) -> str:
    """Return why a tool may not run on this site now, empty where it may.

    The honesty rule: what gives grades needs a validated model; all else runs always.
    """
    if not tool.gives_grades:
        return ""
    try:
        grading_model()
    except Refused as refused:
        return refused.sentence
    return ""


def schema_of(name: str) -> dict[str, Any]:
    """Return a tool with the JSON schema of its parameters; raises ``NotFound``."""
    from models.tools import json_schema

    tool = find(name)
    row = next(row for row in listed() if row["name"] == name)
    return {**row, "refusal": not_here(tool), "parameters": json_schema(tool.Params, tool.title)}


@transaction.atomic
def start_tool(
    *,
    user: Any = None,
    name: str,
    upload: Upload,
    parameters: Mapping[str, Any] | None = None,
) -> ToolRun:
    """Ask for a run of a tool on one upload, which may still be on its way.

    ``user`` is ``None`` for people without an account. Raises ``NotFound`` for an unknown tool,
    ``Refused`` where the tool may not run here, does not take such a file or such parameters, and
    ``TooMuch`` where the file is too large.
    """
    from models.tools import WrongParameter, parse
    from models.tools.schema import as_given

    policy.require(user or PUBLIC, "scoring.start_tool", None)
    tool = find(name)
    if name in OWN_PAGES:
        raise Refused(OWN_PAGE.format(title=tool.title, page=OWN_PAGES[name]))
    if refusal := not_here(tool):
        raise Refused(refusal)
    try:
        given = as_given(parse(tool.Params, parameters or {}))
    except WrongParameter as wrong:
        raise Refused(wrong.sentence, field=f"parameters.{wrong.parameter}") from wrong
    upload = _usable(upload, user)
    _takes(tool, upload.name)
    run = ToolRun.objects.create(
        tool=name,
        user=user,
        name=upload.name[:400],
        upload=upload,
        blob=upload.blob,
        parameters=given,
    )
    if run.blob_id is not None:
        begin(run)
    return run


def _usable(upload: Upload, user: Any) -> Upload:
    """Return the upload, locked against its finishing transaction; raises where it is not ours."""
    if upload.purpose != PURPOSE:
        raise Refused(
            "This upload was opened for another purpose; upload the file again for a tool.",
            field="upload",
        )
    if upload.user_id is not None and upload.user_id != getattr(user, "pk", None):
        raise Refused("This upload belongs to somebody else.", field="upload")
    if upload.state in {Upload.State.REFUSED, Upload.State.DISCARDED}:
        raise Refused(
            upload.refusal or "This upload was discarded; upload the file again.", field="upload"
        )
    most = settings.UPLOAD_MOST_BYTES if user else settings.UPLOAD_MOST_BYTES_PUBLIC
    if upload.size > most:
        raise TooMuch(
            f"This file has {upload.size / 1e6:.0f} MB, but at most {most / 1e6:.0f} MB can be "
            "looked at; cut it into shorter pieces.",
            field="upload",
        )
    return Upload.objects.select_for_update().get(pk=upload.pk)


def _takes(tool: Tool, name: str) -> None:
    """Raise ``Refused`` where the name of a file says that the tool will not look at it."""
    from models.tools.running import SAID, TABLES

    table = PurePosixPath(name).suffix.lower() in TABLES
    if table == ("table" in tool.accepts) or (not table and len(tool.accepts) > 1):
        return
    wanted = " or ".join(SAID[kind] for kind in tool.accepts)
    hint = f" with a name that ends in {', '.join(TABLES)}" if tool.accepts == ("table",) else ""
    raise Refused(f"“{tool.title}” looks at {wanted}{hint}; send such a file.", field="upload")


def begin(run: ToolRun) -> None:
    """Enqueue the job of a run whose file is there, in the caller's transaction."""
    from amgs.scoring.tool_jobs import run_tool

    run.job = jobs.enqueue(run_tool, by=run.user or SYSTEM, subject=run, run=run.public_id)
    run.save(update_fields=["blob", "job"])


def by_token(token: str) -> ToolRun:
    """Return the run with this token; raises ``NotFound``, also for a score."""
    found = (
        ToolRun.objects.select_related("job", "upload", "model_version")
        .defer(*ModelVersion.heavy())
        .filter(token=token)
        .exclude(tool=SCORE)
        .first()
    )
    if found is None:
        raise NotFound("There is no result at this address; the link may be cut off or revoked.")
    if found.deleted_at is not None:
        raise NotFound(gone_sentence(found))
    return found


def of_person(user: Any) -> QuerySet[ToolRun]:
    """Return a person's own runs of tools, newest first; scores are no such runs."""
    return (
        ToolRun.objects.select_related("job", "upload")
        .filter(user=user, deleted_at=None)
        .exclude(tool=SCORE)
        .order_by("-pk")
    )


def run_json(row: ToolRun) -> dict[str, Any]:
    """Return a run: progress, then result, provenance and the addresses of its files."""
    return {
        "token": row.token,
        "tool": row.tool,
        "title": title_of(row.tool),
        "name": row.name,
        "created_at": row.created_at,
        "parameters": row.parameters,
        "job": queries.job_summary(row),
        "result": row.result or None,
        "provenance": row.provenance or None,
        "files": {
            name: f"/api/tools/runs/{row.token}/files/{name}" for name in sorted(row.outputs)
        },
    }


def title_of(name: str) -> str:
    """Return the title of a tool, also of one that was uninstalled meanwhile: then its name."""
    return next((row["title"] for row in listed() if row["name"] == name), name)


def file_address(row: ToolRun, name: str) -> str:
    """Return a signed address of one file; raises ``NotFound``."""
    if name not in row.outputs:
        raise NotFound(f"This result has no file '{name}'.")
    return queries.file_address(row, name)

"""One dataset version: its page, the steps of a draft, its files and its decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from amgs.core import policy
from amgs.core.errors import NotFound, Refused
from amgs.repository import label_queries, queries, services
from amgs.repository.exclusions import left_out
from amgs.repository.models import Permission, Recording, Version
from amgs.review import reading
from amgs.review.screenings import refused_in_short
from amgs.review.services import mark_seen
from amgs.web import citing, dataset_sheet, design_book, design_table, signing
from amgs.web.people import actor
from amgs.web.screenings import screening
from curation import embargo
from curation.contributors import ROLES, kept
from curation.dataset_version import DRAFT, RETRACTED
from curation.metadata import BY_KEY, Asked, Field, asked_at, missing
from curation.problems import Problem

STEPS = (
    ("version-describe", "Describe"),
    ("version-design", "Design"),
    ("version-files", "Recordings"),
    ("version-labels", "Score sheets"),
    ("version-permissions", "Permissions"),
    ("version-submit", "Submit"),
)
RECORDINGS = 24
MOST_SHOWN = 50
"""Faults of a design that a refusal lists one by one."""
PLAIN = tuple(dataset_sheet.TEXTS)
Shown = dict[str, Any]


def ref(version: Version) -> str:
    """Return how an address names a version: its identifier with a dot for the slash."""
    return version.identifier.replace("/", ".")


def _find(request: HttpRequest, name: str) -> Version:
    return queries.find_version(request.user, name)


def draft_of(request: HttpRequest, name: str) -> Version:
    """Return a draft this person may edit; others are sent to its page by the refusal."""
    version = _find(request, name)
    policy.require(actor(request), "edit_draft", version)
    if version.state != DRAFT:
        raise Refused(
            f"{version.identifier} is {version.lifecycle.title(version.state)} and cannot be "
            "changed; only a draft can. Where changes were asked for, open it as a draft again."
        )
    return version


def lacking(version: Version, step: Asked) -> list[str]:
    """Return a sentence for each needed field without a value that a step asks for."""
    return _missing(version.metadata, step)


def _missing(metadata: Mapping[str, Any], step: Asked) -> list[str]:
    return [row.sentence for row in missing("dataset", metadata) if BY_KEY[row.field].asked == step]


def _done(page: Shown) -> dict[str, bool]:
    """Return which steps of a draft have what they need."""
    counts = page["counts"]
    return {
        "version-describe": bool(page["ethics"]) and not _missing(page["metadata"], "describe"),
        "version-design": counts["observations"] > 0,
        "version-files": counts["recordings"] > 0,
        "version-labels": counts["sheets"] > 0,
        "version-permissions": bool(page["signed"]),
        "version-submit": False,
    }


def step_page(
    request: HttpRequest,
    version: Version,
    here: str,
    status: int = 200,
    template: str = "",
    **more: Any,
) -> HttpResponse:
    """Show one step of a draft with the way through all of them.

    ``template`` is that of a page within the step.
    """
    page = queries.version_page(request.user, version)
    done = _done(page)
    steps = [
        {"name": name, "title": title, "done": done[name], "current": name == here}
        for name, title in STEPS
    ]
    names = [name for name, _ in STEPS]
    after = names[names.index(here) + 1] if here != names[-1] else ""
    context = {"version": page, "ref": ref(version), "steps": steps, "next_step": after}
    template = template or f"versions/{here.removeprefix('version-')}.html"
    return render(request, template, context | more, status=status)


# The page of a version ---------------------------------------------------------------------


def _page(request: HttpRequest, version: Version, status: int = 200, **more: Any) -> HttpResponse:
    person = actor(request)
    mark_seen(user=request.user, dataset=version.dataset)
    page = queries.version_page(request.user, version)
    if page["tombstone"]:
        return _tombstone(request, version, page, status, **more)
    recordings = queries.recordings(
        request.user, version, after=request.GET.get("after", ""), limit=RECORDINGS
    )
    may_edit = policy.may(person, "edit_draft", version)
    context = {
        "version": page,
        "ref": ref(version),
        "recordings": recordings,
        "screening": screening(request.user, version)
        if policy.may(person, "see_ratings", version)
        else None,
        "history": queries.history(version)[0],
        "actions": page["actions"],
        "facts": _facts(page["metadata"]),
        "people": kept(page["contributors"]),
        "permissions": Permission.Kind.choices,
        "editable": version.state == DRAFT and bool(may_edit),
        "may_answer": policy.may(person, "answer_check", version),
        "refused": refused_in_short(version)
        if policy.may(person, "see_ratings", version)
        else None,
        "may_remark": policy.may(person, "remark", version),
        "may_review": policy.may(person, "assign_audit", version),
        "may_permit": policy.may(person, "set_permissions", version),
        "may_delete": policy.may(person, "delete_draft", version) and version.published_at is None,
        "may_begin": policy.may(person, "new_draft", version),
        "embargoed": not embargo.is_over(version.embargo_until, timezone.localdate()),
        "label_files": label_queries.history(version)
        if policy.may(person, "see_ratings", version)
        else [],
        "citation": citing.card(person, version),
    }
    if policy.may(person, "see_dataset_inside", version):
        context |= {
            "pins": reading.pins(request.user, version),
            "may_reply": bool(context["may_remark"]),
            "left_out": [
                row | {"still": reading.picture(row["still_key"] or row["poster_key"])}
                for row in left_out(version)
            ],
        }
    return render(request, "versions/page.html", context | more, status=status)


def _tombstone(
    request: HttpRequest, version: Version, page: Shown, status: int, **more: Any
) -> HttpResponse:
    """Show that a version left, who decided it, when and why, and what followed."""
    person = actor(request)
    retracted = page["tombstone"]["state"] == RETRACTED and policy.may(
        person, "see_dataset_inside", version
    )
    context = {
        "version": page,
        "ref": ref(version),
        "gone": page["tombstone"],
        "citation": citing.card(person, version),
        "history": queries.history(version)[0],
        "actions": page["actions"],
        "recordings": queries.recordings(request.user, version, limit=RECORDINGS)
        if retracted
        else None,
        "may_begin": policy.may(person, "new_draft", version),
        "may_remark": policy.may(person, "remark", version),
    }
    return render(request, "versions/tombstone.html", context | more, status=status)


def _facts(metadata: Shown) -> list[tuple[Field, Any]]:
    return [(BY_KEY[key], value) for key, value in metadata.items() if key in BY_KEY and value]


@require_safe
def version(request: HttpRequest, name: str) -> HttpResponse:
    """Show a version: what it holds, what the checks said, what was decided.

    A dataset without a number leads to the newest version of it.
    """
    found = _find(request, name)
    if found.public_id != name and ref(found).casefold() != name.casefold():
        return redirect("version", ref(found))
    return _page(request, found)


@require_POST
@login_required
def act(request: HttpRequest, name: str, action: str) -> HttpResponse:
    """Take one step of a version's life."""
    found = _find(request, name)
    why = request.POST.get("why", "")
    if action == "submit" and lacking(found, "submit"):
        return redirect("version-submit", ref(found))
    try:
        services.decide_version(
            by=request.user,
            version=found,
            action=action,
            why=why,
            without_audit="without_audit" in request.POST,
        )
    except Refused as refused:
        found.refresh_from_db()
        return _page(request, found, 422, problem=refused, tried=action, why=why)
    messages.success(request, f"{found.identifier} is {found.lifecycle.title(found.state)} now.")
    return redirect("version", ref(found))


@require_POST
@login_required
def remark(request: HttpRequest, name: str) -> HttpResponse:
    """Write into the review thread."""
    found = _find(request, name)
    try:
        services.remark(by=request.user, version=found, text=request.POST.get("text", ""))
    except Refused as refused:
        return _page(request, found, 422, remark_problem=refused)
    return redirect("version", ref(found))


@require_POST
@login_required
def reply(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Reply to a remark on a picture."""
    found = _find(request, name)
    try:
        services.reply(
            by=request.user, version=found, number=number, text=request.POST.get("text", "")
        )
    except Refused as refused:
        return _page(request, found, 422, reply_problem=refused, reply_to=number)
    messages.success(request, "Your reply stands beside the picture.")
    return redirect("version", ref(found))


# The steps of a draft ----------------------------------------------------------------------


def metadata_of(request: HttpRequest, version: Version, step: Asked) -> dict[str, Any]:
    """Return the metadata of a version with the fields of a step as given.

    Numbers are numbers, and empty fields are left out.
    """
    asked = asked_at(step)
    found = {
        key: value
        for key, value in version.metadata.items()
        if key not in {field.key for field in asked}
    }
    for field in asked:
        text = request.POST.get(f"meta-{field.key}", "").strip()
        if not text:
            continue
        if field.kind == "boolean":
            found[field.key] = text == "yes"
        else:
            found[field.key] = design_table.value(field.key, text)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def describe(request: HttpRequest, name: str) -> HttpResponse:
    """Title, description, licence, ethics and the fields of the whole dataset."""
    found = draft_of(request, name)
    here = "version-describe"
    form = {"fields": asked_at("describe"), "roles": ROLES}
    if request.method == "POST":
        metadata = metadata_of(request, found, "describe")
        plain: Shown = {key: request.POST.get(key, "") for key in PLAIN}
        plain["contributors"] = _people(request)
        try:
            services.update_version(by=request.user, version=found, metadata=metadata, **plain)
        except Refused as refused:
            given = plain | {"metadata": metadata}
            return step_page(request, found, here, 422, problem=refused, given=given, **form)
        return _saved(request, found, here)
    page = queries.version_page(request.user, found)
    return step_page(request, found, here, given=page, **form)


def _people(request: HttpRequest) -> list[dict[str, str]]:
    """Return the rows of people as given, without the empty ones."""
    columns = [request.POST.getlist(f"person-{key}") for key in ("name", "orcid", "role")]
    return [
        {"name": name, "orcid": orcid, "role": role}
        for name, orcid, role in zip(*columns, strict=False)
        if name.strip() or orcid.strip()
    ]


def _saved(request: HttpRequest, version: Version, here: str) -> HttpResponse:
    """Go on to the next step, or stay where the person said so."""
    if "stay" in request.POST:
        messages.success(request, "Saved.")
        return redirect(here, ref(version))
    names = [name for name, _ in STEPS]
    return redirect(names[names.index(here) + 1], ref(version))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def design(request: HttpRequest, name: str) -> HttpResponse:
    """Groups, animals and time points as tables one can paste from a spreadsheet."""
    found = draft_of(request, name)
    here = "version-design"
    columns = {
        "group_columns": design_table.GROUP_FIELDS,
        "animal_columns": design_table.ANIMAL_FIELDS,
        "coats": BY_KEY["coat"].term_keys,
    }
    if request.method == "POST":
        given = {key: request.POST.get(key, "") for key in design_table.TABLES}
        told: Shown = {}
        wrong: list[Problem] = []
        try:
            if book := request.FILES.get("book"):
                filled = _filled(book)
                given = filled.tables or design_table.texts(queries.design(request.user, found))
                if filled.dataset is not None:
                    told, wrong = dataset_sheet.changes(found, filled.dataset)
            _require_sound(given, wrong)
            animals = design_table.animals(given["animals"])
            with transaction.atomic():
                if told:
                    services.update_version(by=request.user, version=found, **told)
                services.set_design(
                    by=request.user,
                    version=found,
                    groups=design_table.groups(given["groups"]),
                    animals=animals,
                    observations=design_table.observations(given["observations"], animals),
                )
        except Refused as refused:
            return step_page(request, found, here, 422, problem=refused, given=given, **columns)
        return _saved(request, found, here)
    shape = queries.design(request.user, found)
    return step_page(request, found, here, given=design_table.texts(shape), **columns)


def _filled(book: UploadedFile) -> design_book.Filled:
    if book.size is None or book.size > design_book.MOST_BYTES:
        raise Refused("A design has at most 5 MB; send the filled template.", field="book")
    return design_book.read(book.name or "The file", book.read())


def _require_sound(given: Mapping[str, str], of_dataset: list[Problem]) -> None:
    """Raise ``Refused`` with every fault of the tables by its row and column."""
    if problems := [*of_dataset, *design_table.problems(given)]:
        count = len(problems)
        fields = {title: key for key, (title, _) in design_table.TABLES.items()}
        first = fields.get(problems[0].file or "", "book")
        raise Refused(
            "One cell cannot be right." if count == 1 else f"{count} cells cannot be right.",
            field=first,
            details=[{"sentence": str(row)} for row in problems[:MOST_SHOWN]],
        )


@require_safe
@login_required
def book(request: HttpRequest, name: str) -> HttpResponse:
    """Return the template for Excel, filled with what the draft says so far."""
    found = draft_of(request, name)
    shape = queries.design(request.user, found)
    return HttpResponse(
        design_book.template(design_table.texts(shape), dataset_sheet.rows(found)),
        content_type=design_book.MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{ref(found)}-design.xlsx"'},
    )


@require_safe
@login_required
def files(request: HttpRequest, name: str) -> HttpResponse:
    """Recordings: send them, watch them being read, take them out again."""
    found = draft_of(request, name)
    shape = queries.design(request.user, found)
    choices = [{"animal": row["animal"], "name": row["name"]} for row in shape["observations"]]
    return step_page(
        request, found, "version-files", choices=choices, **_recordings(request, found)
    )


def _recordings(request: HttpRequest, version: Version) -> Shown:
    page = queries.recordings(
        request.user, version, after=request.GET.get("after", ""), limit=RECORDINGS
    )
    waiting = any(row["status"] == Recording.Status.PENDING for row in page.rows)
    return {"recordings": page, "waiting": waiting}


@require_safe
@login_required
def recordings(request: HttpRequest, name: str) -> HttpResponse:
    """Return the list of recordings as a fragment; it asks again while one is being read."""
    found = _find(request, name)
    context = _recordings(request, found) | {"ref": ref(found), "editable": found.state == DRAFT}
    return render(request, "versions/recordings.html", context)


@require_POST
@login_required
def remove_recording(request: HttpRequest, name: str, public_id: str) -> HttpResponse:
    """Take a recording out of a draft."""
    found = draft_of(request, name)
    row = Recording.objects.filter(versions=found, public_id=public_id).first()
    if row is None:
        raise NotFound("There is no such recording in this version.")
    services.remove_recording(by=request.user, version=found, recording=row)
    messages.success(request, f"“{row.name}” is taken out.")
    return redirect("version-files", ref(found))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def permissions(request: HttpRequest, name: str) -> HttpResponse:
    """What others may do with the data, signed with a name."""
    found = draft_of(request, name)
    here = "version-permissions"
    page = queries.version_page(request.user, found)
    held = [kind for kind, given in page["permissions"].items() if given]
    signer = page["signed"][0]["signer_name"] if page["signed"] else request.user.name
    form: Shown = signing.form(held, signer, found.licence) | {
        "until": found.embargo_until,
        "train_under_embargo": found.train_under_embargo,
    }
    if request.method == "POST":
        form |= signing.given(request)
        until = request.POST.get("until", "")
        form |= {"until": until, "train_under_embargo": "train_under_embargo" in request.POST}
        try:
            signing.sign_draft(request, found, form)
        except Refused as refused:
            return step_page(request, found, here, 422, problem=refused, **form)
        return _saved(request, found, here)
    return step_page(request, found, here, **form)


_VIEWS = (describe, design, files, permissions)

urlpatterns = [
    path("datasets/<str:name>/", version, name="version"),
    *(
        path(f"datasets/<str:name>/{view.__name__}", view, name=f"version-{view.__name__}")
        for view in _VIEWS
    ),
    path("datasets/<str:name>/recordings", recordings, name="version-recordings"),
    path(
        "datasets/<str:name>/recordings/<str:public_id>/remove",
        remove_recording,
        name="recording-remove",
    ),
    path("datasets/<str:name>/design.xlsx", book, name="version-book"),
    path("datasets/<str:name>/remarks", remark, name="version-remark"),
    path("datasets/<str:name>/remarks/<int:number>/reply", reply, name="version-reply"),
    path("datasets/<str:name>/acts/", version, name="version-acts"),
    path("datasets/<str:name>/acts/<str:action>", act, name="version-act"),
]

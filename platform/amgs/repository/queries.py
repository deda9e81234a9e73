"""What pages and the API read of the repository; a constant number of queries each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db.models import Count, Model, Q, QuerySet

from amgs.core import policy
from amgs.core.decisions import history as decisions_about
from amgs.core.errors import NotFound, Refused
from amgs.core.models import Decision
from amgs.files.models import Upload
from amgs.files.services import blob_address
from amgs.files.storage import get_storage
from amgs.repository import steps
from amgs.repository.exclusions import kept_recordings, without_left_out
from amgs.repository.frozen import design_of, places_of
from amgs.repository.lookup import LARGE, visible_version
from amgs.repository.models import Frame, LabelImport, Permission, Recording, Version
from amgs.repository.rules import PUBLIC_STATES, is_of_own_lab, may_see_pictures
from amgs.repository.tombstone import tombstone
from curation.dataset_version import LIFECYCLE, WITHDRAWN
from curation.metadata import completeness

_IDENTIFIER = re.compile(r"AMGS-(\d{6,9})(?:[./](\d{1,6}))?", re.IGNORECASE)
Json = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Some rows and the public id after which the next page begins (``None`` at the end)."""

    rows: list[Json]
    next: str | None


def datasets_visible_to(user: Any) -> QuerySet[Version]:
    """Return the versions a person (or the anonymous public) may know of, with their labs."""
    return Version.objects.visible_to(user).select_related("dataset__lab").defer(*LARGE)


def find_version(user: Any, name: str) -> Version:
    """Return a version by public id or identifier (``AMGS-000123.2``); raises ``NotFound``.

    A dataset without a number (``AMGS-000123``) is its newest version that is public, or else
    the newest that is open to this person.
    """
    match = _IDENTIFIER.fullmatch(name)
    if match and match[2]:
        version = visible_version(user, dataset=int(match[1]), number=int(match[2]))
    elif match:
        rows = datasets_visible_to(user).filter(dataset__number=int(match[1]))
        all_of_it = list(rows.order_by("-number"))
        public = (row for row in all_of_it if row.state in PUBLIC_STATES)
        version = next(public, all_of_it[0] if all_of_it else None)
    else:
        version = visible_version(user, public_id=name)
    if version is None:
        raise NotFound("There is no such dataset version, or it is not open to you.")
    return version


def version_row(user: Any, version: Version) -> Json:
    """Return a version as lists show it; asks the database for nothing."""
    dataset = version.dataset
    return {
        "id": version.public_id,
        "identifier": version.identifier,
        "dataset": {"id": dataset.public_id, "identifier": dataset.identifier},
        "lab": {"id": dataset.lab.public_id, "name": dataset.lab.name},
        "title": version.title,
        "state": version.state,
        "state_title": LIFECYCLE.title(version.state),
        "licence": version.licence,
        "phantom": dataset.phantom,
        "assay": version.metadata.get("assay", ""),
        "created_at": version.created_at,
        "submitted_at": version.submitted_at,
        "published_at": version.published_at,
        "own": is_of_own_lab(user, version),
        "actions": actions(user, version, thorough=False),
    }


def actions(user: Any, version: Version, *, thorough: bool = True) -> list[Json]:
    """Return every step that people may take from here, and whether this person may.

    ``thorough`` also asks the guards (an unfinished audit, files still being read), which costs
    queries; ``warning`` is an objection that a curator may overrule with ``without_audit``.
    """
    found = []
    for row in LIFECYCLE.transitions:
        if row.source != version.state or row.roles == {"system"}:
            continue
        answer = _may_step(user, row.action, version)
        entry = {
            "action": row.action,
            "title": row.title,
            "allowed": answer.allowed,
            "reason": answer.reason,
            "needs_reason": row.needs_reason,
            "warning": "",
        }
        if answer and thorough:
            try:
                steps.ask(steps.Step(version, row.action, user))
            except steps.Insist as objection:
                entry["warning"] = objection.sentence
            except Refused as refusal:
                entry |= {"allowed": False, "reason": refusal.sentence}
        found.append(entry)
    return found


def _may_step(user: Any, action: str, version: Version) -> policy.Answer:
    if not user.is_authenticated:
        return policy.Answer(False, "Please sign in first.")
    return policy.may(user, f"repository.version.{action}", version)


def version_page(user: Any, version: Version) -> Json:
    """Return everything the page of a version shows, but for its lists."""
    counts = kept_recordings(version).aggregate(
        **{status.value: Count("pk", filter=Q(status=status.value)) for status in Recording.Status}
    )
    held = {row.kind: row for row in version.permissions.all()}
    shape = design(user, version)
    values: Mapping[str, Any] = {
        "dataset": version.metadata,
        "group": [row["treatment"] for row in shape["groups"]],
        "animal": [row["metadata"] for row in shape["animals"]],
        "observation": [row["metadata"] for row in shape["observations"]],
    }
    return version_row(user, version) | {
        "description": version.description,
        "ethics": version.ethics,
        "funder": version.funder,
        "metadata": version.metadata,
        "contributors": version.contributors,
        "completeness": round(completeness(values), 3),
        "embargo_until": version.embargo_until,
        "train_under_embargo": version.train_under_embargo,
        "tombstone": tombstone(version),
        "permissions": {kind.value: kind.value in held for kind in Permission.Kind},
        "signed": [
            {
                "kind": row.kind,
                "text_version": row.text_version,
                "text_sha256": row.text_digest,
                "right_to_share": row.right_to_share,
                "signer_name": row.signer_name,
                "signed_at": row.signed_at,
            }
            for row in held.values()
        ],
        "design": shape,
        "counts": {
            "recordings": sum(counts.values()),
            "recordings_by_status": counts,
            "animals": len(shape["animals"]),
            "observations": len(shape["observations"]),
            "frames": frames_of(version).count(),
            "sheets": LabelImport.objects.filter(
                versions=version, status=LabelImport.Status.DONE
            ).count(),
        },
        "actions": actions(user, version),
    }


def design(user: Any, version: Version) -> Json:
    """Return groups, animals and observations; names for the lab itself, pseudonyms for others."""
    own = is_of_own_lab(user, version)
    if version.state == WITHDRAWN and not own:
        return {"groups": [], "animals": [], "observations": []}
    kept = design_of(version)
    names: dict[str | None, str | None] = {None: None}
    for row in (*kept["groups"], *kept["cages"], *kept["animals"]):
        names[row["id"]] = row["name"] if own else row["pseudonym"]
    return {
        "groups": [
            {"id": row["id"], "name": names[row["id"]], "treatment": row["metadata"]}
            for row in kept["groups"]
        ],
        "animals": [
            {
                "id": row["id"],
                "name": names[row["id"]],
                "group": names.get(row["group"]),
                "cage": names.get(row["cage"]),
                "metadata": row["metadata"],
            }
            for row in kept["animals"]
        ],
        "observations": [
            {
                "id": row["id"],
                "animal": names[row["animal"]],
                "name": row["name"],
                "metadata": row["metadata"],
            }
            for row in kept["observations"]
        ],
    }


def frames_of(version: Version) -> QuerySet[Frame]:
    """Return the frames of a version; what a later draft named of shared recordings is not in."""
    rows = Frame.objects.filter(recording__versions=version)
    if version.published_at is not None:
        rows = without_left_out(rows.filter(created_at__lte=version.published_at), version)
    return rows


def recording_rows(version: Version) -> QuerySet[Recording]:
    """Return the recordings of a version with what ``recording_row`` reads."""
    return kept_recordings(version).select_related("observation__animal", "blob", "upload")


def recording_row(user: Any, version: Version, row: Recording, shown: bool | None = None) -> Json:
    """Return a recording as lists show it; asks the database for nothing where ``shown`` says
    whether its pictures may be seen (``may_see_pictures``).

    ``sha256`` is that of the file which the user may have: of the original for its lab, of the
    copy ``derived_from`` it for others, who are not told when it was recorded either.
    """
    own = is_of_own_lab(user, version)
    shown = may_see_pictures(user, version) if shown is None else shown
    animal, observation = _place_of(version, row, own)
    status, problem = what_became_of(row)
    return {
        "id": row.public_id,
        "name": row.name,
        "animal": animal,
        "observation": observation,
        "status": status,
        "problem": problem,
        "upload": row.upload.public_id if row.upload and row.blob is None else None,
        "sha256": (row.blob.sha256 if row.blob else None) if own else row.public.get("sha256"),
        "derived_from": None if own else row.public.get("original"),
        "media": row.media if own else {**row.media, "creation_time": None},
        "poster": _address(row.poster_key) if shown else None,
        "contact_sheet": _address(row.contact_sheet_key) if own else None,
        "proxy": _address(row.proxy_key, "video/mp4") if own else None,
    }


def _place_of(version: Version, row: Recording, own: bool) -> tuple[str | None, str | None]:
    """Return the names of the animal and the observation of a recording in a version."""
    if (kept := places_of(version, own)) is not None:
        return kept.get(row.public_id, (None, None))
    if row.observation is None:
        return None, None
    mouse = row.observation.animal
    return (mouse.name if own else mouse.pseudonym), row.observation.name


def recording_file(user: Any, version: Version, public_id: str) -> Json:
    """Return where a recording's file may be had: the original by its lab, the copy by others.

    The copy tells neither place nor device nor people and has no sound; ``derived_from`` is then
    the SHA-256 of the original, which stays with the lab. Raises ``NotFound``, and ``Refused``
    while there is no copy.
    """
    rows = recording_rows(version)
    if is_of_own_lab(user, version):
        # What was left out stays with its lab.
        held = Recording.objects.filter(versions=version)
        rows = held.select_related("observation__animal", "blob", "upload")
    row = rows.filter(public_id=public_id).first()
    if row is None or row.blob is None or row.blob.deleted_at is not None:
        raise NotFound("There is no such recording in this version, or it was not stored.")
    name = row.name.rpartition("/")[2]
    if is_of_own_lab(user, version):
        said = {"size": row.blob.size, "sha256": row.blob.sha256, "derived_from": None}
        return {"name": row.name, "url": blob_address(row.blob, filename=name), **said}
    if "key" not in row.public:
        raise Refused(
            row.public.get("refusal")
            or "The copy for others than the lab is still being made; please try again later."
        )
    url = get_storage().sign_get(row.public["key"], settings.STORAGE_ADDRESS_SECONDS, filename=name)
    said = {"size": row.public["size"], "sha256": row.public["sha256"]}
    return {"name": row.name, "url": url, **said, "derived_from": row.public["original"]}


def what_became_of(row: Recording) -> tuple[str, str]:
    """Return status and problem of a recording, those of its upload where no blob came of it."""
    if row.blob_id is None and row.upload is not None:
        if row.upload.state == Upload.State.REFUSED:
            return Recording.Status.UNREADABLE.value, row.upload.refusal
        if row.upload.state == Upload.State.DISCARDED:
            return (
                Recording.Status.UNREADABLE.value,
                "Its upload was discarded; remove the recording and send it again.",
            )
    return row.status, row.problem


def recordings(user: Any, version: Version, after: str = "", limit: int = 50) -> Page:
    """Return one page of the recordings of a version, oldest first; none of one that left.

    Those of a retracted version are still seen by its lab and by curators.
    """
    if not policy.may(user, "see_recordings", version):
        return Page([], None)
    shown = may_see_pictures(user, version)
    return _page(
        recording_rows(version), after, limit, lambda row: recording_row(user, version, row, shown)
    )


def label_row(row: LabelImport) -> Json:
    """Return a score sheet as lists show it."""
    return {
        "id": row.public_id,
        "name": row.name,
        "status": row.status,
        "refusal": row.refusal,
        "format": row.format,
        "declared": row.declared,
        "rows": row.rows,
        "raters": row.raters,
        "frames_matched": row.frames_matched,
        "frames_unmatched": row.frames_unmatched,
        "observations_matched": row.observations_matched,
        "observations_unmatched": row.observations_unmatched,
        "counts": row.counts,
        "notes": row.notes,
        # Of a file that waits for answers, what was seen at the last look.
        "problems": row.look.get("problems", []) if row.status == "open" else row.problems,
        "given_by": row.given_by.name if row.given_by else "",
        "created_at": row.created_at,
    }


def label_rows(version: Version) -> QuerySet[LabelImport]:
    """Return the score sheets of a version."""
    return LabelImport.objects.filter(versions=version).select_related("given_by")


def history(version: Version, after: int = 0, limit: int = 100) -> tuple[list[Json], int | None]:
    """Return decisions and remarks on a version, oldest first, and where the next page begins."""
    rows = list(decisions_about(version).filter(number__gt=after)[: limit + 1])
    shown = [decision_row(row) for row in rows[:limit]]
    return shown, rows[limit - 1].number if len(rows) > limit else None


def decision_row(row: Decision) -> Json:
    """Return a decision as pages and the API show it."""
    return {
        "number": row.number,
        "at": row.at,
        "action": row.action,
        "from": row.from_state,
        "to": row.to_state,
        "by": row.actor_name,
        "why": row.why,
        "facts": row.facts,
    }


def _page(rows: QuerySet[Any], after: str, limit: int, show: Callable[[Any], Json]) -> Page:
    if after:
        model: type[Model] = rows.model
        anchor = model._base_manager.filter(public_id=after).values_list("pk", flat=True).first()
        if anchor is None:
            raise NotFound("This page does not exist; begin with the first one.")
        rows = rows.filter(pk__gt=anchor)
    found = list(rows.order_by("pk")[: limit + 1])
    more = len(found) > limit
    found = found[:limit]
    return Page([show(row) for row in found], found[-1].public_id if more else None)


def _address(key: str, media_type: str = "image/jpeg") -> str | None:
    """Return a signed address of a stored JPEG or film, or ``None`` where there is none."""
    if not key:
        return None
    return get_storage().sign_get(key, settings.STORAGE_ADDRESS_SECONDS, media_type=media_type)

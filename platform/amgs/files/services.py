"""Bring files in: open an upload, hand out part addresses, complete it; store a job's outputs.

One protocol for browser, client and phone, on files and on S3 alike: open → addresses of parts →
PUT the parts straight to storage → ask which are held → complete → a job puts the parts together,
checks size and digest, and only then is there a blob.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from amgs.accounts.models import Lab, User
from amgs.core import jobs, policy
from amgs.core.base import PUBLIC, Actor
from amgs.core.errors import Conflict, NotFound, Refused, TooMuch
from amgs.core.models import Job
from amgs.files.models import Blob, Upload
from amgs.files.queries import held_parts, known_blob, part_bytes, readable, require_room
from amgs.files.storage import chunks, get_storage

MOST_PARTS = 10_000
"""A rule of S3."""
MOST_ADDRESSES = 200
"""How many part addresses are signed at once: they are good for minutes, not for days."""
_MIB = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

Arrived = Callable[[Upload, Blob], None]
GivenUp = Callable[[Upload, str], None]


@dataclass(frozen=True)
class Purpose:
    """What is to become of an upload: called in the transaction that makes its blob.

    ``given_up(upload, sentence)`` is called in the transaction that refuses or discards it.
    """

    arrived: Arrived
    open_to_all: bool
    given_up: GivenUp


_PURPOSES: dict[str, Purpose] = {}


def _nothing(upload: Upload, sentence: str) -> None:
    """Most purposes have nothing that waits for an upload which never comes."""


def on_blob(
    purpose: str, *, open_to_all: bool = False, given_up: GivenUp = _nothing
) -> Callable[[Arrived], Arrived]:
    """Register what happens when the blob of an upload with this purpose exists.

    With ``open_to_all`` such an upload needs neither a login nor a lab. ``given_up`` is called
    instead where the upload is refused or discarded.
    """

    def register(arrived: Arrived) -> Arrived:
        if purpose in _PURPOSES:
            raise RuntimeError(f"two functions for uploads of the purpose '{purpose}'")
        _PURPOSES[purpose] = Purpose(arrived, open_to_all, given_up)
        return arrived

    return register


def purposes() -> dict[str, Purpose]:
    """Return every registered purpose by name."""
    return dict(_PURPOSES)


def tell_given_up(upload: Upload, sentence: str) -> None:
    """Tell whoever waits for an upload that it never comes, in the transaction that ends it."""
    if purpose := _PURPOSES.get(upload.purpose):
        purpose.given_up(upload, sentence)


def is_open_to_all(purpose: str) -> bool:
    """Whether uploads for this purpose need neither a login nor a lab."""
    return purpose in _PURPOSES and _PURPOSES[purpose].open_to_all


def open_upload(
    *,
    user: User | None,
    lab: Lab | None,
    name: str,
    size: int,
    sha256: str = "",
    purpose: str,
    target: str = "",
) -> Upload:
    """Announce a file of ``size`` bytes; its parts may then be sent.

    ``sha256`` (hex, of the whole) is checked where it is given. Where the sender's own lab has
    stored these bytes before, the upload is done at once and nothing needs to be sent. Raises
    ``Refused``, ``NotAllowed`` or ``TooMuch``.
    """
    if purpose not in _PURPOSES:
        known = ", ".join(sorted(_PURPOSES))
        raise Refused(
            f"Nothing is known about files for '{purpose}'; use {known}.", field="purpose"
        )
    if lab is not None or not is_open_to_all(purpose):
        policy.require(user or PUBLIC, "files.upload.open", lab)
    name = _CONTROL.sub("", name).strip()
    if not name:
        raise Refused("Please say how the file is called.", field="name")
    if len(name) > 400:
        raise Refused("The name of the file is longer than 400 characters.", field="name")
    if size <= 0:
        raise Refused(
            f"'{name}' is empty (0 bytes). Look at the file where it was recorded and send it "
            "again once it has content.",
            field="size",
        )
    public = is_open_to_all(purpose)
    most = settings.UPLOAD_MOST_BYTES_PUBLIC if public else settings.UPLOAD_MOST_BYTES
    if size > most:
        raise TooMuch(
            f"'{name}' has {readable(size)}, but at most {readable(most)} can be taken here; "
            "cut it into shorter recordings.",
            field="size",
        )
    sha256 = sha256.strip().lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise Refused("A SHA-256 is written with 64 hexadecimal digits.", field="sha256")
    blob = known_blob(user=user, lab=lab, sha256=sha256, size=size) if sha256 else None
    with transaction.atomic():
        if lab is not None and blob is None:
            # Locked, so that files announced at the same time share the room that is left.
            require_room(Lab.objects.select_for_update().get(pk=lab.pk), name, size)
        if blob is not None:
            # Locked, so that bytes which are being removed at this moment are sent again.
            held = Blob.objects.select_for_update().filter(pk=blob.pk, deleted_at=None)
            blob = held.first()
        upload = Upload.objects.create(
            user=user,
            lab=lab,
            name=name,
            size=size,
            sha256=sha256,
            part_size=_part_size(size),
            purpose=purpose,
            target=target,
        )
        if blob is not None:
            upload.state, upload.blob, upload.finished_at = Upload.State.DONE, blob, timezone.now()
            upload.save(update_fields=["state", "blob", "finished_at"])
            _PURPOSES[purpose].arrived(upload, blob)
    return upload


def _part_size(size: int) -> int:
    # The smallest size that keeps within the number of parts, rounded up to whole MiB.
    least = -(-size // MOST_PARTS)
    return max(settings.UPLOAD_PART_BYTES, -(-least // _MIB) * _MIB)


@transaction.atomic
def known_upload(*, by: User, lab: Lab, blob: Blob, name: str, purpose: str) -> Upload:
    """Give a lab bytes that are stored here already, as an upload that is done; nothing is sent.

    Whoever calls has made sure that the bytes are this person's to give. One that the lab has of
    the same bytes, name and purpose is returned. Raises ``Refused`` where the bytes were removed
    meanwhile, ``NotAllowed``, and ``TooMuch`` where they do not fit into the room of the lab.
    """
    policy.require(by, "files.upload.open", lab)
    # The order in which everybody locks: the lab, an upload, its bytes.
    lab = Lab.objects.select_for_update().get(pk=lab.pk)
    held = Upload.objects.filter(lab=lab, blob=blob, state=Upload.State.DONE)
    same = held.select_for_update().filter(name=name, purpose=purpose).first()
    blob = Blob.objects.select_for_update().get(pk=blob.pk)
    if blob.deleted_at is not None:
        raise Refused(f"The bytes of '{name}' were removed meanwhile; please send the file again.")
    if same is not None:
        return same
    if not held.exists():
        require_room(lab, name, blob.size)
    return Upload.objects.create(
        user=by,
        lab=lab,
        name=name,
        size=blob.size,
        sha256=blob.sha256,
        part_size=_part_size(blob.size),
        purpose=purpose,
        state=Upload.State.DONE,
        blob=blob,
        finished_at=timezone.now(),
    )


def find_upload(public_id: str, *, by: Actor) -> Upload:
    """Return an upload that this actor may use; raises ``NotFound`` for all others alike."""
    upload = Upload.objects.select_related("blob", "lab").filter(public_id=public_id).first()
    if upload is None or not policy.may(by, "files.upload.use", upload):
        raise NotFound("There is no such upload, or it is not yours.")
    return upload


def part_key(upload: Upload, part: int) -> str:
    """Return the storage key of a part (counted from 1)."""
    return f"uploads/{upload.public_id}/{part:05d}"


def part_addresses(*, upload: Upload, parts: Sequence[int]) -> list[dict[str, Any]]:
    """Return ``{part, url, size}`` for each of these parts, to be PUT within minutes.

    Asking counts as a sign of life: an upload nobody asks for is given up some days later.
    """
    _must_be_open(upload)
    if not 1 <= len(parts) <= MOST_ADDRESSES:
        raise Refused(f"Ask for 1 to {MOST_ADDRESSES} parts at a time.", field="parts")
    if wrong := [part for part in parts if not 1 <= part <= upload.part_count]:
        raise Refused(
            f"'{upload.name}' has the parts 1 to {upload.part_count}; there is no part {wrong[0]}.",
            field="parts",
        )
    Upload.objects.filter(pk=upload.pk).update(active_at=Now())
    storage, seconds = get_storage(), settings.STORAGE_ADDRESS_SECONDS
    return [
        {
            "part": part,
            "url": storage.sign_put(part_key(upload, part), seconds, part_bytes(upload, part)),
            "size": part_bytes(upload, part),
        }
        for part in dict.fromkeys(parts)
    ]


def complete_upload(
    *,
    upload: Upload,
    by: Actor,
    sha256: str = "",
    digests: Mapping[int, str] | None = None,
) -> Job:
    """Say that all parts were sent; the job that is returned checks them and makes the blob.

    ``sha256`` (hex) is of the whole, for a sender who learned it while sending. ``digests`` are
    those of parts by number: with them, a changed part is named and only that one has to be sent
    again. Completing twice returns the same job.
    """
    policy.require(by, "files.upload.use", upload)
    if upload.state in {Upload.State.CHECKING, Upload.State.DONE}:
        job = Job.objects.filter(subject=upload.public_id, kind=_CHECK).order_by("-pk").first()
        if job is not None:
            return job
    _must_be_open(upload)
    sha256 = sha256.strip().lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise Refused("A SHA-256 is written with 64 hexadecimal digits.", field="sha256")
    if sha256 and upload.sha256 and sha256 != upload.sha256:
        raise Refused(
            f"This is not the file that was announced as '{upload.name}' (its SHA-256 differs). "
            "Discard this upload and send the file as a new one.",
            field="sha256",
        )
    held = {entry["part"] for entry in held_parts(upload)}
    if missing := [part for part in range(1, upload.part_count + 1) if part not in held]:
        shown = ", ".join(map(str, missing[:10])) + (" …" if len(missing) > 10 else "")
        raise Refused(
            f"{len(missing)} of {upload.part_count} parts of '{upload.name}' have not arrived "
            f"({shown}); send them and complete the upload again.",
            field="parts",
            details=[{"part": part} for part in missing[:1000]],
        )
    with transaction.atomic():
        changed = Upload.objects.filter(pk=upload.pk, state=Upload.State.OPEN).update(
            state=Upload.State.CHECKING, refusal=""
        )
        if not changed:
            raise Conflict("This upload was completed or discarded just now.")
        upload.state, upload.refusal = Upload.State.CHECKING, ""
        return jobs.enqueue(
            _CHECK,
            by=by,
            subject=upload,
            key=upload.public_id,
            upload=upload.public_id,
            sha256=sha256,
            digests={str(part): digest.lower() for part, digest in (digests or {}).items()},
        )


def check_of(upload: Upload) -> str | None:
    """Return the public id of the job that checked or checks an upload last."""
    checks = Job.objects.filter(subject=upload.public_id, kind=_CHECK).order_by("-pk")
    return checks.values_list("public_id", flat=True).first()


def discard_upload(*, upload: Upload, by: Actor) -> None:
    """Give up an upload; a job removes what had arrived."""
    policy.require(by, "files.upload.use", upload)
    with transaction.atomic():
        changed = Upload.objects.filter(
            pk=upload.pk, state__in=[Upload.State.OPEN, Upload.State.REFUSED]
        ).update(state=Upload.State.DISCARDED)
        if not changed:
            raise Refused(
                f"'{upload.name}' is {upload.get_state_display()}; it cannot be given up."
            )
        upload.state = Upload.State.DISCARDED
        tell_given_up(upload, "The upload was discarded.")
        jobs.enqueue(_DROP, by=by, subject=upload, key=upload.public_id, upload=upload.public_id)


def blob_key(sha256: str) -> str:
    """Return the storage key of the bytes with this digest."""
    return f"blobs/{sha256[:2]}/{sha256}"


def blob_of(sha256: str, size: int, media_type: str = "") -> Blob:
    """Return the row of stored bytes, made if it is new; call it in a transaction."""
    blob, _ = Blob.objects.get_or_create(
        sha256=sha256,
        defaults={"size": size, "media_type": media_type, "key": blob_key(sha256)},
    )
    if blob.deleted_at is not None:  # its bytes were removed once and have come again
        Blob.objects.filter(pk=blob.pk).update(deleted_at=None)
        blob.deleted_at = None
    return blob


def store_file(data: Path | bytes, media_type: str = "") -> Blob:
    """Store a file or bytes that the platform itself made (a manifest, a bundle) as a blob."""
    storage = get_storage()
    with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as stream:
        digest, size = hashlib.sha256(), 0
        for chunk in chunks(stream):
            digest.update(chunk)
            size += len(chunk)
        key = blob_key(digest.hexdigest())
        if storage.stat(key) is None:
            stream.seek(0)
            storage.put(key, stream, size)
    with transaction.atomic():
        return blob_of(digest.hexdigest(), size, media_type)


def open_blob(blob: Blob, offset: int = 0) -> AbstractContextManager[BinaryIO]:
    """Return a stream of a blob's bytes (a context manager)."""
    return get_storage().open(blob.key, offset)


def local_copy(blob: Blob) -> Path:
    """Return a local file with a blob's bytes, which must not be changed.

    Fetched once per machine into ``var/cache/blobs``; with local files it costs no bytes.
    """
    path = settings.VAR / "cache" / "blobs" / blob.sha256
    if path.is_file() and path.stat().st_size == blob.size:
        return path
    return get_storage().download(blob.key, path)


def blob_address(blob: Blob, *, filename: str | None = None, media_type: str | None = None) -> str:
    """Return an address from which a browser may have a blob for some minutes."""
    return get_storage().sign_get(
        blob.key,
        settings.STORAGE_ADDRESS_SECONDS,
        filename=filename,
        media_type=media_type or blob.media_type or None,
    )


# Named, not imported: the jobs import the services.
_CHECK = "files.check_upload"
_DROP = "files.drop_parts"


def _must_be_open(upload: Upload) -> None:
    if upload.state != Upload.State.OPEN:
        raise Refused(
            f"'{upload.name}' is {upload.get_state_display()}, so it takes no more parts; open a "
            "new upload to send the file again."
        )

"""What is on its way, what of it has arrived, how much room a lab has left."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Q, QuerySet, Sum

from amgs.accounts.models import Lab, User
from amgs.core.errors import TooMuch
from amgs.files.models import Blob, Upload
from amgs.files.storage import get_storage


def visible_uploads(user: User) -> QuerySet[Upload]:
    """Return the uploads of a person and of their labs."""
    return Upload.objects.filter(Q(lab__in=user.lab_ids) | Q(lab=None, user=user)).select_related(
        "lab"
    )


def usable_upload(public_id: str) -> Upload | None:
    """Return an upload that may still become a file or is one, not one that was given up."""
    over = [Upload.State.REFUSED, Upload.State.DISCARDED]
    rows = Upload.objects.select_related("lab").filter(public_id=public_id)
    return rows.exclude(state__in=over).first()


def held_parts(upload: Upload) -> list[dict[str, int]]:
    """Return ``{part, size}`` (bytes) of every part that has arrived whole, in order."""
    prefix = f"uploads/{upload.public_id}/"
    found = []
    for key, stat in get_storage().scan(prefix):
        number = key.removeprefix(prefix)
        if not number.isdecimal() or not 1 <= int(number) <= upload.part_count:
            continue
        if stat.size == part_bytes(upload, int(number)):
            found.append({"part": int(number), "size": stat.size})
    return found


def held_bytes(upload: Upload) -> int:
    """Return how many bytes of an upload have arrived; of one that is over, all or none."""
    if upload.state in {Upload.State.OPEN, Upload.State.CHECKING}:
        return sum(part["size"] for part in held_parts(upload))
    return upload.size if upload.state == Upload.State.DONE else 0


def part_bytes(upload: Upload, part: int) -> int:
    """Return how many bytes a part must have; only the last may be shorter."""
    return min(upload.part_size, upload.size - (part - 1) * upload.part_size)


def known_blob(*, user: User | None, lab: Lab | None, sha256: str, size: int) -> Blob | None:
    """Return these bytes if the sender's lab (or, without one, the sender) has stored them.

    What others have stored is never told: whoever knows a digest must not learn from a shorter
    upload that an embargoed video exists. Such bytes are sent, and are stored once all the same.
    """
    if lab is not None:
        own = Upload.objects.filter(lab=lab)
    elif user is not None:
        own = Upload.objects.filter(lab=None, user=user)
    else:
        return None
    found = own.filter(
        state=Upload.State.DONE, sha256=sha256, size=size, blob__deleted_at=None
    ).first()
    blob = found.blob if found else None
    if blob is None or get_storage().stat(blob.key) is None:
        return None
    return blob


def used_bytes(lab: Lab) -> int:
    """Return the bytes that a lab has stored, each blob once, and those it has announced."""
    stored = Blob.objects.filter(
        deleted_at=None, pk__in=Upload.objects.filter(lab=lab).values("blob")
    ).aggregate(bytes=Sum("size"))
    coming = Upload.objects.filter(
        lab=lab, state__in=[Upload.State.OPEN, Upload.State.CHECKING]
    ).aggregate(bytes=Sum("size"))
    return (stored["bytes"] or 0) + (coming["bytes"] or 0)


def require_room(lab: Lab, name: str, size: int) -> None:
    """Raise ``TooMuch`` where a file of so many bytes does not fit into a lab's quota."""
    most, used = settings.UPLOAD_MOST_BYTES_LAB, used_bytes(lab)
    if used + size > most:
        raise TooMuch(
            f"'{name}' has {readable(size)}, but of the {readable(most)} that the lab {lab.name} "
            f"may store here {readable(max(0, most - used))} are left. Discard unfinished uploads "
            "that you do not need, or ask those who run this site for more room.",
            field="size",
        )


def readable(size: int) -> str:
    """Return a number of bytes as people write it."""
    value, unit = float(size), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007
        if value < 1024:
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"

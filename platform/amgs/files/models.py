"""Content-addressed blobs and the uploads they come from."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from amgs.core.base import Row


class Blob(Row):
    """Bytes in storage, named by their SHA-256 and stored once; never changed."""

    sha256 = models.CharField(max_length=64, unique=True)
    size = models.PositiveBigIntegerField()
    media_type = models.CharField(max_length=100, blank=True)
    key = models.CharField(max_length=200, unique=True)
    deleted_at = models.DateTimeField(null=True, blank=True)


class Upload(Row):
    """A file on its way in: open → parts arrive → completing (a job checks) → done."""

    class State(models.TextChoices):
        OPEN = "open", "receiving parts"
        CHECKING = "checking", "being checked"
        DONE = "done", "stored"
        REFUSED = "refused", "refused"
        DISCARDED = "discarded", "discarded"

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="uploads"
    )
    lab = models.ForeignKey(
        "accounts.Lab", null=True, on_delete=models.CASCADE, related_name="uploads"
    )
    name = models.CharField(max_length=400)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64, blank=True)
    part_size = models.PositiveBigIntegerField()
    # What is to become of the blob, said when the upload is opened ("recording", "labels", …).
    purpose = models.CharField(max_length=40)
    target = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    refusal = models.CharField(max_length=1000, blank=True)
    blob = models.ForeignKey(Blob, null=True, on_delete=models.PROTECT, related_name="uploads")
    # When addresses of parts were last asked for.
    active_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        indexes = [models.Index(fields=["state", "created_at"], name="upload_open")]

    @property
    def part_count(self) -> int:
        """How many parts the file is sent in; the last may be shorter."""
        return max(1, -(-self.size // self.part_size))

"""The tables of the mechanisms: jobs, decisions and the head of the decision chain."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from amgs.core.base import Row


class Job(Row):
    """One piece of work outside the request that asked for it. This row is the truth.

    ``actor_id``, ``actor_name`` and ``subject`` are text, not foreign keys: the row outlives
    what it is about, and nothing here knows the apps above.
    """

    class State(models.TextChoices):
        QUEUED = "queued", "waiting"
        RUNNING = "running", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    kind = models.CharField(max_length=100)
    queue = models.CharField(max_length=20)
    args = models.JSONField(default=dict)
    subject = models.CharField(max_length=60, blank=True, db_index=True)
    actor_id = models.CharField(max_length=60, blank=True)
    actor_name = models.CharField(max_length=200, blank=True)
    key = models.CharField(max_length=200, blank=True)

    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    attempt = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=3)
    due_at = models.DateTimeField()
    hinted_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=200, blank=True)

    progress = models.FloatField(default=0.0)
    note = models.CharField(max_length=300, blank=True)
    progressed_at = models.DateTimeField(null=True)
    cancel_asked = models.BooleanField(default=False)
    result = models.JSONField(default=dict)
    error = models.CharField(max_length=1000, blank=True)
    trace = models.TextField(blank=True)

    class Meta(Row.Meta):
        indexes = [
            models.Index(
                fields=["due_at"], name="job_waiting", condition=Q(state__in=["queued", "running"])
            ),
        ]
        constraints = [
            # The same work is asked for once while it waits or runs.
            models.UniqueConstraint(
                fields=["kind", "key"],
                name="job_key_once_while_active",
                condition=Q(state__in=["queued", "running"]) & ~Q(key=""),
            ),
        ]

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen to this job."""
        return self.state in {self.State.DONE, self.State.FAILED, self.State.CANCELLED}


class Beat(models.Model):
    """When a periodic job kind was last asked for, so that a restart neither skips nor doubles."""

    kind = models.CharField(max_length=100, unique=True)
    last_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.kind} at {self.last_at:%Y-%m-%d %H:%M:%S}"


class Decision(models.Model):
    """One entry of the append-only log: who did what to which subject, why, on which facts.

    It is the audit log, the promotion ledger and the review thread. ``digest`` is the SHA-256
    of the entry with the digest of the entry before, so a changed or removed row shows.
    """

    number = models.PositiveBigIntegerField(unique=True)
    at = models.DateTimeField()
    subject = models.CharField(max_length=60, db_index=True)
    subject_kind = models.CharField(max_length=60)
    action = models.CharField(max_length=60)
    from_state = models.CharField(max_length=30, blank=True)
    to_state = models.CharField(max_length=30, blank=True)
    actor_id = models.CharField(max_length=60)
    actor_name = models.CharField(max_length=200)
    why = models.TextField(blank=True)
    facts = models.JSONField(default=dict)
    previous = models.CharField(max_length=64)
    digest = models.CharField(max_length=64, unique=True)

    class Meta:
        ordering = ["number"]
        indexes = [models.Index(fields=["subject_kind", "to_state", "at"], name="decision_live_at")]

    def __str__(self) -> str:
        return f"{self.number}: {self.actor_name} {self.action} {self.subject}"


class ChainHead(models.Model):
    """The last number and digest of the decision chain; its row lock orders the writers."""

    number = models.PositiveBigIntegerField(default=0)
    digest = models.CharField(max_length=64, default="0" * 64)

    def __str__(self) -> str:
        return f"decision {self.number}"


class KeptAnswer(models.Model):
    """What a request with an idempotency key led to, so that sending it twice does it once.

    ``scope`` is the SHA-256 of who asked, for what act, with which key; ``digest`` that of the
    body. ``made`` names the row that the request made.
    """

    scope = models.CharField(max_length=64, unique=True)
    digest = models.CharField(max_length=64)
    made = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return f"answer {self.scope[:8]}"

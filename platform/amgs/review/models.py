"""What we made of a submission: check results, audits, assignments, consensus, agreement."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from amgs.core import vocabulary
from amgs.core.base import Row


class Screening(Row):
    """One run of all checks over the VersionFacts of a version, with those facts."""

    version = models.ForeignKey(
        "repository.Version", on_delete=models.CASCADE, related_name="screenings"
    )
    facts = models.JSONField()
    passed = models.BooleanField()
    # SHA-256 of the facts: whether anything has changed since.
    facts_sha256 = models.CharField(max_length=64, blank=True)
    # The state in which the version was: a draft is looked at before it is handed in.
    state = models.CharField(max_length=30, blank=True)


class CheckResult(models.Model):
    """What one check said in one screening, and the contributor's answer to a warning."""

    screening = models.ForeignKey(Screening, on_delete=models.CASCADE, related_name="results")
    check_name = models.CharField(max_length=60)
    title = models.CharField(max_length=200)
    severity = models.CharField(max_length=10)
    passed = models.BooleanField()
    sentence = models.CharField(max_length=1000)
    where = models.JSONField(default=list)
    # Recordings to be shown beside the sentence: [public id, reason (`MediaFacts.telling`)].
    shown = models.JSONField(default=list)
    # "office": told to curators and maintainers alone.
    audience = models.CharField(max_length=10, default="all")
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=200, blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["screening", "check_name"], name="check_once")
        ]


class Audit(Row):
    """The random sample of a version's frames that is rated blind before a decision."""

    version = models.OneToOneField(
        "repository.Version", on_delete=models.CASCADE, related_name="audit"
    )
    seed = models.PositiveBigIntegerField()
    raters_per_frame = models.PositiveSmallIntegerField(default=2)
    # The agreement report (curation.agreement) as of ``agreement_at``, over so many ratings
    # of this audit.
    agreement = models.JSONField(default=dict)
    agreement_at = models.DateTimeField(null=True)
    agreement_ratings = models.PositiveIntegerField(default=0)


class AuditFrame(models.Model):
    """One frame of an audit, with its priority in the queue and how many raters it has.

    ``lab`` and ``dataset`` repeat what the audit's version says, so that "next frame" is one
    look into one index, whoever asks.
    """

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="frames")
    frame = models.ForeignKey(
        "repository.Frame", on_delete=models.CASCADE, related_name="audit_frames"
    )
    lab = models.ForeignKey("accounts.Lab", on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey("repository.Dataset", on_delete=models.CASCADE, related_name="+")
    priority = models.FloatField()
    wanted = models.PositiveSmallIntegerField()
    # Raters who hold this frame now or have rated it; never more than ``wanted``.
    taken = models.PositiveSmallIntegerField(default=0)
    finished = models.PositiveSmallIntegerField(default=0)
    # The version left review: nobody is asked any more.
    closed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["audit", "frame"], name="audited_once"),
            models.CheckConstraint(
                name="no_more_raters_than_wanted",
                condition=models.Q(taken__lte=models.F("wanted"))
                & models.Q(finished__lte=models.F("taken")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["priority"],
                name="audit_next",
                condition=models.Q(closed=False, taken__lt=models.F("wanted")),
            )
        ]


class Assignment(Row):
    """One frame given to one rater; the public id is the neutral name the rater sees.

    It is open until it is rated, discarded, or its time runs out and it is freed.
    """

    audit_frame = models.ForeignKey(
        AuditFrame, on_delete=models.CASCADE, related_name="assignments"
    )
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assignments"
    )
    expires_at = models.DateTimeField()
    rated_at = models.DateTimeField(null=True)
    freed_at = models.DateTimeField(null=True)
    discarded = models.CharField(max_length=100, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["audit_frame", "rater"], name="assigned_once")
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="assignment_open",
                condition=models.Q(rated_at=None, freed_at=None, discarded=""),
            )
        ]


class Seen(models.Model):
    """A person opened a dataset's page: they no longer rate its frames blind."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey("repository.Dataset", on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "dataset"], name="seen_once")]


class Consensus(models.Model):
    """The raters' distribution for one unit of one frame; what training reads."""

    frame = models.ForeignKey(
        "repository.Frame", on_delete=models.CASCADE, related_name="consensus"
    )
    unit = models.CharField(max_length=40, choices=vocabulary.units)
    probabilities = models.JSONField()
    scorable = models.FloatField()
    votes = models.JSONField(default=list)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["frame", "unit"], name="consensus_once")]

"""What we made of a submission: check results, audits, assignments, consensus, agreement."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

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


class Reviewer(models.Model):
    """The curator who has the review of a version: who began it, or was handed it over."""

    version = models.OneToOneField(
        "repository.Version", on_delete=models.CASCADE, related_name="reviewer"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews"
    )
    since = models.DateTimeField(default=timezone.now)
    # What whoever handed it over wrote.
    note = models.CharField(max_length=500, blank=True)


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


class Task(models.Model):
    """One question about one frame, put to several raters, with its priority in the queue.

    ``lab`` and ``dataset`` repeat what the frame's recording says, so that "next frame" is one
    look into one index, whoever asks.
    """

    class Purpose(models.TextChoices):
        # Of these two every frame gets the same number of raters, whatever they say: agreement,
        # calibration and benchmarks rest on them.
        AUDIT = "audit", "audit of a version"
        RANDOM = "random", "random share of the queue"
        CHOSEN = "chosen", "chosen for training"

    audit = models.ForeignKey(Audit, null=True, on_delete=models.CASCADE, related_name="tasks")
    frame = models.ForeignKey("repository.Frame", on_delete=models.CASCADE, related_name="tasks")
    lab = models.ForeignKey("accounts.Lab", on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey("repository.Dataset", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=vocabulary.tasks, default="units")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.AUDIT)
    # The units that are asked for; none named: all of the scale.
    units = models.JSONField(default=list)
    # Why a frame was chosen, in one sentence.
    why = models.CharField(max_length=200, blank=True)
    # The film of a state task; until it is cut, the task waits.
    clip_key = models.CharField(max_length=200, blank=True)
    priority = models.FloatField()
    wanted = models.PositiveSmallIntegerField()
    # Raters who hold this frame now or have rated it; never more than ``wanted``.
    taken = models.PositiveSmallIntegerField(default=0)
    finished = models.PositiveSmallIntegerField(default=0)
    # Nobody is asked any more (the version left review), or not yet (no clip).
    closed = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["audit", "frame", "kind"], name="audited_once"),
            models.UniqueConstraint(
                fields=["frame", "kind"],
                name="asked_once_outside_audits",
                condition=models.Q(audit=None),
            ),
            models.CheckConstraint(
                name="no_more_raters_than_wanted",
                condition=models.Q(taken__lte=models.F("wanted"))
                & models.Q(finished__lte=models.F("taken")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["kind", "priority"],
                name="task_next",
                condition=models.Q(closed=False, taken__lt=models.F("wanted")),
            )
        ]

    @property
    def over(self) -> bool:
        """Whether nobody is asked any more."""
        return self.closed


class Gold(Row):
    """A frame whose answers are agreed: for learning to rate, or hidden among others."""

    frame = models.ForeignKey("repository.Frame", on_delete=models.CASCADE, related_name="gold")
    lab = models.ForeignKey("accounts.Lab", on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey("repository.Dataset", on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=10, choices=vocabulary.tasks, default="units")
    # Unit → grade, or null where it is not scorable.
    agreed = models.JSONField(default=dict)
    # Of the training set: raters are told what is agreed once they have answered.
    training = models.BooleanField(default=False)
    # What raters of the training set read beside the agreed grades.
    note = models.CharField(max_length=500, blank=True)
    priority = models.FloatField()
    set_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    retired_at = models.DateTimeField(null=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["frame", "kind"],
                name="gold_once",
                condition=models.Q(retired_at=None),
            )
        ]
        indexes = [models.Index(fields=["kind", "training", "priority"], name="gold_next")]

    @property
    def over(self) -> bool:
        """Whether nobody is asked any more."""
        return self.retired_at is not None


class Assignment(Row):
    """One frame given to one rater; the public id is the neutral name the rater sees.

    It is open until it is rated, discarded, or its time runs out and it is freed. It asks the
    question of a task, which counts; the same once more (``repeat``); or that of a gold frame.
    What was said is kept in ``answers`` as it was sent, with how the picture was looked at.
    """

    task = models.ForeignKey(Task, null=True, on_delete=models.CASCADE, related_name="assignments")
    gold = models.ForeignKey(Gold, null=True, on_delete=models.CASCADE, related_name="assignments")
    repeat = models.BooleanField(default=False)
    kind = models.CharField(max_length=10, choices=vocabulary.tasks, default="units")
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="assignments"
    )
    expires_at = models.DateTimeField()
    rated_at = models.DateTimeField(null=True)
    freed_at = models.DateTimeField(null=True)
    discarded = models.CharField(max_length=100, blank=True)
    # Why the rater wants somebody to look at the frame; it is rated all the same.
    flag = models.CharField(max_length=200, blank=True)
    answers = models.JSONField(null=True)
    # Zoom and contrast at the moment of the answer: magnification biases agreement.
    viewing = models.JSONField(default=dict)
    seconds = models.FloatField(null=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["task", "rater", "repeat"], name="assigned_once"),
            models.CheckConstraint(
                name="a_task_or_gold",
                condition=models.Q(task=None, gold__isnull=False, repeat=False)
                | models.Q(task__isnull=False, gold=None),
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                name="assignment_open",
                condition=models.Q(rated_at=None, freed_at=None, discarded=""),
            ),
            models.Index(fields=["rater", "kind", "rated_at"], name="assignment_of_rater"),
        ]

    @property
    def asked(self) -> Task | Gold:
        """The task or the gold frame whose question this is."""
        found = self.gold or self.task
        if found is None:
            raise ValueError("an assignment asks the question of a task or of a gold frame")
        return found

    @property
    def units(self) -> tuple[str, ...]:
        """Keys of the units that are asked for; none in tasks of another kind."""
        if self.kind != "units":
            return ()
        named = self.task.units if self.task is not None else []
        return tuple(named) or vocabulary.unit_keys()


class Judgement(models.Model):
    """What one rater says of a frame in one word: the state of the animal, or the view."""

    frame = models.ForeignKey(
        "repository.Frame", on_delete=models.CASCADE, related_name="judgements"
    )
    kind = models.CharField(max_length=10, choices=vocabulary.tasks)
    answer = models.CharField(max_length=20)
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    rater_name = models.CharField(max_length=100)
    random_share = models.BooleanField(default=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["frame", "kind", "rater_name"], name="judged_once")
        ]


class Standing(models.Model):
    """What is known of a rater: since when they are qualified, and their own figures."""

    rater = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="standing"
    )
    qualified_at = models.DateTimeField(null=True)
    # Bias, drift, repeats and gold (``curation.raters``); shown to the rater alone.
    figures = models.JSONField(default=dict)
    updated_at = models.DateTimeField(auto_now=True)


class Seen(models.Model):
    """A person opened a dataset's page: they no longer rate its frames blind."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey("repository.Dataset", on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "dataset"], name="seen_once")]


class Consensus(models.Model):
    """The raters' distribution for one unit of one frame; what training reads.

    ``error`` is the standard error of its mean, in grades; null where nobody graded.
    """

    frame = models.ForeignKey(
        "repository.Frame", on_delete=models.CASCADE, related_name="consensus"
    )
    unit = models.CharField(max_length=40, choices=vocabulary.units)
    probabilities = models.JSONField()
    scorable = models.FloatField()
    error = models.FloatField(null=True)
    votes = models.JSONField(default=list)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["frame", "unit"], name="consensus_once")]


class Opinion(models.Model):
    """What a bundle says of the still of a frame, so that raters are asked where it teaches most.

    ``means`` holds the mean grade of every unit it graded, ``open_grades`` the mean number of
    grades in its prediction sets, ``rare`` the largest probability of a unit's highest grade.
    """

    frame = models.ForeignKey("repository.Frame", on_delete=models.CASCADE, related_name="opinions")
    bundle = models.CharField(max_length=64)
    means = models.JSONField(default=dict)
    open_grades = models.FloatField(default=1.0)
    rare = models.FloatField(default=0.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["frame", "bundle"], name="asked_once_of_a_frame")
        ]


class Adjudication(models.Model):
    """What a curator decided of one unit of one frame on which raters disagree.

    The consensus takes it instead of the votes. ``grade`` is null where the unit is not scorable.
    """

    frame = models.ForeignKey(
        "repository.Frame", on_delete=models.CASCADE, related_name="adjudications"
    )
    unit = models.CharField(max_length=40, choices=vocabulary.units)
    grade = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=20, blank=True, choices=vocabulary.reasons)
    why = models.CharField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by_name = models.CharField(max_length=200)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["frame", "unit"], name="adjudicated_once"),
            models.CheckConstraint(
                name="adjudicated_grade_or_reason",
                condition=Q(grade__isnull=False, reason="") | (Q(grade=None) & ~Q(reason="")),
            ),
        ]


class CallForData(Row):
    """What data are wanted and why; open until somebody closes it with a reason.

    ``feature`` is the figure of ``models.glance`` that drifted; ``coat`` and ``lab`` say whose
    frames match, empty where any would do.
    """

    reason = models.CharField(max_length=600)
    feature = models.CharField(max_length=60, blank=True)
    coat = models.CharField(max_length=30, blank=True)
    lab = models.ForeignKey(
        "accounts.Lab", null=True, on_delete=models.CASCADE, related_name="calls_for_data"
    )
    facts = models.JSONField(default=dict)
    opened_by = models.CharField(max_length=200)
    closed_at = models.DateTimeField(null=True)
    closed_by = models.CharField(max_length=200, blank=True)
    closed_why = models.CharField(max_length=600, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["feature", "coat"],
                name="one_open_call_per_figure_and_coat",
                condition=Q(closed_at=None) & ~Q(feature=""),
            )
        ]

    @property
    def state(self) -> str:
        """``open`` or ``closed``."""
        return "open" if self.closed_at is None else "closed"

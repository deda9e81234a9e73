"""Tool runs. A public score is a run of the tool ``score``."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from amgs.core.base import Row
from amgs.scoring.sealing import SealedField
from amgs.scoring.study_models import Study, StudyAnalysis, StudyEntry

__all__ = [
    "ProbeClip",
    "ProbeReading",
    "Study",
    "StudyAnalysis",
    "StudyEntry",
    "ToolRun",
    "Validation",
    "WatchReference",
    "WatchedWeek",
]


def new_token() -> str:
    """Return a part of an address that cannot be guessed (128 random bits)."""
    return secrets.token_urlsafe(16)


class Batch(Row):
    """Runs that were asked for together, listed on a page of their own whose link is private."""

    token = models.CharField(max_length=40, unique=True, default=new_token)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # SHA-256 of the key in the browser of whoever asked without an account.
    owner = models.CharField(max_length=64, blank=True)


class ScoreUse(models.Model):
    """What was scored from one address on one day without an account.

    ``who`` is a keyed hash of address and day: after the day nobody can tell whose it was.
    """

    day = models.DateField()
    who = models.CharField(max_length=64)
    videos = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0.0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["day", "who"], name="one_score_use_per_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.videos} videos"


class ToolRun(Row):
    """One run of a tool on one input, with all that its result names.

    It has no state but its job's. ``blob`` and ``job`` are empty while the upload is still being
    checked; the result has its address from the start.
    """

    tool = models.CharField(max_length=40, default="score")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="tool_runs"
    )
    # Whoever has the link may see the result; it cannot be guessed.
    token = models.CharField(max_length=40, unique=True, default=new_token)
    name = models.CharField(max_length=400)
    upload = models.ForeignKey(
        "files.Upload", null=True, on_delete=models.SET_NULL, related_name="tool_runs"
    )
    blob = models.ForeignKey(
        "files.Blob", null=True, on_delete=models.PROTECT, related_name="tool_runs"
    )
    parameters = models.JSONField(default=dict)
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="tool_run"
    )
    model_version = models.ForeignKey(
        "registry.ModelVersion", null=True, on_delete=models.PROTECT, related_name="tool_runs"
    )
    result = models.JSONField(default=dict)
    # Storage keys by name: predictions.parquet, frames.csv, best frames …
    outputs = models.JSONField(default=dict)
    provenance = models.JSONField(default=dict)
    batch = models.ForeignKey(Batch, null=True, on_delete=models.SET_NULL, related_name="runs")
    # SHA-256 of the key in the browser of whoever asked without an account.
    owner = models.CharField(max_length=64, blank=True)
    use = models.ForeignKey(ScoreUse, null=True, on_delete=models.SET_NULL, related_name="+")
    # Asked to be told once when it is over; empty as soon as the message left.
    mail_to = models.EmailField(blank=True)
    # When its owner asked for its deletion; until the sweep comes by it can be taken back.
    delete_asked_at = models.DateTimeField(null=True)
    # When file and results went; the row stays and says so at its address.
    deleted_at = models.DateTimeField(null=True, db_index=True)
    # The result beside which this one was made with another version; it stays as it is.
    rescored_from = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="rescored"
    )


class Segment(Row):
    """A part of a recording that one worker scores; a short recording is one part.

    ``attempt`` is that of the job that writes here; ``course`` grows while it works
    (``models.growing``). ``start_s`` and ``end_s`` are empty where the recording begins and ends.
    """

    run = models.ForeignKey(ToolRun, on_delete=models.CASCADE, related_name="segments")
    number = models.PositiveIntegerField()
    start_s = models.FloatField(null=True)
    end_s = models.FloatField(null=True)
    length_s = models.FloatField(default=0.0, help_text="own seconds, as far as the file tells")
    model_version = models.ForeignKey(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="+"
    )
    job = models.ForeignKey("core.Job", null=True, on_delete=models.SET_NULL, related_name="+")
    attempt = models.PositiveIntegerField(default=0)
    progress = models.FloatField(default=0.0)
    course = models.JSONField(default=dict)
    done = models.BooleanField(default=False)
    # What each counted look showed (``models.animals``), in order.
    census = models.TextField(blank=True)
    unreadable = models.TextField(blank=True)
    # Storage keys by name, until the parts are joined.
    outputs = models.JSONField(default=dict)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["run", "number"], name="one_segment_per_number")
        ]


class Extra(Row):
    """Something that is made of a result when somebody asks for it: a film, a workbook, saliency.

    It has no state but its job's. ``told`` is what the page needs to know of it, ``outputs`` are
    storage keys by name.
    """

    run = models.ForeignKey(ToolRun, on_delete=models.CASCADE, related_name="extras")
    what = models.CharField(max_length=20)
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="score_extra"
    )
    told = models.JSONField(default=dict)
    outputs = models.JSONField(default=dict)
    # Over what it was made from where that can change (corrections by hand); empty elsewhere.
    rests_on = models.CharField(max_length=64, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["run", "what"], name="one_extra_of_each_kind")
        ]


class Correction(Row):
    """What a person says of one unit in one frame of their own score: a column of its own.

    It changes no grade of the model, and nothing that learns or judges reads it: neither consensus
    nor training, calibration or benchmark. The newest one that is not undone counts.
    """

    run = models.ForeignKey(ToolRun, on_delete=models.CASCADE, related_name="corrections")
    pts = models.BigIntegerField()
    place = models.PositiveIntegerField(help_text="row of the frame in the files of the score")
    time_s = models.FloatField()
    unit = models.CharField(max_length=40)
    grade = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=40, blank=True)
    # What the model said, as it stood beside the form.
    model_grade = models.PositiveSmallIntegerField(null=True)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by_name = models.CharField(max_length=200)
    # All units that were corrected with one press of the button are undone together.
    act = models.CharField(max_length=26)
    undone_at = models.DateTimeField(null=True)
    # If the video is contributed, this frame is rated blind before anything else is done with it.
    blind_first = models.BooleanField(default=True)

    class Meta(Row.Meta):
        indexes = [models.Index(fields=["run", "pts"], name="correction_of_frame")]


class Contribution(Row):
    """The recording of a score, given to a dataset by whoever owns the score.

    It goes with its recording, and says nothing of what was corrected.
    """

    run = models.OneToOneField(ToolRun, on_delete=models.CASCADE, related_name="contribution")
    recording = models.ForeignKey(
        "repository.Recording", on_delete=models.CASCADE, related_name="contributions"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by_name = models.CharField(max_length=200)


class Validation(Row):
    """One making of the validation page of a model version, from its snapshot.

    It has no state but its job's; the page shows the newest one that is done. ``content`` holds
    figures and sentences, ``digest`` is the SHA-256 of ``content``.
    """

    model_version = models.ForeignKey(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="validations"
    )
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="validation"
    )
    content = models.JSONField(default=dict)
    digest = models.CharField(max_length=64, blank=True)


class WatchedWeek(models.Model):
    """What the public scorer saw and said in one week with one version: counts, nothing else.

    ``counts`` holds per figure of ``models.glance`` how many recordings fell into which bin. No
    frame, file or person can be told from it.
    """

    week = models.DateField(help_text="the Monday it begins with")
    model_version = models.ForeignKey(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="watched_weeks"
    )
    recordings = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["week", "model_version"], name="one_row_per_week")
        ]
        ordering = ["week", "pk"]

    def __str__(self) -> str:
        return f"{self.week} {self.model_version_id}"


class WatchReference(models.Model):
    """The same counts of recordings of the training snapshot, against which weeks are held."""

    model_version = models.OneToOneField(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="watch_reference"
    )
    at = models.DateTimeField(auto_now_add=True)
    recordings = models.PositiveIntegerField(default=0)
    counts = models.JSONField(default=dict)
    # Mean embedding per coat, by which a recording that names no coat is given one.
    centres = models.JSONField(default=dict)
    # Share of the reference that is given its own coat by the centres of the others; None: unknown.
    coats_right = models.FloatField(null=True)

    def __str__(self) -> str:
        return f"reference of {self.model_version_id}"


class ProbeClip(models.Model):
    """The rendered clip that the probe scores, made once per site and recipe."""

    recipe = models.CharField(max_length=40, unique=True)
    blob = models.ForeignKey("files.Blob", on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return self.recipe


class ProbeReading(Row):
    """One answer of the serving version to the probe clip, held against its first one."""

    class State(models.TextChoices):
        """What came of it."""

        REFERENCE = "reference", "first answer"
        FINE = "fine", "fine"
        MOVED = "moved", "moved"
        FAILED = "failed", "failed"

    model_version = models.ForeignKey(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="probe_readings"
    )
    bundle_digest = models.CharField(max_length=64)
    clip_sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(max_length=20, choices=State.choices)
    answer = models.JSONField(default=dict)
    # The largest step away from the first answer, in grades; None where there is no answer.
    moved_by = models.FloatField(null=True)
    seconds = models.FloatField(null=True)
    sentence = models.CharField(max_length=500)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["bundle_digest", "clip_sha256"],
                name="one_reference_per_bundle_and_clip",
                condition=models.Q(state="reference"),
            )
        ]
        indexes = [models.Index(fields=["model_version", "-id"], name="probe_of_version")]


class WebhookSecret(models.Model):
    """What the webhooks of a person are signed with; the one before is good for a day more."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="webhook_secret"
    )
    secret = SealedField()
    previous = SealedField(blank=True)
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"webhook secret of {self.user_id}"


class Webhook(Row):
    """Where a program wants to be told that a score is over.

    ``secret`` is its own where the score belongs to no account.
    """

    run = models.OneToOneField(ToolRun, on_delete=models.CASCADE, related_name="webhook")
    address = models.CharField(max_length=2000)
    secret = SealedField(blank=True)


class Delivery(models.Model):
    """One try to tell a program: when, what it answered, in a sentence."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    # The job that tries; the same for all tries of one message, and its id on the wire.
    message = models.CharField(max_length=60)
    state = models.CharField(max_length=20, help_text="of the score, as it was told")
    at = models.DateTimeField(auto_now_add=True)
    attempt = models.PositiveIntegerField()
    status = models.PositiveIntegerField(null=True, help_text="of the answer, if there was one")
    sentence = models.CharField(max_length=400)

    class Meta:
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"try {self.attempt} of {self.message}"

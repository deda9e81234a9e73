"""When to retrain, on what, and the runs that did."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from amgs.core.base import Row


class Policy(Row):
    """The one row per species that says when the platform retrains by itself."""

    enabled = models.BooleanField(default=True)
    min_new_frames = models.PositiveIntegerField(
        default=200, help_text="new published, graded frames that training may use"
    )
    recipe = models.CharField(max_length=40, default="demo")
    profile = models.CharField(max_length=30, default="standard")
    warm_start = models.BooleanField(
        default=False, help_text="runs begin with the weights of the version that serves"
    )
    species = models.CharField(max_length=30, default="mouse", unique=True)
    updated_at = models.DateTimeField(auto_now=True)


class Trigger(Row):
    """One evaluation of the policy: it fired or it did not, and why."""

    fired = models.BooleanField()
    name = models.CharField(max_length=40)
    reason = models.CharField(max_length=500)
    facts = models.JSONField(default=dict)
    run = models.ForeignKey("Run", null=True, on_delete=models.SET_NULL, related_name="triggers")


class Snapshot(Row):
    """An immutable freeze of everything training may use: manifest, digests, splits."""

    manifest = models.ForeignKey("files.Blob", on_delete=models.PROTECT, related_name="+")
    # The same inputs give the same digest, and the same digest the same row.
    digest = models.CharField(max_length=64, unique=True)
    header = models.JSONField(default=dict)
    versions = models.ManyToManyField("repository.Version", related_name="snapshots")
    frames = models.PositiveIntegerField()
    animals = models.PositiveIntegerField()
    phantom = models.BooleanField()


class Placement(models.Model):
    """Where an animal was first placed: it stays there, in the benchmark for ever."""

    animal = models.OneToOneField(
        "repository.Animal", on_delete=models.CASCADE, related_name="placement"
    )
    split = models.CharField(max_length=20)
    at = models.DateTimeField(auto_now_add=True)


class Run(Row):
    """One training run. It has no state but its job's.

    ``snapshot`` is empty until the job has frozen one. ``thresholds`` are the gates' numbers as
    they were when the run was asked for: a later edit does not move the bar of a run.
    """

    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.PROTECT, related_name="runs")
    job = models.OneToOneField(
        "core.Job", null=True, on_delete=models.PROTECT, related_name="training_run"
    )
    recipe = models.CharField(max_length=40)
    seed = models.PositiveBigIntegerField(default=0)
    options = models.JSONField(default=dict)
    negative_control = models.BooleanField(default=False)
    profile = models.CharField(max_length=30)
    thresholds = models.JSONField(default=dict)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    why = models.CharField(max_length=500, blank=True)
    # Curves, newest last: [{"step": …, "metrics": {…}}]; the step number is the key.
    curves = models.JSONField(default=list)
    tail = models.JSONField(default=list)
    checkpoint_key = models.CharField(max_length=200, blank=True)
    model_version = models.OneToOneField(
        "registry.ModelVersion", null=True, on_delete=models.SET_NULL, related_name="training_run"
    )


class Credit(Row):
    """What became of one published version in one model that was promoted: for its lab.

    ``used`` says how many frames and animals lay in each split; ``errors`` how far the image score
    was off on held-out animals of the lab, coat by coat, before the promotion and after.
    """

    model_version = models.ForeignKey(
        "registry.ModelVersion", on_delete=models.CASCADE, related_name="credits"
    )
    version = models.ForeignKey(
        "repository.Version", on_delete=models.CASCADE, related_name="credits"
    )
    used = models.JSONField(default=dict)
    errors = models.JSONField(default=list)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["model_version", "version"], name="credit_once")
        ]

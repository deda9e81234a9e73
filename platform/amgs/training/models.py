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
    schedule = models.CharField(
        max_length=100, blank=True, help_text="cron, in UTC: minute hour day month weekday"
    )
    # When the schedule asks next; it stays in the past while a run is under way.
    scheduled_for = models.DateTimeField(null=True)
    new_lab_or_coat = models.BooleanField(
        default=False, help_text="a lab or a coat that no run has learned from starts one"
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


class IndependentLab(Row):
    """A lab set aside for ever: its animals validate finished models and nothing else."""

    lab = models.OneToOneField(
        "accounts.Lab", on_delete=models.PROTECT, related_name="independence"
    )
    why = models.CharField(max_length=500)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )

    def __str__(self) -> str:
        return str(self.lab)


class Benchmark(Row):
    """The frames that challenger and champion are both measured on: a manifest of its own."""

    species = models.CharField(max_length=30, default="mouse")
    number = models.PositiveIntegerField()
    manifest = models.ForeignKey("files.Blob", on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64, unique=True)
    frames = models.PositiveIntegerField()
    animals = models.PositiveIntegerField()
    phantom = models.BooleanField()

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["species", "number"], name="benchmark_number_once")
        ]

    def __str__(self) -> str:
        return self.identifier

    @property
    def identifier(self) -> str:
        """How pages and exports name the benchmark."""
        return f"{self.species}-b{self.number}"


class Snapshot(Row):
    """An immutable freeze of everything training may use: manifests, digests, splits.

    ``manifest`` is all that a run reads. What judges lies in manifests of its own: ``benchmark``,
    and ``independent`` for the labs set aside; each is empty where there is no such animal.
    """

    manifest = models.ForeignKey("files.Blob", on_delete=models.PROTECT, related_name="+")
    benchmark = models.ForeignKey(
        Benchmark, null=True, on_delete=models.PROTECT, related_name="snapshots"
    )
    independent = models.ForeignKey(
        "files.Blob", null=True, on_delete=models.PROTECT, related_name="+"
    )
    # Over the digests of its manifests: the same inputs give the same, and the same row.
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
    benchmark = models.ForeignKey(
        Benchmark, null=True, on_delete=models.PROTECT, related_name="runs"
    )
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
    # Version and commit, digest of the locked packages, machine: what the last attempt told.
    made = models.JSONField(default=dict)
    superseded_by = models.ForeignKey(
        "self", null=True, on_delete=models.SET_NULL, related_name="superseded"
    )
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

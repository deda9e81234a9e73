"""What label files hold beside the grades of frames by people, each kind in a table of its own.

Scores of observations, of programs, boxes, classes and landmarks are never ratings and never
become any. All of them go with their import: they are visible while it is read and not undone.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.db.models import F, Q

from amgs.core import vocabulary
from amgs.core.base import PublicIdField


class ImportedQuerySet(models.QuerySet[Any]):
    """Imported rows by whether they are to be seen."""

    def visible(self) -> ImportedQuerySet:
        """Rows of a label file that was read to its end and not undone."""
        return self.filter(label_import__status="done")


class Imported(models.Model):
    """An abstract row of a label file."""

    objects: ClassVar[models.Manager[Any]] = ImportedQuerySet.as_manager()

    public_id = PublicIdField()
    label_import = models.ForeignKey(
        "repository.LabelImport", on_delete=models.CASCADE, related_name="%(class)s_rows"
    )

    class Meta:
        abstract = True
        ordering = ["pk"]


class ObservationScore(Imported):
    """One score of one animal at one time point by one rater, without links to frames.

    ``score`` is the mean over units (0 to the top grade), of ``unit`` alone where that is set. For
    validation and agreement only: never spread over frames.
    """

    class Kind(models.TextChoices):
        GRADED = "graded", "graded"
        NOT_SCORABLE = "not_scorable", "not scorable"
        NOT_ASSIGNED = "not_assigned", "not assigned"
        MISSING = "missing", "not rated"

    observation = models.ForeignKey(
        "repository.Observation", on_delete=models.CASCADE, related_name="scores"
    )
    rater_name = models.CharField(max_length=100, blank=True)
    unit = models.CharField(max_length=40, blank=True, choices=vocabulary.units)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    score = models.FloatField(null=True)
    pictures = models.PositiveIntegerField(null=True)

    class Meta(Imported.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["label_import", "observation", "unit", "rater_name"],
                name="observation_score_once",
            ),
            models.CheckConstraint(
                name="a_score_where_graded",
                condition=Q(kind="graded", score__isnull=False, score__gte=0)
                | (~Q(kind="graded") & Q(score__isnull=True)),
            ),
        ]


class ProgramScore(Imported):
    """What a program said of one unit in one frame: a grade or a reason, and how sure it was.

    ``number`` counts the frames of the recording from 0 in presentation order, ``time_s`` is what
    the file said. A program is no rater.
    """

    recording = models.ForeignKey(
        "repository.Recording", on_delete=models.CASCADE, related_name="program_scores"
    )
    program = models.CharField(max_length=100)
    number = models.PositiveIntegerField()
    time_s = models.FloatField(null=True)
    unit = models.CharField(max_length=40, choices=vocabulary.units)
    grade = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=20, blank=True, choices=vocabulary.reasons)
    confidence = models.FloatField(null=True)

    class Meta(Imported.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["label_import", "recording", "number", "unit", "program"],
                name="program_score_once",
            ),
            models.CheckConstraint(
                name="a_program_grade_or_a_reason",
                condition=(Q(grade__isnull=False) & Q(reason=""))
                | (Q(grade__isnull=True) & ~Q(reason="")),
            ),
            models.CheckConstraint(
                name="confidence_is_a_share",
                condition=Q(confidence__isnull=True) | Q(confidence__gte=0, confidence__lte=1),
            ),
        ]


class FaceBox(Imported):
    """A box round a face, in pixels of the picture as it is shown."""

    frame = models.ForeignKey("repository.Frame", on_delete=models.CASCADE, related_name="boxes")
    left = models.FloatField()
    top = models.FloatField()
    right = models.FloatField()
    bottom = models.FloatField()
    entry = models.PositiveIntegerField(help_text="which entry of the file, from 1")

    class Meta(Imported.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["label_import", "frame", "entry"], name="face_box_once"
            ),
            models.CheckConstraint(
                name="a_box_has_an_inside",
                condition=Q(left__gte=0, top__gte=0, right__gt=F("left"), bottom__gt=F("top")),
            ),
        ]


class PictureClass(Imported):
    """The folder that a picture lay in: a class of the whole picture, which is no grade."""

    frame = models.ForeignKey("repository.Frame", on_delete=models.CASCADE, related_name="classes")
    label = models.CharField(max_length=200)

    class Meta(Imported.Meta):
        constraints = [
            models.UniqueConstraint(fields=["label_import", "frame"], name="picture_class_once")
        ]


class LandmarkSet(Imported):
    """The points of one animal in the frames of one recording, as Parquet in storage.

    One row per frame (``curation.labels.tables`` says the columns): a film of a program holds too
    many points for rows here. ``key`` is removed with the import.
    """

    recording = models.ForeignKey(
        "repository.Recording", on_delete=models.CASCADE, related_name="landmark_sets"
    )
    animal = models.CharField(max_length=100, blank=True)
    rater_name = models.CharField(max_length=100, blank=True)
    by_program = models.BooleanField()
    points = models.JSONField(default=list)
    frames = models.PositiveIntegerField()
    key = models.CharField(max_length=200)

    class Meta(Imported.Meta):
        constraints = [
            models.UniqueConstraint(
                fields=["label_import", "recording", "animal", "rater_name", "by_program"],
                name="landmark_set_once",
            )
        ]

"""What people gave: datasets and all that hangs on them.

dataset → group, cage → animal → observation (one animal at one time point) → recording → frame.
What is submitted, reviewed, published and cited is a ``Version``.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from amgs.core import vocabulary
from amgs.core.base import PublicIdField, Row
from amgs.repository.finding import Facet as Facet
from amgs.repository.finding import SearchEntry as SearchEntry
from amgs.repository.imported import (
    FaceBox,
    LandmarkSet,
    ObservationScore,
    PictureClass,
    ProgramScore,
)
from amgs.repository.twins import Resemblance as Resemblance
from curation.dataset_version import LIFECYCLE

# Kept in a module of their own, and tables of this app all the same.
IMPORTED = (ObservationScore, ProgramScore, FaceBox, PictureClass, LandmarkSet)


class Dataset(Row):
    """An experiment's recordings and grades, kept by a lab. ``number`` is the citable part."""

    number = models.PositiveIntegerField(unique=True)
    lab = models.ForeignKey("accounts.Lab", on_delete=models.PROTECT, related_name="datasets")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    phantom = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.identifier

    @property
    def identifier(self) -> str:
        """The identifier people cite, without the version."""
        return f"AMGS-{self.number:06d}"


class VersionQuerySet(models.QuerySet["Version"]):
    """Versions by who may see them and what became of them."""

    def visible_to(self, user: Any) -> VersionQuerySet:
        """Versions this person (or nobody in particular) may know of."""
        public = Q(state__in=("published", "withdrawn", "retracted"))
        held = self.filter(deleted_at=None)
        if not user.is_authenticated:
            return held.filter(public)
        if user.roles & {"curator", "maintainer"}:
            return held
        return held.filter(public | Q(dataset__lab_id__in=user.lab_ids))

    def published(self) -> VersionQuerySet:
        """Versions that are cited and may be used as their permissions say."""
        return self.filter(state="published")


class Version(Row):
    """One version of a dataset. Its state is written by ``core.decisions`` alone."""

    lifecycle = LIFECYCLE
    objects: ClassVar[models.Manager[Version]] = VersionQuerySet.as_manager()

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField(default=1)
    state = models.CharField(
        max_length=30, choices=vocabulary.dataset_states, default=LIFECYCLE.initial
    )
    title = models.CharField(max_length=300)
    description = models.TextField(blank=True)
    licence = models.CharField(max_length=30, blank=True)
    ethics = models.TextField(blank=True)
    funder = models.CharField(max_length=300, blank=True)
    metadata = models.JSONField(default=dict)
    # Who made it: ``curation.contributors.Contributor`` as JSON, in the order of a citation.
    contributors = models.JSONField(default=list)
    embargo_until = models.DateField(null=True, blank=True)
    # The owner's tick that training may use the version while it is under embargo.
    train_under_embargo = models.BooleanField(default=False)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    submitted_at = models.DateTimeField(null=True)
    published_at = models.DateTimeField(null=True)
    # Once DataCite has confirmed it; our own identifier is cited until then.
    doi = models.CharField(max_length=100, blank=True)
    # The VersionFacts on which publication rested, verbatim; empty before.
    facts = models.JSONField(default=dict)
    # Groups, animals and observations as they were at publication (``repository.frozen``): the
    # rows of these tables go on with the next draft. Of a deleted draft, as they were then.
    design = models.JSONField(default=dict)
    # An unpublished version that its lab deleted; it can be brought back for a while.
    deleted_at = models.DateTimeField(null=True, blank=True)
    # When the last file of a withdrawn version was gone, or of a rejected one that stayed so.
    files_deleted_at = models.DateTimeField(null=True, blank=True)
    # Of a rejected version: until when its files are kept and it can be opened again.
    files_kept_until = models.DateTimeField(null=True, blank=True)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["dataset", "number"], name="version_number_once"),
            models.CheckConstraint(
                name="published_has_a_date",
                condition=~Q(state="published") | Q(published_at__isnull=False),
            ),
        ]
        indexes = [models.Index(fields=["state", "id"], name="version_state")]

    @property
    def identifier(self) -> str:
        """The identifier people cite, such as ``AMGS-000123/2``."""
        return f"{self.dataset.identifier}/{self.number}"


class Permission(models.Model):
    """The owner allows one use of a version, with the text as it was when signed.

    What was taken back has no row any more; the log keeps who gave and took it when.
    """

    class Kind(models.TextChoices):
        OUTSIDE_RATERS = "outside_raters", "raters outside the lab may see frames"
        TRAIN = "train", "the public model may learn from it"
        SHOW_FRAMES = "show_frames", "frames may be shown in public reports"
        DOWNLOAD = "download", "anyone may download it under the licence"

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="permissions")
    kind = models.CharField(max_length=20, choices=Kind.choices)
    text_version = models.CharField(max_length=20)
    text_digest = models.CharField(max_length=64, blank=True)
    # The signer confirmed that the lab may share these data.
    right_to_share = models.BooleanField(default=False)
    signed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    signer_name = models.CharField(max_length=200)
    signed_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "kind"], name="permission_once")]


class Group(Row):
    """A treatment group. ``name`` stays with the lab; ``pseudonym`` is what others read."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="groups")
    name = models.CharField(max_length=100)
    pseudonym = models.CharField(max_length=20)
    metadata = models.JSONField(default=dict)
    # Not in the draft any more; the row stays because an earlier version holds it. The same holds
    # for cages, animals and observations.
    dropped = models.BooleanField(default=False)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="group_once")]


class Cage(Row):
    """A cage (or litter): the unit of assignment where the lab says so."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="cages")
    name = models.CharField(max_length=100)
    pseudonym = models.CharField(max_length=20)
    dropped = models.BooleanField(default=False)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="cage_once")]


class Animal(Row):
    """One mouse. All splits of data are by animal."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="animals")
    name = models.CharField(max_length=100)
    pseudonym = models.CharField(max_length=20)
    group = models.ForeignKey(Group, null=True, on_delete=models.SET_NULL, related_name="animals")
    cage = models.ForeignKey(Cage, null=True, on_delete=models.SET_NULL, related_name="animals")
    metadata = models.JSONField(default=dict)
    dropped = models.BooleanField(default=False)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="animal_once")]


class Observation(Row):
    """One animal at one time point."""

    animal = models.ForeignKey(Animal, on_delete=models.CASCADE, related_name="observations")
    name = models.CharField(max_length=100)
    metadata = models.JSONField(default=dict)
    dropped = models.BooleanField(default=False)

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["animal", "name"], name="observation_once")]


class Recording(Row):
    """A video or a set of stills of one observation."""

    class Status(models.TextChoices):
        PENDING = "pending", "being read"
        READY = "ready", "readable"
        UNREADABLE = "unreadable", "set aside"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="recordings")
    # An observation that is named no longer must not take its film with it.
    observation = models.ForeignKey(
        Observation, null=True, on_delete=models.SET_NULL, related_name="recordings"
    )
    name = models.CharField(max_length=400)
    # The file may still be on its way; the blob appears when the upload is done.
    upload = models.ForeignKey(
        "files.Upload", null=True, on_delete=models.SET_NULL, related_name="recordings"
    )
    blob = models.ForeignKey(
        "files.Blob", null=True, on_delete=models.PROTECT, related_name="recordings"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    problem = models.CharField(max_length=1000, blank=True)
    media = models.JSONField(default=dict)  # MediaFacts, measured once
    poster_key = models.CharField(max_length=200, blank=True)
    contact_sheet_key = models.CharField(max_length=200, blank=True)
    # Perceptual hashes over time, by which near-duplicates are found.
    likeness_key = models.CharField(max_length=200, blank=True)
    # Some of those hashes (`models.media.likeness.Signature`), by which likely twins are looked up.
    signature = models.JSONField(default=dict)
    # When it was compared with all others; empty for one that was read before that was done.
    compared_at = models.DateTimeField(null=True)
    # Small pictures that show best what checks may warn of: reason → key, frame, time_s.
    evidence = models.JSONField(default=dict)
    # H.264 in MP4, where browsers do not play the original.
    proxy_key = models.CharField(max_length=200, blank=True)
    # The copy for others: key, sha256, size, the original's sha256, names of the tags left out;
    # or a refusal. Empty while it is being made.
    public = models.JSONField(default=dict)
    metadata = models.JSONField(default=dict)
    versions = models.ManyToManyField(Version, related_name="recordings")

    class Meta(Row.Meta):
        constraints = [models.UniqueConstraint(fields=["dataset", "name"], name="recording_once")]


class Frame(Row):
    """One frame of a recording, named by its presentation timestamp.

    Its identity across the world is (blob SHA-256, stream, pts, time base).
    """

    # Without an index of its own: `frame_of_recording` below serves for it.
    recording = models.ForeignKey(
        Recording, on_delete=models.CASCADE, related_name="frames", db_index=False
    )
    stream = models.PositiveIntegerField(default=0)
    pts = models.BigIntegerField()
    tb_num = models.PositiveIntegerField()
    tb_den = models.PositiveIntegerField()
    number = models.PositiveIntegerField(help_text="0-based, in presentation order")
    time_s = models.FloatField()
    pixel_hash = models.CharField(max_length=80, blank=True)
    still_key = models.CharField(max_length=200, blank=True)
    # Drawn uniformly at random, not chosen because somebody named it.
    drawn = models.BooleanField(default=False)

    class Meta(Row.Meta):
        constraints = [
            models.UniqueConstraint(fields=["recording", "stream", "pts"], name="frame_once")
        ]
        # Pages of frames go from recording to recording.
        indexes = [models.Index(fields=["recording", "id"], name="frame_of_recording")]


class Exclusion(models.Model):
    """A recording, or a single frame, that is not in a version, and why.

    It stays with its lab and in earlier versions. ``reason`` is a key of ``curation.exclusions``.
    """

    version = models.ForeignKey(Version, on_delete=models.CASCADE, related_name="exclusions")
    recording = models.ForeignKey(
        Recording, null=True, on_delete=models.CASCADE, related_name="exclusions"
    )
    frame = models.ForeignKey(Frame, null=True, on_delete=models.CASCADE, related_name="exclusions")
    reason = models.CharField(max_length=300)
    why = models.CharField(max_length=500, blank=True)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    by_name = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "frame"], name="excluded_once"),
            models.UniqueConstraint(
                fields=["version", "recording"], name="recording_excluded_once"
            ),
            models.CheckConstraint(
                name="a_recording_or_a_frame_excluded",
                condition=Q(frame__isnull=False, recording=None)
                | Q(frame=None, recording__isnull=False),
            ),
        ]


class LabelImport(Row):
    """A label file as it was given: its blob, how it is to be read, and what could not be.

    ``open`` is a file that was looked at and waits for its lab to answer and to confirm.
    """

    class Status(models.TextChoices):
        OPEN = "open", "waits for your answers"
        PENDING = "pending", "being read"
        DONE = "done", "read"
        REFUSED = "refused", "refused"
        UNDONE = "undone", "undone"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="label_imports")
    upload = models.ForeignKey(
        "files.Upload", null=True, on_delete=models.SET_NULL, related_name="label_imports"
    )
    blob = models.ForeignKey(
        "files.Blob", null=True, on_delete=models.PROTECT, related_name="label_imports"
    )
    name = models.CharField(max_length=400)
    format = models.CharField(max_length=50, blank=True)
    # How the sheet came about: scored from, blind, frames chosen how, raters' experience.
    declared = models.JSONField(default=dict)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    refusal = models.CharField(max_length=1000, blank=True)
    problems = models.JSONField(default=list)
    rows = models.PositiveIntegerField(default=0)
    raters = models.JSONField(default=list)
    frames_matched = models.PositiveIntegerField(default=0)
    frames_unmatched = models.PositiveIntegerField(default=0)
    observations_matched = models.PositiveIntegerField(default=0)
    observations_unmatched = models.PositiveIntegerField(default=0)
    # What the lab said about the file: ``curation.labels.Mapping`` as JSON, and which recording,
    # animal and time point its names mean (``places.Places``).
    mapping = models.JSONField(default=dict)
    places = models.JSONField(default=dict)
    # What was seen when it was looked at last with these answers; see ``looking``.
    look = models.JSONField(default=dict)
    # How many rows of each kind were read, and the rules by which.
    counts = models.JSONField(default=dict)
    notes = models.JSONField(default=list)
    # Digest of the file and of how it was read: the same digest means the same rows. No two that
    # count are in one version (``services.labels.twin_of``); in different ones there may be.
    digest = models.CharField(max_length=64, blank=True)
    given_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    # A sheet that a published version holds is neither read again nor undone.
    versions = models.ManyToManyField(Version, related_name="sheets")

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write the row; a new sheet belongs to the version that is being worked on."""
        new = self._state.adding
        super().save(*args, **kwargs)
        draft = self.dataset.versions.filter(deleted_at=None).order_by("-number").first()
        if new and draft is not None and draft.published_at is None:
            self.versions.add(draft)


class RatingQuerySet(models.QuerySet["Rating"]):
    """Ratings by whether they are to be seen."""

    def visible(self) -> RatingQuerySet:
        """Ratings given here or from a sheet that was read to its end and not undone."""
        return self.filter(Q(label_import=None) | Q(label_import__status=LabelImport.Status.DONE))

    def of_version(self, version: Version) -> RatingQuerySet:
        """Visible ratings of a version's frames: of the sheets it holds, and given here.

        What was rated here after a version was published belongs to later ones.
        """
        here = Q(label_import=None)
        if version.published_at is not None:
            here &= Q(at__lte=version.published_at)
        sheets = Q(label_import__in=LabelImport.objects.filter(versions=version))
        return self.visible().filter(here | sheets, frame__recording__versions=version)


class Rating(models.Model):
    """One grade, or one not-scorable reason, for one unit of one frame by one rater.

    Human grades only. ``rater`` is a person of this site or ``None`` where a sheet names them.
    """

    class Source(models.TextChoices):
        SHEET = "sheet", "came with the dataset"
        AUDIT = "audit", "rated blind here"

    objects: ClassVar[models.Manager[Rating]] = RatingQuerySet.as_manager()

    public_id = PublicIdField()
    frame = models.ForeignKey(Frame, on_delete=models.CASCADE, related_name="ratings")
    unit = models.CharField(max_length=40, choices=vocabulary.units)
    grade = models.PositiveSmallIntegerField(null=True)
    reason = models.CharField(max_length=20, blank=True, choices=vocabulary.reasons)
    rater = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="ratings"
    )
    rater_name = models.CharField(max_length=100)
    seconds = models.FloatField(null=True)
    source = models.CharField(max_length=10, choices=Source.choices)
    label_import = models.ForeignKey(
        LabelImport, null=True, on_delete=models.CASCADE, related_name="ratings"
    )
    random_share = models.BooleanField(default=False)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            # Two constraints instead of one with nulls that are equal, which SQLite lacks.
            models.UniqueConstraint(
                fields=["label_import", "frame", "unit", "rater_name"],
                name="sheet_rating_once",
                condition=Q(label_import__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["frame", "unit", "source", "rater_name"],
                name="own_rating_once",
                condition=Q(label_import__isnull=True),
            ),
            models.CheckConstraint(
                name="a_grade_or_a_reason",
                condition=(Q(grade__isnull=False) & Q(reason=""))
                | (Q(grade__isnull=True) & ~Q(reason="")),
            ),
        ]

"""Recordings that look alike, pair by pair, as they were measured."""

from __future__ import annotations

from django.db import models


class Resemblance(models.Model):
    """Two recordings that look alike (`models.media.likeness.match`); the older one is first.

    ``distance`` and ``motion`` are shares of differing bits, ``motion`` is ``None`` where hardly
    anything moves; ``shift_s`` says how much later the same moment comes in the second one.
    """

    first = models.ForeignKey(
        "repository.Recording", on_delete=models.CASCADE, related_name="alike_later"
    )
    second = models.ForeignKey(
        "repository.Recording", on_delete=models.CASCADE, related_name="alike_earlier"
    )
    distance = models.FloatField()
    motion = models.FloatField(null=True)
    shift_s = models.FloatField()
    mirrored = models.BooleanField()
    compared = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="resemblance_once"),
            models.CheckConstraint(
                name="the_older_is_first", condition=models.Q(first__lt=models.F("second"))
            ),
        ]

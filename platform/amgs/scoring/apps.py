"""The app's configuration."""

from django.apps import AppConfig


class ScoringConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.scoring"

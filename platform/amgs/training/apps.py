"""The app's configuration."""

from django.apps import AppConfig


class TrainingConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.training"

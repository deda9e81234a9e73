"""The app's configuration."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.review"

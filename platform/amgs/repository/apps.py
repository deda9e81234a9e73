"""The app's configuration."""

from django.apps import AppConfig


class RepositoryConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.repository"

"""The app's configuration."""

from django.apps import AppConfig


class FilesConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.files"

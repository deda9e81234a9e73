"""The app's configuration."""

from importlib import import_module

from django.apps import AppConfig


class FilesConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.files"

    def ready(self) -> None:
        """Load what ``manage.py check`` asks."""
        import_module("amgs.files.checks")

"""The app's configuration."""

from django.apps import AppConfig


class RepositoryConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.repository"

    def ready(self) -> None:
        """Add DOIs to the steps of a version, and the jobs of DOIs and of finding."""
        from amgs.repository import dois, search  # noqa: F401  (importing registers them)

"""The app's configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class RepositoryConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.repository"

    def ready(self) -> None:
        """Let the database guard what is published, whenever its tables were migrated."""
        from amgs.repository import immutable

        pre_migrate.connect(immutable.remove, sender=self)
        post_migrate.connect(immutable.install, sender=self)

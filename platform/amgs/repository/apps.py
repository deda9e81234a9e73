"""The app's configuration."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class RepositoryConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.repository"

    def ready(self) -> None:
        """Add DOIs and finding; let the database guard what is published, once it is migrated."""
        from amgs.repository import dois, immutable, search  # noqa: F401  (registers itself)

        pre_migrate.connect(immutable.remove, sender=self)
        post_migrate.connect(immutable.install, sender=self)

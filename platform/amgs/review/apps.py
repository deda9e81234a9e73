"""The app's configuration."""

from django.apps import AppConfig


class ReviewConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.review"

    def ready(self) -> None:
        """Add what review asks and does to the steps of a dataset version."""
        from amgs.review import acceptance, leaving, telling  # noqa: F401  (importing registers)

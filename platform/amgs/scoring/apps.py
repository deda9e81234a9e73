"""The app's configuration."""

from importlib import import_module

from django.apps import AppConfig


class ScoringConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.scoring"

    def ready(self) -> None:
        """Add what is counted, stopped and told when data leave, and what is asked first."""
        import_module("amgs.scoring.leaving")
        import_module("amgs.scoring.contributing")

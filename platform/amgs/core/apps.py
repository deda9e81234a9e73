"""The mechanisms every app of the platform uses."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """Jobs, decisions, policy, ids and errors: a closed list."""

    name = "amgs.core"
    verbose_name = "Mechanisms"

    def ready(self) -> None:
        """Load every app's ``jobs.py`` and ``rules.py`` so that kinds and rules are known."""
        from django.utils.module_loading import autodiscover_modules

        autodiscover_modules("jobs", "rules")

"""The mechanisms every app of the platform uses."""

from importlib import import_module
from importlib.util import find_spec

from django.apps import AppConfig, apps


class CoreConfig(AppConfig):
    """Jobs, decisions, policy, ids and errors: a closed list."""

    name = "amgs.core"
    verbose_name = "Mechanisms"

    def ready(self) -> None:
        """Load the ``jobs.py`` and ``rules.py`` of every app that has tables.

        Not of ``api`` and ``web``: there a module of that name is a noun, not a registry, and
        workers would load the whole HTTP stack for nothing.
        """
        import_module("amgs.core.checks")
        import_module("amgs.core.sweep")
        import_module("amgs.core.idempotency")
        for config in apps.get_app_configs():
            if config.models_module is None:
                continue
            for name in ("jobs", "rules"):
                if find_spec(f"{config.name}.{name}"):
                    import_module(f"{config.name}.{name}")

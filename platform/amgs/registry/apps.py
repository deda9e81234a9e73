"""The app's configuration."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.registry"

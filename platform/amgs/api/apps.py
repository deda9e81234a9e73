"""The app's configuration."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.api"

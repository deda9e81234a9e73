"""The app's configuration."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.demo"

"""The app's configuration."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.web"

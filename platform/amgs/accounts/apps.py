"""The app's configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Name and label of the app."""

    name = "amgs.accounts"

"""The platform of the automated Mouse Grimace Scale: people, storage, time."""

from amgs.celery import app as celery_app

__all__ = ["celery_app"]

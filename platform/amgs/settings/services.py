"""URLs decide: turn ``DATABASE_URL``, ``STORAGE_URL``, ``BROKER_URL`` into settings.

Nothing else in the project asks whether it runs embedded; an unset URL gives the embedded
default, whose every file lies under ``var/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

# Longer than the longest job lease: Redis must not hand a running hint to a second worker.
REDIS_VISIBILITY_S = 24 * 3600
# A service that gives a hint must not wait for a broker that is away: the sweep hints again.
# (Without a limit, kombu tries to connect for ever, in the request of a person.)
_GIVE_UP_SOON = {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.1}


def database(url: str, var: Path) -> dict[str, Any]:
    """Return one entry of ``DATABASES`` for ``DATABASE_URL`` (empty: SQLite under ``var``)."""
    if not url or url.startswith("sqlite:"):
        name = urlsplit(url).path if url else str(var / "amgs.sqlite3")
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": name,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-20000;"
                ),
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ImproperlyConfigured(
            f"DATABASE_URL begins with '{parts.scheme}:'; use postgresql:// or leave it unset."
        )
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    # A server reached through its socket folder is named by ?host=/folder.
    host = query.pop("host", None) or parts.hostname or ""
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "postgres",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or query.pop("port", "") or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


def broker(url: str, var: Path) -> dict[str, Any]:
    """Return Celery's broker settings for ``BROKER_URL`` (empty: folders under ``var``)."""
    if not url:
        folder = var / "broker"
        for name in ("messages", "taken", "control"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        return {
            "url": "filesystem://localhost",
            "transport": "amgs.folder_broker:Transport",
            "options": {
                "data_folder_in": str(folder / "messages"),
                "data_folder_out": str(folder / "messages"),
                "processed_folder": str(folder / "taken"),
                "control_folder": str(folder / "control"),
                "polling_interval": 0.1,
            },
        }
    scheme = urlsplit(url).scheme
    if scheme in {"redis", "rediss"}:
        options = {
            "visibility_timeout": REDIS_VISIBILITY_S,
            "unacked_restore_limit": 100,
            "socket_connect_timeout": 3,
            "socket_timeout": 30,
        }
        return {"url": url, "transport": None, "options": options | _GIVE_UP_SOON}
    if scheme in {"amqp", "amqps"}:
        options = {"confirm_publish": True}
        return {"url": url, "transport": None, "options": options | _GIVE_UP_SOON}
    raise ImproperlyConfigured(
        f"BROKER_URL begins with '{scheme}:'; use amqp://, redis:// or leave it unset."
    )


def datacite(url: str) -> dict[str, str]:
    """Return how DOIs are registered, for ``DATACITE_URL`` (empty: not at all).

    ``https://REPOSITORY:PASSWORD@HOST?prefix=10.1234`` gives ``api``, ``repository``,
    ``password`` and ``prefix``.
    """
    if not url:
        return {}
    parts = urlsplit(url)
    found = {
        "api": f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}",
        "repository": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "prefix": parse_qs(parts.query).get("prefix", [""])[-1],
    }
    loopback = parts.hostname in {"127.0.0.1", "localhost", "::1"}
    if parts.scheme != "https" and not loopback:
        raise ImproperlyConfigured("DATACITE_URL begins with https://, as it holds a password.")
    if missing := [name for name, value in found.items() if not value]:
        raise ImproperlyConfigured(
            f"DATACITE_URL lacks the {missing[0]}; write "
            "https://REPOSITORY:PASSWORD@api.datacite.org?prefix=10.1234."
        )
    return found

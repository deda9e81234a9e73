"""The settings. They run with an empty environment; every variable is in deploy/env.example."""

from __future__ import annotations

import os
import secrets
from datetime import timedelta
from pathlib import Path

import structlog

from amgs.settings import services

ROOT = Path(__file__).resolve().parents[3]


def _flag(name: str, default: bool) -> bool:
    return os.environ.get(name, "1" if default else "0").strip().lower() in {"1", "true", "yes"}


def _secret(var: Path) -> str:
    """Return the secret key, made once and kept beside the embedded database."""
    if given := os.environ.get("SECRET_KEY"):
        return given
    path = var / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Several processes may start at once: the first complete file wins.
        draft = path.with_name(f"secret_key.{os.getpid()}")
        draft.write_text(secrets.token_urlsafe(50))
        draft.chmod(0o600)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


VAR = Path(os.environ.get("AMGS_VAR", ROOT / "var")).resolve()
VAR.mkdir(parents=True, exist_ok=True)

DEBUG = False
SECRET_KEY = _secret(VAR)
# Keys of before: what they signed or sealed is still read, until it is sealed anew.
SECRET_KEY_FALLBACKS = [
    key for key in os.environ.get("SECRET_KEY_FALLBACKS", "").replace(",", " ").split() if key
]
PORT = int(os.environ.get("AMGS_PORT", "8000"))
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")
SITE_URL = os.environ.get("SITE_URL", f"http://127.0.0.1:{PORT}")
CSRF_TRUSTED_ORIGINS = [SITE_URL]
# The folder of the certificate with which the embedded site itself serves HTTPS; `serve --https`
# sets it. Behind a reverse proxy it stays empty.
CERTIFICATE = os.environ.get("AMGS_CERTIFICATE", "")
# Which settings module the processes that `serve` starts shall use is inherited through the
# environment; nothing here asks whether the site is embedded.
PRODUCTION = False
ALLOW_PHANTOM = _flag("AMGS_ALLOW_PHANTOM", default=True)

INSTALLED_APPS = [
    "amgs.core",
    "amgs.accounts",
    "amgs.files",
    "amgs.registry",
    "amgs.repository",
    "amgs.review",
    "amgs.training",
    "amgs.scoring",
    "amgs.api",
    "amgs.web",
    "amgs.demo",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.orcid",
    "allauth.socialaccount.providers.github",
    "allauth.mfa",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "amgs.web.policy_headers.ContentSecurityPolicy",
    "amgs.api.plain_text.PlainAddresses",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "amgs.web.refusals.RefusalPages",
]

ROOT_URLCONF = "amgs.urls"
WSGI_APPLICATION = "amgs.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "amgs.web.context.site",
            ],
        },
    }
]

DATABASES = {"default": services.database(os.environ.get("DATABASE_URL", ""), VAR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# One row per process is enough for throttles and the session of one machine; the database
# serves all processes alike.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 50_000},  # one counter for everybody who asks in a minute
    }
}

STORAGE_URL = os.environ.get("STORAGE_URL", "") or f"file://{VAR / 'objects'}"
STORAGE_ADDRESS_SECONDS = int(os.environ.get("STORAGE_ADDRESS_SECONDS", "900"))
UPLOAD_PART_BYTES = 8 * 1024 * 1024  # S3 wants at least 5 MiB in all parts but the last
UPLOAD_MOST_BYTES = int(os.environ.get("UPLOAD_MOST_BYTES", str(1024**4)))
UPLOAD_MOST_BYTES_PUBLIC = int(os.environ.get("UPLOAD_MOST_BYTES_PUBLIC", str(2 * 1024**3)))
UPLOAD_MOST_BYTES_LAB = int(os.environ.get("UPLOAD_MOST_BYTES_LAB", str(10 * 1024**4)))

_broker = services.broker(os.environ.get("BROKER_URL", ""), VAR)
CELERY_BROKER_URL = _broker["url"]
CELERY_BROKER_TRANSPORT = _broker["transport"]
CELERY_BROKER_TRANSPORT_OPTIONS = _broker["options"]
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_DEFAULT_QUEUE = "quick"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # the sweep, not the broker, brings a lost job back
CELERY_TASK_STORE_ERRORS_EVEN_IF_IGNORED = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "amgs.core.beat:SweepHere"

# Worker processes of the queue `score`, on all machines together: long videos are split over them.
SCORE_WORKERS = int(os.environ.get("SCORE_WORKERS", "2"))
# Without an account, so many files and minutes of video a day from one network address.
SCORE_PUBLIC_FILES = int(os.environ.get("SCORE_PUBLIC_FILES", "50"))
SCORE_PUBLIC_MINUTES = int(os.environ.get("SCORE_PUBLIC_MINUTES", "120"))
# Days after which a score goes with its file, unless the recording was contributed.
SCORE_KEPT_DAYS = int(os.environ.get("SCORE_KEPT_DAYS", "30"))

# Jobs: see amgs/core/jobs.py
JOB_LEASE = timedelta(seconds=float(os.environ.get("JOB_LEASE_SECONDS", "30")))
JOB_SWEEP = timedelta(seconds=float(os.environ.get("JOB_SWEEP_SECONDS", "5")))

# Whether webhooks may lead into a private network, and without TLS to this very machine.
WEBHOOK_PRIVATE = _flag("WEBHOOK_PRIVATE", default=True)

# Where DOIs are registered; empty: nowhere, and our own identifiers are cited.
DATACITE = services.datacite(os.environ.get("DATACITE_URL", ""))

# What a site without any model version begins with; None where the variable is set and empty.
_shipped = os.environ.get("AMGS_SHIPPED_MODEL", "models/bundles/phantom")
SHIPPED_MODEL = ROOT / _shipped if _shipped else None
MLFLOW_TRACKING_URI = (
    os.environ.get("MLFLOW_TRACKING_URI", "") or f"sqlite:///{VAR / 'mlflow' / 'mlflow.sqlite3'}"
)
MLFLOW_ARTIFACT_ROOT = str(VAR / "mlflow" / "artifacts")
MLFLOW_MODEL_NAME = os.environ.get("MLFLOW_MODEL_NAME", "amgs-mouse")
TRAINING_THREADS = int(os.environ.get("TRAINING_THREADS", "2"))
GATE_PROFILE = os.environ.get("GATE_PROFILE", "standard")

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_SIGNUP_FORM_CLASS = "amgs.web.account.SignupForm"
SOCIALACCOUNT_ADAPTER = "amgs.web.account.ProviderAccounts"
SOCIALACCOUNT_AUTO_SIGNUP = True
SOCIALACCOUNT_EMAIL_REQUIRED = True  # ORCID may give none: then the person is asked for one
SOCIALACCOUNT_EMAIL_VERIFICATION = "mandatory"
SOCIALACCOUNT_PROVIDERS = {
    provider: {
        "APP": {
            "client_id": os.environ.get(f"{provider.upper()}_CLIENT_ID", ""),
            "secret": os.environ.get(f"{provider.upper()}_CLIENT_SECRET", ""),
        }
    }
    for provider in ("orcid", "github")
    if os.environ.get(f"{provider.upper()}_CLIENT_ID")
}
EMAIL_BACKEND = os.environ.get("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend")
DEFAULT_FROM_EMAIL = os.environ.get("DEFAULT_FROM_EMAIL", "amgs@localhost")

# Requests in a minute: of a token or a person, and of an address that is not signed in; 0: any.
API_RATE = int(os.environ.get("API_RATE", "1200"))
API_RATE_PUBLIC = int(os.environ.get("API_RATE_PUBLIC", "300"))
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "amgs.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["amgs.api.plain_text.PlainJson"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "amgs.api.problems.handle",
    "DEFAULT_THROTTLE_CLASSES": ["amgs.api.throttling.PerMinute"],
    "NUM_PROXIES": 0,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "aMGS",
    "DESCRIPTION": "The automated Mouse Grimace Scale: contribute, curate, retrain, score.",
    "VERSION": "2.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    # Calls are grouped by what comes after it.
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {"ServiceEnum": ["ok", "missing"]},
    # The page draws long lists in pieces; closed groups are all there and can be searched.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "none", "filter": True},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_I18N = False
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
STATIC_ROOT.mkdir(exist_ok=True)  # empty here: whitenoise serves from the apps' own folders
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "amgs.web.vendor.VendorFinder",
]
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
WHITENOISE_MIMETYPES = {".webmanifest": "application/manifest+json"}
NODE_MODULES = ROOT / "node_modules"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = bool(CERTIFICATE)
SILENCED_SYSTEM_CHECKS: list[str] = []

structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
    ],
    # Through the standard library to stderr: what commands print on stdout is their answer.
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    # Every task and every tick is a line there; the job rows say more.
    "loggers": {"celery": {"level": "WARNING"}, "httpx": {"level": "WARNING"}},
}

# The one entry beat has: the sweep re-issues what is due or lost, and asks for periodic kinds.
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "amgs.sweep",
        "schedule": JOB_SWEEP.total_seconds(),
    }
}

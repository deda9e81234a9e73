"""Production: the same code behind a proxy with TLS; grades only from real, gated bundles."""

import os

from amgs.settings.base import *  # noqa: F403  (a settings module extends its base by design)
from amgs.settings.base import REST_FRAMEWORK, SITE_URL, _flag

PRODUCTION = True
# The reverse proxy is the neighbour of every request; the address before it is who asks.
REST_FRAMEWORK["NUM_PROXIES"] = 1
ALLOW_PHANTOM = _flag("AMGS_ALLOW_PHANTOM", default=False)
# Whoever asks for a score names the address: it must not lead behind the site's own door.
WEBHOOK_PRIVATE = _flag("WEBHOOK_PRIVATE", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = SITE_URL.startswith("https:")
SECURE_HSTS_SECONDS = 3600 if SECURE_SSL_REDIRECT else 0
SESSION_COOKIE_SECURE = SECURE_SSL_REDIRECT
CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = False
EMAIL_HOST = os.environ.get("EMAIL_HOST", "localhost")
# Whether neighbours under the same domain have TLS, and whether browsers should know of it
# beforehand, is for the owner of the domain to say, in the reverse proxy.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

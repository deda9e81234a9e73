"""The embedded settings with the bare views beside the site."""

from amgs.settings.base import *  # noqa: F403  (a settings module extends its base by design)

ROOT_URLCONF = "bare_urls"
API_RATE = 0
API_RATE_PUBLIC = 0

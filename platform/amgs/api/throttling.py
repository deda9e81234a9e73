"""How often one may ask: counted per token, per person with a session, or per address."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from amgs.accounts.models import ApiToken, User

if TYPE_CHECKING:  # the views module itself loads this one, through REST_FRAMEWORK
    from rest_framework.views import APIView

MINUTE = 60


class PerMinute(BaseThrottle):
    """So many requests in every minute of the clock (``API_RATE``, ``API_RATE_PUBLIC``).

    A counter instead of a list of times: its cost is the same for those who ask very often. It is
    kept by each web process; a rate of 0 is none.
    """

    def __init__(self) -> None:
        self.most = 0
        self.left_s = 0.0

    def allow_request(self, request: Request, view: APIView) -> bool:
        """Count a request; false where there were too many."""
        self.most = settings.API_RATE_PUBLIC
        if isinstance(request.auth, ApiToken):
            who, self.most = f"token:{request.auth.pk}", settings.API_RATE
        elif isinstance(request.user, User):
            who, self.most = f"person:{request.user.pk}", settings.API_RATE
        else:
            who = f"address:{self.get_ident(request)}"
        if not self.most:
            return True
        now = time.time()
        minute, passed = divmod(now, MINUTE)
        self.left_s = MINUTE - passed
        key = f"api-rate:{who}:{minute:.0f}"
        cache.add(key, 0, 2 * MINUTE)
        try:
            return cache.incr(key) <= self.most
        except ValueError:  # the counter was dropped between the two calls
            return True

    def wait(self) -> float:
        """Return the seconds until one may ask again."""
        return math.ceil(self.left_s)

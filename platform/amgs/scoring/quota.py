"""How much may be scored from one address in a day without an account.

Addresses are not kept: a row is named by a keyed hash of address and day, so that the next day the
same address has another name, and without the site's key no name leads back to an address.
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F

from amgs.core.errors import Refused, TooMuch
from amgs.scoring.models import ScoreUse, ToolRun

KEPT = timedelta(days=2)
"""How long a day's counts are kept: a film that came before midnight may be read after it."""


@dataclass(frozen=True)
class Left:
    """What may still be scored today, and the whole seconds until the count begins anew."""

    videos: int
    minutes: float
    seconds_to_midnight: int

    @property
    def sentence(self) -> str:
        """The same in plain words."""
        again = f"The count begins anew in {_hours(self.seconds_to_midnight)}."
        if not self.videos or self.minutes < 1:
            return f"Today nothing more can be scored without an account from here. {again}"
        videos = "1 more file" if self.videos == 1 else f"{self.videos} more files"
        return (
            f"Without an account, {videos} and {self.minutes:.0f} minutes of video can be scored "
            f"from here today. {again}"
        )


def who(address: str, now: datetime) -> str:
    """Return the name under which an address is counted on the day of a moment."""
    key = hashlib.sha256(b"amgs.scoring.quota" + settings.SECRET_KEY.encode()).digest()
    return hmac.new(key, f"{now:%Y-%m-%d} {address}".encode(), hashlib.sha256).hexdigest()


def left(address: str) -> Left:
    """Return what may still be scored from an address today."""
    now = datetime.now(UTC)
    use = ScoreUse.objects.filter(day=now.date(), who=who(address, now)).first()
    videos, seconds = (use.videos, use.seconds) if use else (0, 0.0)
    return Left(
        max(0, settings.SCORE_PUBLIC_FILES - videos),
        max(0.0, settings.SCORE_PUBLIC_MINUTES - seconds / 60),
        _to_midnight(now),
    )


def take(address: str) -> ScoreUse:
    """Count one file of today in the caller's transaction; raises ``TooMuch``, told in time."""
    now = datetime.now(UTC)
    with transaction.atomic():
        use, _ = ScoreUse.objects.get_or_create(day=now.date(), who=who(address, now))
        room = ScoreUse.objects.filter(
            pk=use.pk,
            videos__lt=settings.SCORE_PUBLIC_FILES,
            seconds__lt=settings.SCORE_PUBLIC_MINUTES * 60,
        )
        if not room.update(videos=F("videos") + 1):
            wait = _to_midnight(now)
            raise TooMuch(
                f"Without an account, {settings.SCORE_PUBLIC_FILES} files and "
                f"{settings.SCORE_PUBLIC_MINUTES} minutes of video can be scored a day from one "
                f"place, and these are used up. Go on in {_hours(wait)}, or sign in.",
                field="upload",
                details=[{"seconds": wait}],
            )
    return use


def take_length(run: ToolRun, length_s: float) -> None:
    """Count the length of a run's film, once it is known; raises ``Refused``."""
    if run.use_id is None or not length_s:
        return
    most = settings.SCORE_PUBLIC_MINUTES * 60
    room = ScoreUse.objects.filter(pk=run.use_id, seconds__lte=most - length_s)
    if not room.update(seconds=F("seconds") + length_s):
        raise Refused(
            f"This video has {length_s / 60:.0f} minutes; with it, more than the "
            f"{settings.SCORE_PUBLIC_MINUTES} minutes would be scored that are free a day without "
            "an account. Sign in, cut it, or come back tomorrow."
        )
    ToolRun.objects.filter(pk=run.pk).update(use=None)  # counted once, whatever is begun again


def _to_midnight(now: datetime) -> int:
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return math.ceil((midnight - now).total_seconds())


def _hours(seconds: int) -> str:
    hours, minutes = divmod(max(1, seconds // 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"

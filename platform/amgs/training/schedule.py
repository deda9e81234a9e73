"""When the schedule of the policy asks next. Times are UTC; Celery reads the five cron fields."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from celery.schedules import ParseException, crontab

from amgs.core.errors import Refused

SHORTEST = timedelta(hours=1)


def next_time(schedule: str, after: datetime) -> datetime:
    """Return the first time after a moment that a schedule names; raises ``Refused``."""
    if len(schedule.split()) != 5:
        raise Refused(
            f"The schedule '{schedule}' must have five fields: minute, hour, day of the month, "
            "month and day of the week, such as '0 3 * * 1' for Mondays at 3:00.",
            field="schedule",
        )
    try:
        last, step, _ = crontab.from_string(schedule).remaining_delta(after.astimezone(UTC), tz=UTC)
        found: datetime = last + step
    except (ParseException, ValueError, RuntimeError) as error:
        raise Refused(
            f"The schedule '{schedule}' names no time: {error}. Write it like '0 3 * * 1' for "
            "Mondays at 3:00.",
            field="schedule",
        ) from error
    return found


def check_schedule(schedule: str, now: datetime) -> datetime:
    """Return the next time of a schedule; raises ``Refused`` where it asks too often."""
    first = next_time(schedule, now)
    if next_time(schedule, first) - first < SHORTEST:
        raise Refused(
            "A schedule asks once an hour at most; name one minute of the hour, such as "
            "'0 3 * * 1' for Mondays at 3:00.",
            field="schedule",
        )
    return first

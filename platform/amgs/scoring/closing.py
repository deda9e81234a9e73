"""What goes with an account that is closed: the scores and studies that were its own."""

from __future__ import annotations

import contextlib

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from amgs.accounts.models import User
from amgs.core import jobs
from amgs.core.errors import Refused
from amgs.core.jobs import ACTIVE
from amgs.scoring.models import Batch, ToolRun, WebhookSecret
from amgs.scoring.study_keeping import delete_study
from amgs.scoring.study_models import Study


def scores_of(user: User) -> QuerySet[ToolRun]:
    """Return the results of a person that are there still."""
    return ToolRun.objects.filter(user=user, deleted_at=None, delete_asked_at=None)


def studies_of(user: User) -> QuerySet[Study]:
    """Return the studies of a person that are not deleted."""
    return Study.objects.filter(owner=user, deleted_at=None)


@transaction.atomic
def delete_private(*, user: User) -> None:
    """Delete all studies and scores of a person; the sweeps clear the files away.

    Recordings that were contributed from a score are the dataset's by now, and stay.
    """
    for study in studies_of(user):
        delete_study(by=user, study=study)
    for run in scores_of(user).filter(job__state__in=ACTIVE).select_related("job"):
        if run.job is not None:
            with contextlib.suppress(Refused):  # it ended meanwhile
                jobs.cancel(run.job)
    scores_of(user).update(delete_asked_at=timezone.now(), mail_to="")
    # Lists of several scores led to them by a link of their own.
    Batch.objects.filter(user=user).update(user=None)
    WebhookSecret.objects.filter(user=user).delete()

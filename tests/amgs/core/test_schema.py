"""The tables and their migrations agree."""

from __future__ import annotations

import pytest
from django.core.management import call_command


@pytest.mark.django_db
def test_no_migration_is_missing():
    call_command("makemigrations", "--check", "--dry-run", "--skip-checks", verbosity=0)


def test_the_roles_of_the_named_people_are_theirs(alice, rita, carl, mia, petra):
    assert alice.roles == {"contributor"}
    assert rita.roles == {"rater"}
    assert carl.roles == {"curator", "contributor"}
    assert mia.roles == {"maintainer"}
    assert petra.roles == frozenset()

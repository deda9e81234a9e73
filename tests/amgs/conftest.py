"""People, labs and storage that the tests of the platform share.

Permission tests read like a story: Alice belongs to the Harbour lab, Bob to the Meadow lab; Rita
rates and belongs to no lab, Rolf rates and belongs to Harbour; Cora curates and belongs to no
lab, Carl curates and belongs to Harbour; Mia maintains; Petra is the public with a login.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db.models.functions import Now

PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _objects_of_this_test(settings, tmp_path):
    """Give every test an empty local storage of its own."""
    settings.STORAGE_URL = f"file://{tmp_path / 'objects'}"
    settings.VAR = tmp_path / "var"


@pytest.fixture
def lab(db) -> Callable[..., object]:
    """Make a lab, or find it, by name."""
    from amgs.accounts.models import Lab

    def make(name: str):
        return Lab.objects.get_or_create(name=name, defaults={"institution": "Test University"})[0]

    return make


@pytest.fixture
def person(db) -> Callable[..., object]:
    """Make a person with roles and, where given, a lab; their password is the same for all."""
    from amgs.accounts.models import Grant, Membership, User

    def make(name: str, *roles: str, lab=None):
        user = User.objects.create_user(
            f"{name.split()[0].lower()}@example.org", PASSWORD, full_name=name
        )
        Grant.objects.bulk_create(Grant(user=user, role=role) for role in roles)
        if lab is not None:
            Membership.objects.create(user=user, lab=lab)
        return user

    return make


@pytest.fixture
def harbour(lab):
    """Alice's lab, whose data most stories are about."""
    return lab("Harbour")


@pytest.fixture
def meadow(lab):
    """Bob's lab, another one."""
    return lab("Meadow")


@pytest.fixture
def alice(person, harbour):
    """A contributor of the Harbour lab."""
    return person("Alice Arber", lab=harbour)


@pytest.fixture
def bob(person, meadow):
    """A contributor of the Meadow lab."""
    return person("Bob Brandt", lab=meadow)


@pytest.fixture
def rita(person):
    """A rater of no lab."""
    return person("Rita Roth", "rater")


@pytest.fixture
def rolf(person, harbour):
    """A rater who belongs to the Harbour lab."""
    return person("Rolf Rask", "rater", lab=harbour)


@pytest.fixture
def cora(person):
    """A curator of no lab."""
    return person("Cora Costa", "curator")


@pytest.fixture
def carl(person, harbour):
    """A curator who belongs to the Harbour lab."""
    return person("Carl Chen", "curator", lab=harbour)


@pytest.fixture
def mia(person):
    """A maintainer."""
    return person("Mia Moreau", "maintainer")


@pytest.fixture
def petra(person):
    """Somebody with a login and no role."""
    return person("Petra Public")


@pytest.fixture
def run_jobs(db) -> Callable[..., list]:
    """Run every due job in this process until none is left; return them as they ended.

    A job that breaks fails the test with its traceback, unless ``broken=True`` expects it.
    """
    from amgs.core import jobs
    from amgs.core.models import Job

    def run(*, limit: int = 500, broken: bool = False) -> list:
        ended: dict[str, None] = {}
        for _ in range(limit):
            row = (
                Job.objects.filter(state=Job.State.QUEUED, due_at__lte=Now())
                .order_by("due_at", "pk")
                .first()
            )
            if row is None:
                return [Job.objects.get(public_id=public_id) for public_id in ended]
            jobs.run(row.public_id)
            row.refresh_from_db()
            ended[row.public_id] = None
            if row.trace and not broken:
                pytest.fail(f"the job {row.kind} broke:\n{row.trace}", pytrace=False)
        return pytest.fail(f"jobs went on without an end after {limit} of them")

    return run


@pytest.fixture
def token_of(db) -> Callable[..., str]:
    """Make an API token of a person and return its secret."""
    from amgs.accounts.services import SCOPES, create_token

    def make(user, *scopes: str) -> str:
        return create_token(user=user, name="test", scopes=scopes or SCOPES)[1]

    return make

"""The people of the demo: fictional, one for each role, all with the same password."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.hashers import make_password
from django.db import transaction

from amgs.accounts import services
from amgs.accounts.models import Lab, User
from amgs.core.base import SYSTEM

PASSWORD = "grimace-demo"  # noqa: S105  (printed on the screen; the demo listens on loopback only)
NAMES = ("Ada Example", "Ben Example", "Cleo Example", "Dan Example", "Eve Example", "Finn Example")
SCOPES = tuple(services.SCOPES)


@dataclass(frozen=True)
class Person:
    """A person of the demo and the token the demo speaks with for them."""

    name: str
    email: str
    role: str
    token: str
    lab: str = ""


def _person(name: str, role: str, password: str) -> User:
    email = f"{name.split()[0].lower()}@demo.example"
    user = User.objects.create(email=email, full_name=name, password=password)
    # The addresses are ours and nobody reads their mail: they count as confirmed.
    user.emailaddress_set.create(email=email, verified=True, primary=True)
    if role:
        services.grant_role(user=user, role=role, by=SYSTEM)
    return user


def _token(user: User) -> str:
    return services.create_token(user=user, name="demo", scopes=SCOPES)[1]


@transaction.atomic
def make_people(labs: list[str]) -> tuple[list[Person], Person, Person]:
    """Make a contributor who also rates for each lab, a curator and a maintainer."""
    password = make_password(PASSWORD)
    contributors = []
    for name, lab_name in zip(NAMES, labs, strict=False):
        user = _person(name, "rater", password)
        lab: Lab = services.create_lab(name=lab_name, by=user, institution="a phantom")
        contributors.append(
            Person(name, user.email, "contributor and rater", _token(user), lab.public_id)
        )
    curator = _person("Clara Curator", "curator", password)
    maintainer = _person("Max Maintainer", "maintainer", password)
    return (
        contributors,
        Person(curator.name, curator.email, "curator", _token(curator)),
        Person(maintainer.name, maintainer.email, "maintainer", _token(maintainer)),
    )

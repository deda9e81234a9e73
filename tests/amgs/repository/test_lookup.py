"""The prepared look-up of a version tells everybody exactly what the queryset would."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from amgs.repository import lookup, queries
from amgs.repository.models import Version


@pytest.fixture
def versions(draft, alice, bob) -> list[Version]:
    """A draft and a published version of Harbour, a draft and a withdrawn one of Meadow."""
    rows = [
        draft(by=who, animals=1, grades=False, seed=seed)
        for seed, who in enumerate((alice, alice, bob, bob))
    ]
    now = timezone.now()
    Version.objects.filter(pk=rows[1].pk).update(state="published", published_at=now)
    Version.objects.filter(pk=rows[3].pk).update(state="withdrawn", published_at=now)
    return list(Version.objects.order_by("pk"))


@pytest.mark.parametrize("most", [0, 20])
def test_everybody_finds_what_is_visible_to_them(
    versions, alice, bob, rita, rolf, cora, carl, mia, petra, lab, monkeypatch, most
):
    monkeypatch.setattr(lookup, "MOST_LABS", most)
    lab("Meadow").members.add(carl)
    for user in (alice, bob, rita, rolf, cora, carl, mia, petra, AnonymousUser()):
        for row in versions:
            wanted = queries.datasets_visible_to(user).filter(pk=row.pk).first()
            by_number = {"dataset": row.dataset.number, "number": row.number}
            for name in ({"public_id": row.public_id}, by_number):
                assert lookup.visible_version(user, **name) == wanted, (user, row.state)
        assert lookup.visible_version(user, public_id="nothing") is None


def test_it_comes_whole_in_one_query(versions, alice, django_assert_num_queries):
    _ = alice.roles, alice.lab_ids
    lookup.visible_version(alice, public_id=versions[0].public_id)
    with django_assert_num_queries(1):
        found = lookup.visible_version(alice, public_id=versions[0].public_id)
        told = found.dataset.lab.name, found.metadata, found.embargo_until, found.identifier
    fresh = Version.objects.get(pk=found.pk)
    assert told == (
        fresh.dataset.lab.name,
        fresh.metadata,
        fresh.embargo_until,
        fresh.identifier,
    )
    for one, other in (
        (found, fresh),
        (found.dataset, fresh.dataset),
        (found.dataset.lab, fresh.dataset.lab),
    ):
        for field in one._meta.concrete_fields:
            assert getattr(one, field.attname) == getattr(other, field.attname), field
